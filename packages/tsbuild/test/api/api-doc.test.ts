/** docs/api.md has everything that the library exports: functions, options with their types, events, errors. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as library from '../../src/index.js';

interface Interface {
  name: string;
  members: { name: string; type: string; meaning: string }[];
}

interface ApiTypes {
  byHand: string[];
  readInterfaces(text: string): Interface[];
  withTypeTables(doc: string, types: string): string;
}

const home = fileURLToPath(new URL('../../../../../', import.meta.url));
const read = (path: string): string => readFileSync(join(home, path), 'utf8');
const doc = read('docs/api.md');
const types = read('packages/tsbuild/src/api/types.ts');
const api = (await import(
  new URL('../../../../../scripts/lib/api-types.mjs', import.meta.url).href
)) as ApiTypes;
const interfaces = api.readInterfaces(types);
const named = (word: string): boolean => new RegExp(`[\`'( |{]${word}[\`'(),: |}]`).test(doc);

/** First column → the row, of the table whose head has these words and that comes after the text. */
function tableAfter(text: string): Map<string, string[]> {
  const from = doc.indexOf(text);
  assert.ok(from >= 0, `docs/api.md lacks ${text}`);
  const table = /^\|.*\n\| ---.*\n((?:\|.*\n)+)/m.exec(doc.slice(from));
  const rows = table?.[1]?.trimEnd().split('\n') ?? [];
  return new Map(
    rows.map((row) => {
      const cells = row
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('\\|', '|'));
      return [(cells[0] ?? '').replaceAll(/[`']/g, ''), cells];
    }),
  );
}

test('every exported value', () => {
  assert.deepEqual(
    Object.keys(library).filter((name) => !named(name)),
    [],
  );
});

test('the tables of types are those of the sources (npm run docs renews them)', () => {
  assert.equal(api.withTypeTables(doc, types), doc);
});

test('no interface escapes the tables, and every member has its meaning', () => {
  const declared = [...types.matchAll(/^export interface (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual(
    declared.filter((name) => name !== 'BuildPromise' && !interfaces.some((one) => one.name === name)),
    [],
  );
  assert.deepEqual(
    interfaces.flatMap(({ name, members }) =>
      members.filter(({ meaning }) => meaning === '').map((member) => `${name}.${member.name}`),
    ),
    [],
  );
});

for (const name of api.byHand)
  test(`the table of ${name} has its members and their types`, () => {
    const table = tableAfter(name === 'BuildOptions' ? '`BuildOptions` are' : `\`${name}\``);
    const { members } = interfaces.find((one) => one.name === name) ?? { members: [] };
    assert.deepEqual([...table.keys()].sort(), members.map((member) => member.name).sort());
    for (const member of members) {
      const documented = table.get(member.name)?.[1]?.replaceAll('`', '');
      assert.equal(documented, member.type.replace(' | undefined', ''), member.name);
    }
  });

for (const name of ['OutputSpec', 'CacheSource', 'CacheTarget'])
  test(`every type of ${name}`, () => {
    const union = new RegExp(`^export type ${name} =\n[\\s\\S]*?\n\n`, 'm').exec(types)?.[0] ?? '';
    const kinds = [...union.matchAll(/\{ type: '(\w+)'/g)].map(([, kind = '']) => kind);
    assert.deepEqual([...tableAfter(`\`${name}\` is`).keys()].sort(), kinds.sort());
  });

test('every event and its fields', () => {
  const source = read('packages/core/src/events.ts');
  const table = tableAfter('`BuildEvent` is');
  let count = 0;
  for (const [, body = ''] of source.matchAll(/^export interface \w+ \{\n([\s\S]*?)^\}/gm)) {
    const kind = /^ {2}type: '(\w+)';/m.exec(body)?.[1];
    if (kind === undefined) continue;
    count += 1;
    const fields = [...body.matchAll(/^ {2}(\w+)\??:/gm)].map(([, field = '']) => field);
    const documented = [...(table.get(kind)?.[1] ?? '').matchAll(/`(\w+)`/g)].map(([, field = '']) => field);
    assert.deepEqual(documented.sort(), fields.filter((field) => field !== 'type').sort(), kind);
  }
  assert.equal(count, table.size);
});

test('every fact of an error', () => {
  const source = read('packages/core/src/errors.ts');
  const body = /^export interface ErrorFacts \{\n([\s\S]*?)^\}/m.exec(source)?.[1] ?? '';
  const facts = [...body.matchAll(/^ {2}(\w+)\?:/gm)].map(([, fact = '']) => fact);
  assert.ok(facts.length >= 8);
  assert.deepEqual(
    facts.filter((fact) => !named(fact)),
    [],
  );
});

test('codes in the examples exist', () => {
  const codes = [...doc.matchAll(/TSB_[A-Z]+_[A-Z0-9_]+/g)].map(([code]) => code);
  const errors = read('docs/errors.md');
  assert.deepEqual(
    codes.filter((code) => !errors.includes(`\`${code}\``)),
    [],
  );
});

test('the README links it, and its own links lead somewhere', () => {
  assert.match(read('README.md'), /\]\(docs\/api\.md\)/);
  const links = [...doc.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, link = '']) => link);
  assert.ok(links.length >= 3);
  assert.deepEqual(
    links.filter((link) => !existsSync(join(dirname(join(home, 'docs/api.md')), link))),
    [],
  );
});
