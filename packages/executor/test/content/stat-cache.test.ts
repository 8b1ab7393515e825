/** Which files of a context are read again, on a real file system. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import * as native from '@tsbuild/native';
import type { Stat } from '@tsbuild/native';
import { hashWithoutCache } from '../../src/content/digest.js';
import { isWholeStatCache, StatCache } from '../../src/content/stat-cache.js';
import { openContexts } from '../../src/context/contexts.js';
import { rawPath } from '../../src/rootfs/raw-path.js';

const signal = new AbortController().signal;
/** Longer than the clock's grain that the racy-clean rule allows for. Milliseconds. */
const settled = 60;

describe('the stat cache', () => {
  let work: string;
  let context: string;
  let caches: string;
  let warnings: string[];
  before(() => {
    work = fs.mkdtempSync(join(tmpdir(), 'tsbuild-stat-'));
  });
  after(() => fs.rmSync(work, { recursive: true }));
  beforeEach(() => {
    context = fs.mkdtempSync(join(work, 'context-'));
    caches = fs.mkdtempSync(join(work, 'caches-'));
    warnings = [];
  });

  const file = () => join(context, 'file');
  const onlyCache = () => join(caches, fs.readdirSync(caches)[0] ?? '');

  /** Asks for the file's digest as a build does, in a process of its own. @returns its data, and whether it was read */
  async function ask(change: Partial<Stat> = {}): Promise<{ digest: string; read: boolean }> {
    const cache = await StatCache.open(caches, context, (message) => warnings.push(message));
    const root = native.openat2(native.AT_FDCWD, context, native.constants.O_RDONLY, 0, 0);
    let read = false;
    const hash = hashWithoutCache({ root, crossMounts: false }, signal);
    const cached = cache.around((files) => {
      read = true;
      return hash(files);
    });
    try {
      const stat = { ...native.stat(root, 'file'), ...change };
      const [digest] = await cached([{ path: rawPath('file'), stat }]);
      await cache.save();
      return { digest: (digest as Buffer).toString('hex'), read };
    } finally {
      native.close(root);
    }
  }

  const times = () => {
    const { atimeMs, mtimeMs } = fs.statSync(file());
    return [atimeMs / 1000, mtimeMs / 1000] as const;
  };

  test('a file that did not change is read once', async () => {
    fs.writeFileSync(file(), 'data');
    await sleep(settled);
    const first = await ask();
    assert.deepEqual([first.read, (await ask()).read, (await ask()).read], [true, false, false]);
    assert.equal((await ask()).digest, first.digest);
  });

  test('a file that was written just before it was read is read again, until it is older than the clock can tell apart', async () => {
    fs.writeFileSync(file(), 'data');
    assert.equal((await ask()).read, true);
    const again = await ask();
    if (Date.now() - fs.statSync(file()).ctimeMs < 20) assert.equal(again.read, true);
    await sleep(settled);
    await ask();
    assert.equal((await ask()).read, false);
  });

  const changes: [string, () => void][] = [
    [
      'written again, with its size and times put back',
      () => {
        const before = times();
        fs.writeFileSync(file(), 'DATA');
        fs.utimesSync(file(), ...before);
      },
    ],
    [
      'one byte changed in place, with its times put back',
      () => {
        const before = times();
        const fd = fs.openSync(file(), 'r+');
        fs.writeSync(fd, 'D', 0);
        fs.futimesSync(fd, ...before);
        fs.closeSync(fd);
      },
    ],
    [
      'replaced by another of the same size and times',
      () => {
        const before = times();
        fs.writeFileSync(`${file()}.new`, 'DATA');
        fs.utimesSync(`${file()}.new`, ...before);
        fs.renameSync(`${file()}.new`, file());
      },
    ],
    [
      'swapped with a file that was there all the time',
      () => {
        fs.renameSync(file(), `${file()}.old`);
        fs.renameSync(`${file()}.twin`, file());
      },
    ],
  ];
  for (const [title, change] of changes) {
    test(`a file ${title} is noticed`, async () => {
      fs.writeFileSync(file(), 'data');
      fs.writeFileSync(`${file()}.twin`, 'twin');
      fs.utimesSync(file(), 1_000_000_000, 1_000_000_000.123);
      fs.utimesSync(`${file()}.twin`, 1_000_000_000, 1_000_000_000.123);
      await sleep(settled);
      const first = await ask();
      assert.equal((await ask()).read, false);
      const [, before] = times();
      change();
      assert.equal(times()[1], before);
      const after = await ask();
      assert.equal(after.read, true);
      assert.notEqual(after.digest, first.digest);
    });
  }

  test('a new mode or name elsewhere costs a reading and changes nothing', async () => {
    fs.writeFileSync(file(), 'data');
    await sleep(settled);
    const first = await ask();
    fs.chmodSync(file(), 0o600);
    fs.linkSync(file(), `${file()}.twin`);
    assert.deepEqual(await ask(), { digest: first.digest, read: true });
  });

  test('where times are whole seconds, two of them have to pass; a time to come is never trusted', async () => {
    fs.writeFileSync(file(), 'data');
    const second = 1_000_000_000n;
    const cases: [string, bigint, boolean][] = [
      ['the second before', -second, true],
      ['four seconds ago', -4n * second, false],
      ['to come', 3600n * second, true],
    ];
    for (const [title, distance, again] of cases) {
      const time = BigInt(Math.floor(Date.now() / 1000)) * second + distance;
      const stat = { mtimeNs: time, ctimeNs: time };
      await ask(stat);
      // On a machine that was too slow for it, the second before is long enough ago.
      const isLate = distance === -second && Date.now() - Number(time / 1_000_000n) > 1900;
      if (!isLate) assert.equal((await ask(stat)).read, again, title);
    }
  });

  for (const [title, damage] of [
    ['cut short', (path: string) => fs.truncateSync(path, 20)],
    ['emptied', (path: string) => fs.truncateSync(path, 0)],
    [
      'changed',
      (path: string) => {
        const content = fs.readFileSync(path);
        content[30] = (content[30] ?? 0) ^ 1;
        fs.writeFileSync(path, content);
      },
    ],
    [
      'replaced by a folder',
      (path: string) => {
        fs.rmSync(path);
        fs.mkdirSync(path);
      },
    ],
  ] as const) {
    test(`a cache that is ${title} is a miss with a warning`, async () => {
      fs.writeFileSync(file(), 'data');
      await sleep(settled);
      const first = await ask();
      assert.ok(isWholeStatCache(fs.readFileSync(onlyCache())));
      damage(onlyCache());
      assert.deepEqual(await ask(), first);
      assert.match(warnings[0] ?? '', /the files of the context are read again$/);
    });
  }

  test('without it every file is read each time, and nothing is kept', async () => {
    fs.writeFileSync(file(), 'data');
    await sleep(settled);
    for (const noStatCache of [true, false]) {
      const contexts = openContexts(new Map([['context', { path: context }]]), {
        cacheFolder: caches,
        noStatCache,
        warn: assert.fail,
      });
      const hasher = await contexts.hasher('context', signal);
      const stat = native.stat(native.AT_FDCWD, file());
      await hasher([{ path: rawPath('file'), stat }]);
      await contexts.close();
      assert.equal(fs.existsSync(join(caches, 'stat')), !noStatCache);
    }
  });
});
