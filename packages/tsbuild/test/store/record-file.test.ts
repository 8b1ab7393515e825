import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { listRecords, readRecord, writeRecord } from '../../src/store/record-file.js';

const folder = mkdtempSync(join(tmpdir(), 'tsbuild-record-'));
after(() => rmSync(folder, { recursive: true }));
const never = (message: string) => assert.fail(message);

test('a record comes back as it was written, and its folder is made', () => {
  const path = join(folder, 'a/b/one');
  const value = { text: 'ü\n"', list: [1, null], nested: { x: true } };
  writeRecord(path, value);
  assert.deepEqual(readRecord(path, never), value);
  assert.deepEqual(readdirSync(join(folder, 'a/b')), ['one']);
});

test('what is not there is undefined and no damage', () => {
  assert.equal(readRecord(join(folder, 'missing'), never), undefined);
});

test('a record that was cut, changed or is empty is reported once, removed, and missing from then on', () => {
  const path = join(folder, 'damaged');
  writeRecord(path, { some: 'value' });
  const whole = readFileSync(path, 'utf8');
  const damages = [
    '',
    whole.slice(0, -3),
    whole.replace('value', 'valuE'),
    whole.replace(/^./, 'z'),
    '\0'.repeat(whole.length),
  ];
  for (const damage of damages) {
    writeFileSync(path, damage);
    const said: string[] = [];
    assert.equal(
      readRecord(path, (message) => said.push(message)),
      undefined,
    );
    assert.deepEqual(said, [`${path} is damaged`]);
    assert.equal(existsSync(path), false);
  }
});

test('listing names whole records only', () => {
  const own = join(folder, 'list');
  writeRecord(join(own, 'b'), 1);
  writeRecord(join(own, 'a'), 2);
  writeFileSync(join(own, 'a.0123.tmp'), 'left by a crash');
  assert.deepEqual(listRecords(own), [join(own, 'a'), join(own, 'b')]);
  assert.deepEqual(listRecords(join(folder, 'nowhere')), []);
});
