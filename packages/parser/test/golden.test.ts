/**
 * Walks golden/<case>/{Dockerfile,ast.json} and negative/<case>/{Dockerfile,error.txt}. UPDATE_GOLDEN=1 writes
 * what the parser says now; read the diff before committing it.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { frame, TsbuildError } from '@tsbuild/core';
import { parseDockerfile } from '@tsbuild/parser';

const root = fileURLToPath(new URL('../../test/', import.meta.url));
const update = process.env['UPDATE_GOLDEN'] === '1';

function compare(file: string, got: string): void {
  if (update) writeFileSync(file, got);
  assert.ok(existsSync(file), `${file} is missing; run with UPDATE_GOLDEN=1`);
  assert.equal(got, readFileSync(file, 'utf8'));
}

for (const name of readdirSync(`${root}golden`)) {
  test(`golden: ${name}`, () => {
    const { text, ...ast } = parseDockerfile(readFileSync(`${root}golden/${name}/Dockerfile`), 'Dockerfile');
    assert.equal(typeof text, 'string');
    compare(`${root}golden/${name}/ast.json`, `${JSON.stringify(ast, undefined, 1)}\n`);
  });
}

for (const name of readdirSync(`${root}negative`)) {
  test(`negative: ${name}`, () => {
    const input = readFileSync(`${root}negative/${name}/Dockerfile`);
    let caught: unknown;
    try {
      parseDockerfile(input, 'Dockerfile');
    } catch (error) {
      caught = error;
    }
    if (!TsbuildError.is(caught)) return assert.fail(`expected a TsbuildError, got ${String(caught)}`);
    assert.ok(caught.source && caught.hint, 'an error has a place and a hint');
    const shown = [`${caught.code}: ${caught.message}`, frame(caught.source), `hint: ${caught.hint}`, ''];
    compare(`${root}negative/${name}/error.txt`, shown.join('\n'));
  });
}
