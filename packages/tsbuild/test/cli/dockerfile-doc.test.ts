/** docs/dockerfile.md names every instruction, flag, mount type and build check that the parser knows. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { instructionNames, mountTypes, rules } from '@tsbuild/parser';

const home = fileURLToPath(new URL('../../../../../', import.meta.url));
const doc = readFileSync(join(home, 'docs/dockerfile.md'), 'utf8');

/** Names in the tables that the parser reads flags by. */
function flags(): string[] {
  const folder = join(home, 'packages/parser/src/instructions');
  const text = readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n');
  const found = text.matchAll(/^.*\b['\w-]+: '(?:string|bool|list)'.*$/gm);
  return [...found].flatMap(([line]) =>
    [...line.matchAll(/['"]?([\w-]+)['"]?: '(?:string|bool|list)'/g)].map(([, name = '']) => name),
  );
}

test('every instruction has its row', () => {
  assert.deepEqual(
    instructionNames.filter((name) => !doc.includes(`\n| \`${name}\` |`)),
    [],
  );
});

test('every flag is named', () => {
  const known = flags();
  assert.ok(known.length >= 14, known.join());
  assert.deepEqual(
    known.filter((name) => !doc.includes(`--${name}`)),
    [],
  );
});

test('every mount type and build check is named', () => {
  assert.deepEqual(
    mountTypes.filter((type) => !doc.includes(`\`RUN --mount=type=${type}\``)),
    [],
  );
  assert.deepEqual(
    rules.map(({ name }) => name).filter((name) => !doc.includes(`\`${name}\``)),
    [],
  );
});
