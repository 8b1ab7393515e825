/** docs/api.md names everything that the library exports, and every option and field of the main types. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as library from '../../src/index.js';

const home = fileURLToPath(new URL('../../../../../', import.meta.url));
const doc = readFileSync(join(home, 'docs/api.md'), 'utf8');
const types = readFileSync(join(home, 'packages/tsbuild/src/api/types.ts'), 'utf8');
const named = (word: string): boolean => new RegExp(`[\`'( |{]${word}[\`'(),: |}]`).test(doc);

test('every exported value', () => {
  assert.deepEqual(
    Object.keys(library).filter((name) => !named(name)),
    [],
  );
});

test('every member of the options and results', () => {
  const missing: string[] = [];
  for (const [, name, body] of types.matchAll(/^export interface (\w+)[^{]*\{\n([\s\S]*?)^\}/gm)) {
    if (name === 'BuildMetadata') continue;
    for (const [, member] of body?.matchAll(/^ {2}(\w+)\??:/gm) ?? [])
      if (member !== undefined && !named(member)) missing.push(`${name}.${member}`);
  }
  assert.deepEqual(missing, []);
});

test('every type of output and event', () => {
  const events = readFileSync(join(home, 'packages/core/src/events.ts'), 'utf8');
  const kinds = [...types.matchAll(/\{ type: '(\w+)'/g), ...events.matchAll(/^ {2}type: '(\w+)'/gm)];
  assert.ok(kinds.length >= 14);
  assert.deepEqual(
    kinds.map(([, kind = '']) => kind).filter((kind) => !named(kind)),
    [],
  );
});
