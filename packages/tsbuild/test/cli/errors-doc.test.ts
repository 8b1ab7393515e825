/** docs/errors.md explains each code of the sources, and no others. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const home = fileURLToPath(new URL('../../../../../', import.meta.url));

function sources(): string[] {
  const packages = readdirSync(join(home, 'packages')).map((name) => join(home, 'packages', name, 'src'));
  const typescript = packages.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(folder, name)),
  );
  return [...typescript, join(home, 'packages/tsbuild/bin/tsbuild'), join(home, 'native/index.js')];
}

const families =
  'PARSE|LINT|GRAPH|CONTEXT|RESOLVE|REGISTRY|AUTH|INTEGRITY|EXEC|HOST|STORE|CACHE|USAGE|CANCELLED';

function codesOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  const whole = [...text.matchAll(new RegExp(`['"\` ](TSB_(?:${families})_[A-Z0-9_]*[A-Z0-9])\\b`, 'g'))].map(
    (match) => match[1] ?? '',
  );
  // The codes of the parser and of planning are put together by their fault().
  const family = file.includes('/parser/')
    ? 'PARSE'
    : file.includes('/solver/src/lower/')
      ? 'GRAPH'
      : undefined;
  const parts =
    family === undefined
      ? []
      : [...text.matchAll(/\bfault\(\s*'([A-Z0-9_]+)'/g)].map((match) => `TSB_${family}_${match[1]}`);
  return [...whole, ...parts];
}

test('docs/errors.md and the sources have the same codes', () => {
  const used = new Set(sources().flatMap(codesOf));
  const listed = [
    ...readFileSync(join(home, 'docs/errors.md'), 'utf8').matchAll(/^\| `(TSB_\w+)` \| [^|]+ \| [^|]+ \|$/gm),
  ].map((match) => match[1] ?? '');
  assert.deepEqual([...listed].sort(), [...new Set(listed)].sort(), 'each code once');
  assert.deepEqual([...used].filter((code) => !listed.includes(code)).sort(), [], 'codes without an entry');
  assert.deepEqual(
    listed.filter((code) => !used.has(code)),
    [],
    'entries without a code',
  );
});
