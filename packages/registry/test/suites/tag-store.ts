/** What every tag store does; run over each implementation. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mediaTypes, sha256, type Descriptor } from '@tsbuild/core';
import type { TagStore } from '../../src/api.js';

export function tagStoreSuite(
  name: string,
  open: () => Promise<{ tags: TagStore; close(): Promise<void> }>,
): void {
  const descriptor = (text: string): Descriptor => ({
    mediaType: mediaTypes.ociManifest,
    digest: sha256(text),
    size: text.length,
  });

  describe(name, () => {
    test('names point at descriptors, in any form of the name', async () => {
      const { tags, close } = await open();
      try {
        assert.equal(await tags.get('app'), undefined);
        assert.deepEqual(await tags.list(), []);
        const annotated = { ...descriptor('one'), annotations: { 'org.example': 'kept' } };
        await tags.set('app', annotated);
        await tags.set('ghcr.io/team/app:2', descriptor('two'));
        await tags.set('docker.io/library/app:latest', annotated);
        assert.deepEqual(await tags.get('docker.io/library/app:latest'), annotated);
        assert.deepEqual(await tags.list(), [
          { name: 'docker.io/library/app:latest', descriptor: annotated },
          { name: 'ghcr.io/team/app:2', descriptor: descriptor('two') },
        ]);
        await tags.set('app', descriptor('three'));
        assert.deepEqual(await tags.get('app:latest'), descriptor('three'));
        assert.equal(await tags.delete('app'), true);
        assert.equal(await tags.delete('app'), false);
        assert.deepEqual(
          (await tags.list()).map((tag) => tag.name),
          ['ghcr.io/team/app:2'],
        );
      } finally {
        await close();
      }
    });

    test('many changes at once are all kept', async () => {
      const { tags, close } = await open();
      try {
        await Promise.all(Array.from({ length: 30 }, (_, n) => tags.set(`app:${n}`, descriptor(String(n)))));
        assert.equal((await tags.list()).length, 30);
      } finally {
        await close();
      }
    });
  });
}
