/** Words that several views share. */
import type { StepUsage, WarningEvent } from '@tsbuild/core';
import { explainSummary } from '../explain-text.js';
import { formatBytes, formatDuration } from '../format.js';
import { type Step, type TransferState, isOver } from './steps.js';

/** `1.04MB / 3.2MB`, `299B`; nothing where no bytes are known. */
export function transferAmount(transfer: TransferState): string {
  if (transfer.total === undefined) return transfer.current > 0 ? formatBytes(transfer.current) : '';
  return isOver(transfer) && transfer.current >= transfer.total
    ? formatBytes(transfer.total)
    : `${formatBytes(transfer.current)} / ${formatBytes(transfer.total)}`;
}

/** `downloading sha256:1234… 1.04MB / 3.2MB`. */
export function transferText(transfer: TransferState): string {
  const action = transfer.action === 'done' ? transfer.lastAction : transfer.action;
  return [action === 'done' ? '' : action, transfer.item, transferAmount(transfer)]
    .filter((part) => part !== '')
    .join(' ');
}

/** How long it has been going on, or took. */
export function transferTime(transfer: TransferState, now: number): string {
  return formatDuration((isOver(transfer) ? transfer.at : now) - transfer.startedAt);
}

/** Whole digests are too long for a screen. */
export function shortenDigests(text: string): string {
  return text.replace(/\bsha256:([0-9a-f]{12})[0-9a-f]{52}\b/g, 'sha256:$1');
}

/** What a RUN step used, where it is worth a reader's time: more than a second of work or 64 MiB. */
export function usageText(usage: StepUsage | undefined): string {
  if (usage === undefined) return '';
  const cpu = usage.userSeconds + usage.systemSeconds;
  if (cpu < 1 && usage.maxRssBytes < 64 * 2 ** 20) return '';
  return `cpu ${formatDuration(cpu * 1000)}, memory ${formatBytes(usage.maxRssBytes)}`;
}

/** The list of warnings that ends a build. */
export function warningLines(warnings: readonly WarningEvent[]): string[] {
  if (warnings.length === 0) return [];
  const lines = warnings.map((warning) => {
    const place =
      warning.range === undefined ? '' : ` (${warning.file ?? 'Dockerfile'}:${warning.range.startLine})`;
    return ` - ${warning.rule}: ${warning.message}${place}`;
  });
  return [`${warnings.length} warning${warnings.length === 1 ? '' : 's'} found:`, ...lines];
}

/** What the cache had, where that was asked. */
export function explainedLines(steps: readonly Step[]): string[] {
  return explainSummary(
    steps.flatMap(({ name, explained }) => (explained === undefined ? [] : [{ ...explained, name }])),
  );
}

/** The held output of the steps that failed, as blocks between rules. */
export function failedOutputLines(steps: readonly Step[]): string[] {
  const lines: string[] = [];
  for (const step of steps) {
    if (step.error === undefined || step.canceled) continue;
    const { lines: output, dropped } = step.output;
    if (output.length === 0) continue;
    const start = step.startedAt ?? 0;
    lines.push('------', ` > ${step.name}:`);
    if (dropped > 0) lines.push(`(${dropped} earlier lines are not shown here; --progress=plain shows all)`);
    for (const line of output) lines.push(`${((line.at - start) / 1000).toFixed(3)} ${line.text}`);
    lines.push('------');
  }
  return lines;
}
