/**
 * What is said of wrong Dockerfiles, beside what BuildKit says (golden-errors.json): the place, the lines around it, what
 * is wrong, and the way out. TSBUILD_GOLDEN=1 writes what is said now.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { main } from '../../src/cli/dispatch.js';

interface Case {
  name: string;
  dockerfile: string;
  buildkit: string;
  tsbuild: string;
}

const file = fileURLToPath(new URL('../../../test/cli/golden-errors.json', import.meta.url));
const cases = JSON.parse(readFileSync(file, 'utf8')) as Case[];
const update = process.env['TSBUILD_GOLDEN'] === '1';

async function said(dockerfile: string): Promise<{ status: number; text: string }> {
  let text = '';
  const status = await main(['check', '-f', '-', '.'], {
    stdin: Object.assign(new PassThrough(), { isTTY: false }).end(dockerfile) as never,
    stdout: { write: () => true },
    stderr: {
      write(part) {
        text += part;
        return true;
      },
    },
    env: {},
    cwd: process.cwd(),
    signal: new AbortController().signal,
  });
  return { status, text };
}

test('there are enough of them', () => {
  assert.ok(cases.length >= 60);
});

for (const each of cases) {
  test(each.name, async () => {
    const { status, text } = await said(each.dockerfile);
    if (update) each.tsbuild = text;
    assert.equal(text, each.tsbuild);
    assert.equal(status, 1);
    assert.match(text, /^Dockerfile:\d+$/m, 'the place');
    assert.match(text, />>> /, 'the lines');
    assert.match(text, /^ {2}try: \S/m, 'the way out');
    assert.match(text, /^ {2}code: TSB_[A-Z]+_\w+$/m);
    const near = /did you mean [^?]+\?/.exec(each.buildkit)?.[0];
    if (near !== undefined) assert.ok(text.includes(near), near);
  });
}

if (update) process.on('exit', () => writeFileSync(file, `${JSON.stringify(cases, null, 2)}\n`));
