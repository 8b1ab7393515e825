/** Errors cross from the engine with all their facts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TsbuildError } from '@tsbuild/core';
import { deserializeError, type SerialError, serializeError } from '../../src/engine/protocol.js';

const cross = (error: unknown): Error =>
  deserializeError(structuredClone(serializeError(error)) as SerialError);

test('a TsbuildError keeps code, facts, stack and causes', () => {
  const cause = Object.assign(new RangeError('inner', { cause: new Error('innermost') }), { code: 'X' });
  const error = new TsbuildError('TSB_EXEC_FAILED', 'it failed', {
    hint: 'try',
    stage: 'base',
    platform: 'linux/amd64',
    outputTail: 'last lines',
    retryable: true,
    commandExitCode: 7,
    source: {
      file: 'Dockerfile',
      text: 'RUN false\n',
      range: { startLine: 1, startColumn: 1, endLine: 1, endColumn: 9 },
    },
    cause,
  });
  const crossed = cross(error);
  assert.ok(crossed instanceof TsbuildError);
  assert.equal(crossed.code, 'TSB_EXEC_FAILED');
  assert.equal(crossed.message, 'it failed');
  for (const fact of [
    'hint',
    'stage',
    'platform',
    'outputTail',
    'retryable',
    'commandExitCode',
    'source',
  ] as const)
    assert.deepEqual(crossed[fact], error[fact], fact);
  assert.equal(crossed.stack, error.stack);
  const inner = crossed.cause as Error;
  assert.deepEqual([inner.name, inner.message], ['RangeError', 'inner']);
  assert.equal((inner.cause as Error).message, 'innermost');
});

test('a bug stays one', () => {
  const crossed = cross(new TypeError('x is not a function'));
  assert.ok(!(crossed instanceof TsbuildError));
  assert.deepEqual([crossed.name, crossed.message], ['TypeError', 'x is not a function']);
});

test('what is no error becomes one, and a cycle of causes ends', () => {
  assert.equal(cross('text').message, 'text');
  assert.equal(cross(undefined).message, 'undefined');
  const one = new Error('one');
  one.cause = new Error('two', { cause: one });
  let depth = 0;
  for (let at: unknown = cross(one); at instanceof Error; at = at.cause) depth += 1;
  assert.ok(depth > 2 && depth < 20);
});
