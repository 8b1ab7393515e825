/** TsbuildError: known across copies of the module, facts added once, exit statuses by family. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, exitCodeOf, TsbuildError } from '../src/errors.js';

test('instances of another copy of the module are instances', async () => {
  const url = new URL('../src/errors.js?copy', import.meta.url).href;
  const other = (await import(url)) as typeof import('../src/errors.js');
  assert.notEqual(other.TsbuildError, TsbuildError);
  const error = new other.TsbuildError('TSB_USAGE_OPTION', 'of the copy');
  assert.ok(error instanceof TsbuildError && error instanceof Error);
  assert.ok(TsbuildError.is(error));
});

test('other values are none', () => {
  for (const value of [undefined, null, 'x', 5, {}, new Error('x'), { code: 'TSB_USAGE_OPTION' }]) {
    assert.ok(!TsbuildError.is(value));
    assert.ok(!((value as object) instanceof TsbuildError));
  }
});

test('a class that extends it has instances of its own', () => {
  class Special extends TsbuildError {}
  const plain = new TsbuildError('TSB_USAGE_OPTION', 'x');
  const special = new Special('TSB_USAGE_OPTION', 'x');
  assert.ok(special instanceof TsbuildError && special instanceof Special);
  assert.ok(!(plain instanceof Special));
});

test('facts are added where there are none yet', () => {
  const cause = new Error('why');
  const error = new TsbuildError('TSB_EXEC_FAILED', 'x', { hint: 'first', cause }).with({
    hint: 'second',
    stage: 'base',
  });
  assert.equal(error.hint, 'first');
  assert.equal(error.stage, 'base');
  assert.equal(error.cause, cause);
  assert.equal(error.retryable, false);
});

const statuses: [ErrorCode, number][] = [
  ['TSB_USAGE_OPTION', 2],
  ['TSB_HOST_HELPER', 125],
  ['TSB_CANCELLED_ABORTED', 130],
  ['TSB_EXEC_FAILED', 1],
  ['TSB_STORE_OUTPUT', 1],
];
for (const [code, status] of statuses)
  test(`${code} exits with ${status}`, () => {
    assert.equal(exitCodeOf(new TsbuildError(code, 'x')), status);
  });

test('a bug exits with 1', () => assert.equal(exitCodeOf(new Error('x')), 1));
