import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { commandHelp, flagText, flagTitle, overview } from '../../src/cli/help.js';
import { chooseCommand } from '../../src/cli/dispatch.js';
import { parseArgs } from '../../src/cli/parse.js';
import { commands } from '../../src/cli/spec/table.js';
import type { CommandSpec } from '../../src/cli/spec/types.js';

test('no two commands share a name, no two flags of a command a name or letter', () => {
  const names = commands.flatMap((command) => [command.name, ...(command.aliases ?? [])]);
  assert.deepEqual(names, [...new Set(names)]);
  for (const { name, flags } of commands) {
    const words = flags.flatMap((flag) => [flag.name, flag.short ?? `no letter for ${flag.name}`]);
    assert.deepEqual(words, [...new Set(words)], name);
    assert.ok(!words.includes('help') && !words.includes('h'), name);
  }
});

test('summaries are one line and have no full stop', () => {
  for (const command of commands) {
    for (const text of [command.summary, ...command.flags.map((flag) => flag.summary)]) {
      assert.match(text, /^[^\n]*[^.\n]$/, `${command.name}: ${text}`);
    }
  }
});

test('help lines fit 102 columns and name every flag', () => {
  for (const command of commands) {
    const help = commandHelp(command);
    for (const flag of command.flags) assert.ok(help.includes(`--${flag.name}`), flag.name);
    for (const line of help.split('\n')) {
      // Examples are to be copied, so they are not broken.
      if (!/^ {2}\S/.test(line) || /^ {2,}-/.test(line))
        assert.ok(line.length <= 102, `${command.name}: ${line}`);
    }
  }
  for (const command of commands) assert.ok(overview(commands).includes(`  ${command.name} `));
});

/** Words of an example as a shell gives them to tsbuild: after a pipe, before a redirection. */
function wordsOf(example: string): string[] {
  const own = example
    .replace(/^.*?(?=\btsbuild\b)/, '')
    .replace(/\s[|>].*$/, '')
    .replace(/\)$/, '');
  return [...own.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)]
    .map((match) => match[1] ?? match[2] ?? match[3] ?? '')
    .slice(1);
}

test('every example is accepted by the parser and is of its command', () => {
  for (const command of commands) {
    for (const example of command.examples) {
      const { command: chosen, rest } = chooseCommand(wordsOf(example.command), '/');
      assert.equal(chosen.name, command.name, example.command);
      parseArgs(chosen, rest, {});
    }
  }
});

/** The part of docs/cli.md that says the same as the table. */
function section(command: CommandSpec): string {
  const cell = (text: string) => text.replace(/\|/g, '\\|');
  const flags = command.flags.filter((flag) => !flag.ignored);
  const ignored = command.flags.filter((flag) => flag.ignored);
  const lines = [
    `\`tsbuild ${command.name}${command.flags.length > 0 ? ' [FLAGS]' : ''} ${command.positionals}`.trimEnd() +
      '`',
  ];
  if (command.aliases !== undefined)
    lines[0] += ` (also ${command.aliases.map((alias) => `\`tsbuild ${alias}\``).join(', ')})`;
  lines.push('', `${command.summary}.`);
  for (const paragraph of command.description ?? []) lines.push('', paragraph);
  lines.push('', '```sh');
  for (const example of command.examples) lines.push(`# ${example.text}`, example.command);
  lines.push('```');
  if (flags.length > 0) {
    lines.push('', '| Flag | Meaning |', '| --- | --- |');
    for (const flag of flags)
      lines.push(`| \`${flagTitle(flag).trim().replace(/\|/g, '\\|')}\` | ${cell(flagText(flag))} |`);
  }
  if (ignored.length > 0)
    lines.push(
      '',
      `Taken for compatibility, without effect: ${ignored.map((flag) => `\`--${flag.name}\``).join(', ')}.`,
    );
  return lines.join('\n');
}

test('docs/cli.md has every command and flag as the table has it', () => {
  const file = new URL('../../../../../docs/cli.md', import.meta.url);
  let text = readFileSync(file, 'utf8');
  for (const command of commands) {
    const [begin, end] = [`<!-- begin ${command.name} -->`, `<!-- end ${command.name} -->`];
    const from = text.indexOf(begin);
    const to = text.indexOf(end);
    assert.ok(from >= 0 && to > from, `docs/cli.md has a part for ${command.name}`);
    const expected = `${begin}\n${section(command)}\n${end}`;
    if (process.env['TSBUILD_GOLDEN'] === '1')
      text = text.slice(0, from) + expected + text.slice(to + end.length);
    else assert.equal(text.slice(from, to + end.length), expected);
  }
  if (process.env['TSBUILD_GOLDEN'] === '1') writeFileSync(file, text);
});
