/**
 * The live view: a header, a line per step with its time, and under running steps the bytes that move and the
 * last lines of their output. Each frame is one write that replaces the one before it without clearing the
 * screen first, so nothing flickers; on a short screen old finished steps fold into one line and come back in
 * the last frame.
 */
import { exitCodeOf } from '@tsbuild/core';
import { causesText } from '../explain-text.js';
import { formatBytes, formatDuration, displayWidth, truncate, visibleText } from '../format.js';
import type { Output } from '../io.js';
import { type Step, type Steps, currentLines, isOver, trackSteps } from './steps.js';
import {
  explainedLines,
  failedOutputLines,
  shortenDigests,
  transferText,
  transferTime,
  warningLines,
} from './text.js';
import type { ProgressView } from './view.js';

export interface TtyOptions {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Time between frames, milliseconds; 0: tests draw with `draw`. */
  frameMs: number;
  color: boolean;
}

export interface TtyView extends ProgressView {
  draw(): void;
}

/** Lines of output under a running step. */
const tailLines = 6;
/** Moving items under a running step. */
const transferLines = 4;

/** One line of a frame: text, then an optional right-aligned end. */
interface Row {
  text: string;
  end?: string;
  style?: 'done' | 'cached' | 'failed' | 'canceled' | 'dim' | 'head';
}

const colors: Record<NonNullable<Row['style']>, string> = {
  done: '\x1b[34m',
  cached: '\x1b[34m',
  failed: '\x1b[31m',
  canceled: '\x1b[33m',
  dim: '\x1b[2m',
  head: '',
};

// Synchronized output (mode 2026) makes terminals that know it show a frame at once; others ignore it.
const beginFrame = '\x1b[?2026h\x1b[?25l';
const endFrame = '\x1b[?2026l';
const showCursor = '\x1b[?25h';

export function ttyView(output: Output, options: TtyOptions): TtyView {
  const steps = trackSteps();
  const startedAt = options.now();
  /** Widths of the lines on the screen, so that a narrower terminal's wrapping can be counted. */
  let shown: number[] = [];
  let noticesShown = 0;
  let finished = false;

  const columns = () => Math.max(20, output.columns ?? 80);
  const up = () => {
    const width = columns();
    const rows = shown.reduce((sum, cells) => sum + Math.max(1, Math.ceil(cells / width)), 0);
    return rows === 0 ? '' : `\x1b[${rows}A\r`;
  };
  const paint = (rows: readonly Row[], above: readonly string[], last: boolean) => {
    // The last column stays free: some terminals wrap as soon as it is written.
    const width = columns() - 1;
    const lines = rows.map((row) => layout(row, width));
    let text = beginFrame + up();
    for (const line of above) text += `${line}\x1b[K\n`;
    for (const [i, line] of lines.entries())
      text += `${paintRow(line, rows[i]?.style, options.color)}\x1b[K\n`;
    text += `\x1b[J${last ? showCursor : ''}${endFrame}`;
    output.write(text);
    shown = last ? [] : lines.map(displayWidth);
  };
  const newNotices = () => {
    const lines = steps.notices.slice(noticesShown).map((notice) => `note: ${notice.message}`);
    noticesShown = steps.notices.length;
    return lines;
  };
  const draw = () => {
    if (finished) return;
    const height = Math.max(4, (output.rows ?? 24) - 1);
    paint(liveRows(steps, startedAt, options.now(), height), newNotices(), false);
  };

  const timer = options.frameMs > 0 ? setInterval(draw, options.frameMs) : undefined;
  timer?.unref();
  const onResize = () => draw();
  if (options.frameMs > 0) output.on?.('resize', onResize);

  return {
    showsFailedOutput: true,
    draw,
    event: (event) => void steps.apply(event),
    finish(outcome) {
      clearInterval(timer);
      output.off?.('resize', onResize);
      const failed = outcome.error !== undefined;
      const end = !failed ? ' FINISHED' : exitCodeOf(outcome.error) === 130 ? ' CANCELED' : ' FAILED';
      paint(finalRows(steps, startedAt, options.now(), end), newNotices(), true);
      finished = true;
      const tail = [
        ...(failed ? failedOutputLines(steps.all) : []),
        ...blockAfterBlank(explainedLines(steps.all)),
        ...blockAfterBlank(warningLines(steps.warnings)),
        ...blockAfterBlank(outcome.summary ?? []),
      ];
      if (tail.length > 0) output.write(`${tail.join('\n')}\n`);
    },
  };
}

function blockAfterBlank(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', ...lines];
}

function layout(row: Row, width: number): string {
  if (row.end === undefined) return truncate(row.text, width);
  const room = Math.max(0, width - displayWidth(row.end) - 1);
  const text = truncate(row.text, room);
  return `${text}${' '.repeat(Math.max(1, width - displayWidth(text) - displayWidth(row.end)))}${row.end}`;
}

function paintRow(line: string, style: Row['style'], color: boolean): string {
  const code = style === undefined || !color ? '' : colors[style];
  return code === '' ? line : `${code}${line}\x1b[0m`;
}

