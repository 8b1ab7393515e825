/** Checks, outlines and targets as text, in the form that `docker buildx build --call METHOD` has. */
import { frame } from '@tsbuild/core';
import type { CheckResult, OutlineResult, TargetsResult } from '../api/types.js';
import { displayWidth } from './format.js';

export function checkText({ file, warnings }: CheckResult): string {
  if (warnings.length === 0) return 'Check complete, no warnings found.\n';
  const blocks = warnings.map(({ rule, message, url, range }) =>
    [
      `WARNING: ${rule}${url === undefined ? '' : ` - ${url}`}`,
      message,
      frame({ file: file.name, range, text: file.text }),
    ].join('\n'),
  );
  const count = warnings.length === 1 ? '1 warning has' : `${warnings.length} warnings have`;
  return `Check complete, ${count} been found!\n\n${blocks.join('\n')}`;
}

export function outlineText({ name, description, args, secrets, ssh }: OutlineResult): string {
  const head = [
    ...(name === undefined ? [] : [['TARGET:', name]]),
    ...(description === undefined ? [] : [['DESCRIPTION:', description]]),
  ];
  const required = (items: OutlineResult['secrets']) =>
    items.map((each) => [each.name, each.required ? 'true' : '']);
  const tables = [
    columns(head, 1),
    ...[
      withHeading(
        ['BUILD ARG', 'VALUE', 'DESCRIPTION'],
        args.map((each) => [each.name, each.value ?? '', each.description ?? '']),
      ),
      withHeading(['SECRET', 'REQUIRED'], required(secrets)),
      withHeading(['SSH', 'REQUIRED'], required(ssh)),
    ].map((rows) => columns(rows, 3)),
  ];
  return tables.map((table) => (table === '' ? '' : `${table}\n`)).join('');
}

export function targetsText({ targets }: TargetsResult): string {
  const rows = targets.map(({ name, default: isDefault, description }) => [
    isDefault ? `${name === undefined ? '' : `${name} `}(default)` : (name ?? ''),
    description ?? '',
  ]);
  return columns(withHeading(['TARGET', 'DESCRIPTION'], rows), 1);
}

function withHeading(heading: string[], rows: string[][]): string[][] {
  return rows.length === 0 ? [] : [heading, ...rows];
}

/** All cells but the last of a row are filled up to their column's width and the gap. */
function columns(rows: readonly string[][], gap: number): string {
  const width = (column: number) => Math.max(...rows.map((row) => displayWidth(row[column] ?? '')));
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === row.length - 1 ? cell : cell + ' '.repeat(width(column) + gap - displayWidth(cell)),
        )
        .join(''),
    )
    .map((line) => `${line}\n`)
    .join('');
}
