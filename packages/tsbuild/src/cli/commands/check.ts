/** `tsbuild check`: the build checks as text, in the form that docker buildx has, or as JSON. */
import type { WarningEvent } from '@tsbuild/core';
import { frame } from '@tsbuild/core';
import { build } from '../../api/build.js';
import { buildOptions } from '../build-options.js';
import type { Io } from '../io.js';
import type { Args } from '../parse.js';
import { dockerfileText } from '../dockerfile-text.js';

export async function run(args: Args, io: Io): Promise<number> {
  const { text, name } = await dockerfileText(args, io);
  const warnings: WarningEvent[] = [];
  await build({
    ...buildOptions(args, { env: io.env, stdoutIsTTY: false }),
    dockerfileText: text,
    check: true,
    signal: io.signal,
    onEvent(event) {
      if (event.type === 'warning') warnings.push(event);
    },
  });
  io.stdout.write(
    args.string('format') === 'json' ? json(warnings, name) : renderWarnings(warnings, name, text),
  );
  return warnings.length === 0 ? 0 : 1;
}

function json(warnings: readonly WarningEvent[], name: string): string {
  return `${JSON.stringify(
    warnings.map(({ type: _, ...warning }) => ({ ...warning, file: name })),
    null,
    2,
  )}\n`;
}

export function renderWarnings(warnings: readonly WarningEvent[], name: string, text: string): string {
  if (warnings.length === 0) return 'Check complete, no warnings found.\n';
  const blocks = warnings.map((warning) => {
    const lines = [
      `WARNING: ${warning.rule}${warning.url === undefined ? '' : ` - ${warning.url}`}`,
      warning.detail ?? warning.message,
    ];
    if (warning.detail !== undefined && warning.detail !== warning.message)
      lines.splice(1, 1, warning.message, warning.detail);
    if (warning.range !== undefined) lines.push(frame({ file: name, range: warning.range, text }).trimEnd());
    return `${lines.join('\n')}\n`;
  });
  const count = warnings.length === 1 ? '1 warning has' : `${warnings.length} warnings have`;
  return `${blocks.join('\n')}\nCheck complete, ${count} been found!\n`;
}