function header(steps: Steps, startedAt: number, now: number, end: string): Row {
  const done = steps.all.filter((step) => step.completedAt !== undefined).length;
  return {
    text: `[+] Building ${formatDuration(now - startedAt)} (${done}/${steps.all.length})${end}`,
    style: 'head',
  };
}

function finalRows(steps: Steps, startedAt: number, now: number, end: string): Row[] {
  const begun = begunSteps(steps);
  return [
    header(steps, startedAt, now, end),
    ...begun.flatMap((step) => [
      stepRow(step, now),
      ...(step.completedAt === undefined ? [] : doneTransfers(step)),
    ]),
  ];
}

/** In the order of the Dockerfile, whatever began first; what has no place in it comes before. */
function begunSteps(steps: Steps): Step[] {
  const begun = steps.all.filter((step) => step.startedAt !== undefined);
  const internal = (step: Step) => step.name.startsWith('[internal]');
  return [...begun.filter(internal), ...begun.filter((step) => !internal(step))];
}

/** The frame for a screen of `height` lines. */
function liveRows(steps: Steps, startedAt: number, now: number, height: number): Row[] {
  const begun = begunSteps(steps);
  const running = begun.filter((step) => step.completedAt === undefined);
  // Room is shared: every running step has its line, then the details get what is left.
  const room = height - 2 - running.length;
  const detail = running.length === 0 ? 0 : Math.max(0, Math.floor(room / running.length));
  const details = new Map(running.map((step) => [step, runningRows(step, now).slice(-detail || Infinity)]));
  if (detail === 0) for (const step of running) details.set(step, []);
  const detailRows = [...details.values()].reduce((sum, rows) => sum + rows.length, 0);
  const forDone = height - 2 - running.length - detailRows;
  const finishedSteps = begun.filter((step) => step.completedAt !== undefined);
  const hidden = Math.max(0, finishedSteps.length - Math.max(0, forDone));
  const hiddenSteps = new Set(finishedSteps.slice(0, hidden));
  const rows: Row[] = [header(steps, startedAt, now, '')];
  if (hidden > 0) rows.push({ text: ` => … ${hidden} step${hidden === 1 ? '' : 's'} done`, style: 'dim' });
  for (const step of begun) {
    if (hiddenSteps.has(step)) continue;
    rows.push(stepRow(step, now), ...(details.get(step) ?? []));
  }
  return rows.slice(0, height);
}

function stepRow(step: Step, now: number): Row {
  const end = formatDuration((step.completedAt ?? now) - (step.startedAt ?? now));
  const name = shortenDigests(visibleText(step.name.replace(/\n/g, ' ')));
  if (step.completedAt === undefined) return { text: ` => ${name}`, end };
  if (step.canceled) return { text: ` => CANCELED ${name}`, end, style: 'canceled' };
  if (step.error !== undefined) return { text: ` => ERROR ${name}`, end, style: 'failed' };
  if (step.cached) return { text: ` => CACHED ${name}`, end, style: 'cached' };
  return { text: ` => ${name}`, end, style: 'done' };
}

function runningRows(step: Step, now: number): Row[] {
  const moving = [...step.transfers.values()].filter((transfer) => !isOver(transfer));
  const over = step.transfers.size - moving.length;
  const rows: Row[] = moving.slice(0, transferLines).map((transfer) => ({
    text: ` => => ${shortenDigests(transferText(transfer))}`,
    end: transferTime(transfer, now),
  }));
  const more = moving.length - transferLines;
  if (more > 0 || (over > 0 && moving.length > 0)) {
    const waiting = more > 0 ? `${more} more, ` : '';
    rows.push({ text: ` => => ${waiting}${over} of ${step.transfers.size} done`, style: 'dim' });
  }
  const lines = currentLines(step.output)
    .slice(-tailLines * 4)
    .map((line) => visibleText(line.text))
    .filter((text) => text.trim() !== '')
    .slice(-tailLines);
  return [
    ...explainedRows(step),
    ...rows,
    ...lines.map((text): Row => ({ text: ` => # ${text}`, style: 'dim' })),
  ];
}

function explainedRows({ explained }: Step): Row[] {
  if (explained === undefined || explained.outcome === 'hit') return [];
  return [{ text: ` => => missed: ${causesText(explained.causes)}`, style: 'dim' }];
}

/** One line that sums up what a finished step moved. */
function doneTransfers(step: Step): Row[] {
  const moved = [...step.transfers.values()].filter(
    (transfer) => transfer.action === 'done' && transfer.current > 0,
  );
  if (moved.length === 0) return [];
  const bytes = moved.reduce((sum, transfer) => sum + transfer.current, 0);
  const items = moved.length === 1 ? (moved[0]?.item ?? '') : `${moved.length} items`;
  return [
    { text: ` => => ${moved[0]?.lastAction} ${shortenDigests(items)} ${formatBytes(bytes)}`, style: 'dim' },
  ];
}
