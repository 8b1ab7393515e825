import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { TsbuildError } from '@tsbuild/core';
import { redact } from '../../src/cli/redact.js';
import { renderError } from '../../src/cli/render-error.js';

const text = 'FROM busybox AS base\nRUN --muont=type=cache,target=/x \\\n  make all\nCOPY . /src\n';
const source = (startLine: number, startColumn: number, endLine: number, endColumn: number) => ({
  file: 'Dockerfile',
  range: { startLine, startColumn, endLine, endColumn },
  text,
});
const plain = { color: false, debug: false, outputShown: false };

const cases: Record<string, TsbuildError> = {
  'unknown-flag': new TsbuildError('TSB_PARSE_UNKNOWN_FLAG', 'unknown flag: --muont', {
    source: source(2, 5, 2, 32),
    hint: 'Did you mean --mount?',
    stage: 'base',
  }),
  'failed-run': new TsbuildError(
    'TSB_EXEC_EXIT',
    'process "/bin/sh -c make all" did not complete successfully: exit code: 2',
    {
      source: source(2, 1, 3, 11),
      stage: 'base',
      platform: 'linux/amd64',
      commandExitCode: 2,
      outputTail: Array.from({ length: 25 }, (_, i) => `line ${i + 1}`).join('\n'),
    },
  ),
  'short-output': new TsbuildError('TSB_EXEC_EXIT', 'exit code: 1', { outputTail: 'only this\n' }),
  push: new TsbuildError('TSB_AUTH_DENIED', 'registry.example.com refused to push app: 403 denied', {
    hint: 'Log in: tsbuild login registry.example.com',
    cause: new Error('PUT https://me:hunter2@registry.example.com/v2/app/blobs?token=abc failed', {
      cause: new AggregateError([new Error('connect ECONNREFUSED 127.0.0.1:5000')]),
    }),
  }),
  hostile: new TsbuildError('TSB_REGISTRY_HTTP', 'the registry said: \x1b]0;title\x07\x1b[2Jgone\r\nline'),
};

for (const [name, error] of Object.entries(cases)) {
  test(`error text: ${name}`, () => {
    const actual = renderError(error, plain);
    const file = new URL(`../../../test/cli/golden/error-${name}.txt`, import.meta.url);
    if (process.env['TSBUILD_GOLDEN'] === '1') writeFileSync(file, actual);
    assert.equal(actual, readFileSync(file, 'utf8'));
  });
}

test('output that the view has shown is not repeated', () => {
  assert.doesNotMatch(renderError(cases['failed-run'], { ...plain, outputShown: true }), /line 25/);
});

test('a cancelled build says what cancelled it', () => {
  const error = new TsbuildError('TSB_CANCELLED_ABORTED', 'cancelled', {
    cause: new TsbuildError('TSB_CANCELLED_SIGNAL', 'cancelled by SIGINT'),
  });
  assert.equal(renderError(error, plain), 'ERROR: cancelled by SIGINT\n  code: TSB_CANCELLED_SIGNAL\n');
});

test('stacks only when asked for', () => {
  assert.doesNotMatch(renderError(cases['push'], plain), /at .*render-error/);
  assert.match(renderError(cases['push'], { ...plain, debug: true }), /at .*render-error/);
});

test('what is no TsbuildError is a bug: stack, causes, a request to report', () => {
  const out = renderError(new TypeError('x is undefined', { cause: new Error('inner') }), plain);
  assert.match(out, /^BUG: /);
  assert.match(out, /TypeError: x is undefined\n\s+at /);
  assert.match(out, /cause: inner/);
  assert.match(out, /report/);
  assert.match(renderError('text', plain), /thrown: text/);
});

test('colours only where asked for', () => {
  assert.doesNotMatch(renderError(cases['push'], plain), /\x1b/);
  assert.match(renderError(cases['push'], { ...plain, color: true }), /^\x1b\[1;31mERROR\x1b\[0m: /);
});

test('credentials are taken out', () => {
  const table: [string, string][] = [
    ['https://user:pass@host/x', 'https://***@host/x'],
    ['git+https://ghp_abcdefghijklmnopqrst:x-oauth@github.com', 'git+https://***@github.com'],
    ['https://0123456789abcdef0123@host/x', 'https://***@host/x'],
    ['ssh://git@github.com/x', 'ssh://git@github.com/x'],
    ['Authorization: Bearer abc.def', 'Authorization: ***'],
    ['authorization=Basic dXNlcjpwYXNz', 'authorization=***'],
    ['sent Bearer abcdefghijklmnopqrstuvwxyz', 'sent Bearer ***'],
    ['https://h/x?token=abc&n=1', 'https://h/x?token=***&n=1'],
    ['https://h/x?a=1&X-Amz-Signature=00ff', 'https://h/x?a=1&X-Amz-Signature=***'],
    ['jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl end', 'jwt *** end'],
    ['ghp_abcdefghijklmnopqrstuvwxyz0123456789', '***'],
    ['docker.io/library/app:latest@sha256:00', 'docker.io/library/app:latest@sha256:00'],
    ['basic usage: tsbuild build .', 'basic usage: tsbuild build .'],
    ['http://localhost:5000/v2/', 'http://localhost:5000/v2/'],
    ['http://[::1]:5000/a@b', 'http://[::1]:5000/a@b'],
  ];
  for (const [input, expected] of table) assert.equal(redact(input), expected);
});
