/**
 * A reporter for node:test: a line for each outermost test, every failure in full where it happens, and the
 * failures once more for whoever reads only the end of the log (npm test prints that file last).
 *
 * @see https://nodejs.org/api/test.html#custom-reporters
 */
import { appendFileSync } from 'node:fs';
import { inspect } from 'node:util';

/** Lines of one failure that are kept: an assertion of two big objects must not push the others out of the log. */
const LINES_OF_A_FAILURE = 40;

const failuresFile = process.env.TSBUILD_TEST_FAILURES;

export default async function* report(events) {
  const path = [];
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for await (const { type, data } of events) {
    if (type === 'test:start') path[data.nesting] = data.name;
    else if (type === 'test:stdout' || type === 'test:stderr') yield data.message;
    else if (type === 'test:pass') {
      const skipped = data.skip !== undefined;
      counts[skipped ? 'skipped' : 'passed'] += 1;
      if (skipped) yield `- ${fullName(path, data)}: skipped${reason(data.skip)}\n`;
      else if (data.nesting === 0) yield `✓ ${data.name} (${Math.round(data.details.duration_ms)} ms)\n`;
    } else if (type === 'test:fail' && data.todo === undefined) {
      if (data.details.error?.failureType === 'subtestsFailed') continue;
      counts.failed += 1;
      const text = failure(path, data);
      if (failuresFile) appendFileSync(failuresFile, text);
      yield text;
    }
  }
  yield `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`;
}

function fullName(path, data) {
  return [...path.slice(0, data.nesting), data.name].join(' › ');
}

function reason(skip) {
  return typeof skip === 'string' && skip !== '' ? `: ${skip}` : '';
}

function failure(path, data) {
  const place = data.file === undefined ? '' : ` (${data.file}:${data.line ?? '?'})`;
  const error = data.details.error?.cause ?? data.details.error;
  const lines = (error?.stack === undefined ? inspect(error) : describe(error)).split('\n');
  const kept = lines.slice(0, LINES_OF_A_FAILURE);
  if (lines.length > kept.length) kept.push(`… ${lines.length - kept.length} more lines`);
  return `✗ ${fullName(path, data)}${place}\n${kept.map((line) => `    ${line}`).join('\n')}\n`;
}

/** Message first, always: the stack of an error that came over from the test's process does not hold it. */
function describe(error) {
  return error.stack.includes(error.message) ? error.stack : `${error.message}\n${error.stack}`;
}
