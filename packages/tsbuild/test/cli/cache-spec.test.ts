/** --cache-from and --cache-to: what is understood, and what is said of the rest. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPassedOver, parseCacheFrom, parseCacheTo } from '../../src/cli/cache-spec.js';

const sources: [text: string, source: unknown][] = [
  ['r.example/app:cache', { type: 'registry', ref: 'r.example/app:cache' }],
  ['type=registry,ref=r.example/app:cache', { type: 'registry', ref: 'r.example/app:cache' }],
  ['type=local,src=cache', { type: 'local', src: 'cache' }],
  ['type=local,src=cache,tag=main', { type: 'local', src: 'cache', tag: 'main' }],
  ['type=local,src=cache,digest=sha256:00', { type: 'local', src: 'cache', digest: 'sha256:00' }],
  ['type=gha,scope=main', undefined],
];

for (const [text, source] of sources)
  test(`--cache-from ${text}`, () => assert.deepEqual(parseCacheFrom(text), source));

const targets: [text: string, target: unknown][] = [
  ['r.example/app:cache', { type: 'registry', ref: 'r.example/app:cache' }],
  ['type=inline', { type: 'inline' }],
  ['type=registry,ref=r/a,mode=max', { type: 'registry', ref: 'r/a', mode: 'max' }],
  ['type=local,dest=c,reset=true', { type: 'local', dest: 'c', reset: true }],
  [
    'type=registry,ref=r/a,compression=zstd,compression-level=3,force-compression=true,ignore-error=1,image-manifest=false,oci-mediatypes=true',
    {
      type: 'registry',
      ref: 'r/a',
      compression: 'zstd',
      compressionLevel: 3,
      forceCompression: true,
      ignoreError: true,
      imageManifest: false,
    },
  ],
  ['type=azblob,name=x', undefined],
];

for (const [text, target] of targets)
  test(`--cache-to ${text}`, () => assert.deepEqual(parseCacheTo(text), target));

const faults: [flag: 'from' | 'to', text: string, message: RegExp][] = [
  ['from', 'ref=r/a', /type= is missing/],
  ['from', 'type=registri,ref=r/a', /did you mean registry\?/],
  ['from', 'type=registry', /ref= is missing/],
  ['from', 'type=local,dest=c', /unknown attribute "dest"/],
  ['from', 'type=inline', /an inline cache is read from the image/],
  ['to', 'type=local,src=c', /unknown attribute "src"/],
  ['to', 'type=local', /dest= is missing/],
  ['to', 'type=registry,ref=r/a,mode=all', /unknown mode "all"/],
  ['to', 'type=registry,ref=r/a,compression=xz', /unknown compression "xz"/],
  ['to', 'type=registry,ref=r/a,compression-level=high', /compression-level is not a number/],
  ['to', 'type=registry,ref=r/a,ignore-error=maybe', /ignore-error is true or false/],
  ['to', 'type=inline,mode=max', /holds the steps of the image only/],
];

for (const [flag, text, message] of faults)
  test(`refused: --cache-${flag} ${text}`, () => {
    const parse = flag === 'from' ? parseCacheFrom : parseCacheTo;
    assert.throws(() => parse(text), { code: 'TSB_USAGE_BAD_CACHE', message });
  });

test('stores of CI systems are told apart from what is not known', () => {
  assert.equal(isPassedOver('cache-to', 'type=gha,mode=max'), true);
  assert.equal(isPassedOver('cache-from', 'r.example/gha'), false);
});
