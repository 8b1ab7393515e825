/** The records of what docker buildx made of each case: one file for each group, one line for each fact. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Result } from './facts.js';

export type Golden = Record<string, Result>;

/** The tests run from a copy of what was compiled, so the folder of the golden files is handed over. */
function file(group: string): string {
  return join(process.env['TSBUILD_TEST_GOLDEN'] ?? '', `${group}.json`);
}

/** Nothing where the group was never recorded. */
export function readGolden(group: string): Golden {
  if (!existsSync(file(group))) return {};
  return JSON.parse(readFileSync(file(group), 'utf8')) as Golden;
}

export function writeGolden(group: string, golden: Golden): void {
  writeFileSync(file(group), `${format(golden)}\n`);
}

/** JSON with objects and arrays of arrays over several lines, everything below on one. */
function format(golden: Golden): string {
  const cases = Object.entries(golden).map(([name, result]) => {
    if ('fails' in result) return ` ${JSON.stringify(name)}: ${JSON.stringify(result)}`;
    const list = (lines: string[], indent: string) =>
      lines.length === 0 ? '[]' : `[\n${lines.map((line) => `${indent} ${line}`).join(',\n')}\n${indent}]`;
    const layers = result.layers.map((layer) =>
      list(
        layer.map((line) => JSON.stringify(line)),
        '   ',
      ),
    );
    return [
      ` ${JSON.stringify(name)}: {`,
      `  "config": ${JSON.stringify(result.config)},`,
      `  "history": ${list(
        result.history.map((line) => JSON.stringify(line)),
        '  ',
      )},`,
      `  "layers": ${list(layers, '  ')}`,
      ' }',
    ].join('\n');
  });
  return `{\n${cases.join(',\n')}\n}`;
}
