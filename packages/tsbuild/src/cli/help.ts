/** Help texts, made from the command table. */
import { helpFlag } from './parse.js';
import { wrap } from './format.js';
import type { CommandSpec, FlagSpec } from './spec/types.js';

const width = 100;

export function overview(commands: readonly CommandSpec[]): string {
  const longest = Math.max(...commands.map((command) => command.name.length));
  const lines = [
    'tsbuild builds container images from Dockerfiles, without a daemon.',
    '',
    'Usage: tsbuild [build] [FLAGS] CONTEXT',
    '       tsbuild COMMAND [FLAGS] [ARGUMENTS]',
    '',
    'Commands:',
    ...commands.map((command) => `  ${command.name.padEnd(longest + 2)}${command.summary}`),
    '',
    'Start with:',
    '  tsbuild doctor              see what this machine allows',
    '  tsbuild -t app .            build ./Dockerfile',
    '  tsbuild run -it app         run what was built',
    '',
    '"tsbuild COMMAND --help" tells more about a command.',
  ];
  return `${lines.join('\n')}\n`;
}

/** `  -t, --tag NAME[:TAG]`. */
export function flagTitle(flag: FlagSpec): string {
  const short = flag.short === undefined ? '    ' : `-${flag.short}, `;
  return `${short}--${flag.name}${flag.type === 'boolean' ? '' : ` ${flag.value ?? 'VALUE'}`}`;
}

/** The summary with choices, environment variables and repetition. */
export function flagText(flag: FlagSpec): string {
  const notes: string[] = [];
  if (flag.choices !== undefined) notes.push(flag.choices.join('|'));
  if (flag.type === 'list') notes.push('repeatable');
  if (flag.type === 'csv') notes.push('repeatable, or separated by commas');
  if (flag.env !== undefined) notes.push(`environment: ${flag.env.join(', ')}`);
  return notes.length === 0 ? flag.summary : `${flag.summary} (${notes.join('; ')})`;
}

export function commandHelp(command: CommandSpec): string {
  const flags = [...command.flags, helpFlag];
  const usual = flags.filter((flag) => !flag.ignored);
  const column = Math.min(32, Math.max(...usual.map((flag) => flagTitle(flag).length)) + 2);
  const lines = [
    `${command.summary}.`,
    '',
    `Usage: tsbuild ${command.name} [FLAGS] ${command.positionals}`.trimEnd(),
  ];
  if (command.aliases !== undefined)
    lines.push(`Also:  ${command.aliases.map((alias) => `tsbuild ${alias}`).join(', ')}`);
  for (const paragraph of command.description ?? []) lines.push('', ...wrap(paragraph, width));
  lines.push('', 'Examples:');
  for (const example of command.examples) lines.push(`  ${example.command}`, `      ${example.text}`);
  lines.push('', 'Flags:');
  for (const flag of usual) {
    const title = flagTitle(flag);
    const text = wrap(flagText(flag), width - column - 2);
    const fits = title.length <= column - 2;
    if (!fits) lines.push(`  ${title}`);
    for (const [i, part] of text.entries()) {
      lines.push(`  ${i === 0 && fits ? title.padEnd(column) : ' '.repeat(column)}${part}`);
    }
  }
  const ignored = flags.filter((flag) => flag.ignored);
  if (ignored.length > 0) {
    lines.push(
      '',
      ...wrap(
        `Taken for compatibility, without effect: ${ignored.map((flag) => `--${flag.name}`).join(', ')}`,
        width,
      ),
    );
  }
  return `${lines.join('\n')}\n`;
}
