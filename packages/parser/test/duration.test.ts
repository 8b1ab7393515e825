import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration, parseDuration } from '@tsbuild/parser';

test('durations are read and printed as Go does', () => {
  const table: [text: string, nanoseconds: number, printed: string][] = [
    ['0', 0, '0s'],
    ['30s', 30e9, '30s'],
    ['90s', 90e9, '1m30s'],
    ['1h', 3600e9, '1h0m0s'],
    ['1h2m3.5s', 3723.5e9, '1h2m3.5s'],
    ['1.5s', 1.5e9, '1.5s'],
    ['250ms', 250e6, '250ms'],
    ['1500us', 1.5e6, '1.5ms'],
    ['2µs', 2000, '2µs'],
    ['7ns', 7, '7ns'],
    ['-1m', -60e9, '-1m0s'],
    ['.5m', 30e9, '30s'],
  ];
  for (const [text, nanoseconds, printed] of table) {
    assert.equal(parseDuration(text), nanoseconds, text);
    assert.equal(formatDuration(nanoseconds), printed, text);
  }
  for (const text of ['', 'x', '1', '1d', '1s2', '-', '.s', '9999999999h']) {
    assert.throws(() => parseDuration(text), { code: 'TSB_PARSE_DURATION' }, text);
  }
});
