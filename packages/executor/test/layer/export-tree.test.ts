import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import * as native from '@tsbuild/native';
import { exportTree } from '../../src/layer/index.js';
import { tarType } from '../../src/layer/tar-header.js';
import { describe, isRoot } from '../snapshot/trees.js';
import { drivers, never, newStore, tarOf } from './tars.js';

for (const driver of Object.keys(drivers) as (keyof typeof drivers)[]) {
  test(`a root file system is written into a folder, over what is there: ${driver}`, {
    skip: isRoot ? false : 'needs root',
  }, async () => {
    const store = newStore(driver);
    try {
      const layers = [
        tarOf([
          { name: 'a', data: Buffer.from('data'), mode: 0o4755, uid: 7 },
          ['gone'],
          ['d/x', 'x'],
          { type: tarType.hardLink, name: 'd/hard', linkname: Buffer.from('a') },
          { type: tarType.symlink, name: 'l', linkname: Buffer.from('/nowhere') },
        ]),
        tarOf([['.wh.gone']]),
      ];
      const destination = `${store.root}/out/deep`;
      mkdirSync(`${destination}/d`, { recursive: true });
      mkdirSync(`${store.root}/host`);
      writeFileSync(`${store.root}/host/a`, 'host');
      writeFileSync(`${destination}/kept`, 'kept');
      symlinkSync(`${store.root}/host/a`, `${destination}/a`);
      symlinkSync(`${store.root}/host`, `${destination}/l`);
      await exportTree(store.snapshotter, await store.chain(...layers), destination, never);
      assert.deepEqual(readdirSync(destination).sort(), ['a', 'd', 'kept', 'l']);
      assert.equal(readFileSync(`${store.root}/host/a`, 'utf8'), 'host');
      const fd = native.openat2(native.AT_FDCWD, destination, native.constants.O_RDONLY, 0, 0);
      const [a, , hard] = await describe(fd);
      assert.match(a as string, /^a file 4755 0:0 4 3a6eb0790f39ac87 1600000000000000000$/);
      assert.match(hard as string, /^d\/hard .* = a$/);
      native.close(fd);
      assert.deepEqual(
        readdirSync(`${store.root}/tmp/lease`).filter((name) => name !== 'empty'),
        [],
      );
    } finally {
      await store.remove();
    }
  });
}
