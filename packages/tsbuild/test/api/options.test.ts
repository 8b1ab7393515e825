/** Wrong options are refused before anything starts, in words that name them. */
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import * as library from '../../src/index.js';

type Call = (options?: unknown) => Promise<unknown>;
const calls = library as unknown as Record<string, Call>;
const stream = new Writable();

const wrong: [call: string, given: unknown, message: string][] = [
  ['build', undefined, 'build(): the argument must be an object'],
  ['build', null, 'build(): the argument must be an object'],
  ['build', 'context', 'build(): the argument must be an object'],
  ['build', { tag: 'x' }, 'build() has no option "tag" (did you mean tags?)'],
  ['build', { tags: 'x' }, 'build(): tags must be a list of strings'],
  ['build', { tags: ['x', 1] }, 'build(): tags[1] must be a string'],
  ['build', { context: 5 }, 'build(): context must be a path or a Readable'],
  ['build', { context: new URL('file:///x') }, 'build(): context must be a path or a Readable'],
  ['build', { dockerfile: '' }, 'build(): dockerfile must be a path'],
  ['build', { dockerfile: 'a\0b' }, 'build(): dockerfile must be a path'],
  [
    'build',
    { dockerfile: 'a', dockerfileText: 'b' },
    'build(): dockerfile and dockerfileText exclude each other',
  ],
  ['build', { buildArgs: { A: 1 } }, 'build(): buildArgs.A must be a string'],
  ['build', { buildArgs: ['A=1'] }, 'build(): buildArgs must be an object with strings'],
  ['build', { noCache: 'yes' }, 'build(): noCache must be true, false or a list of stages'],
  ['build', { push: 'yes' }, 'build(): push must be true or false'],
  ['build', { network: 'bridge' }, "build(): network must be one of 'default', 'none', 'host'"],
  ['build', { shmSize: '64m' }, 'build(): shmSize must be a whole number, 0 or more'],
  ['build', { sourceDateEpoch: 1.5 }, 'build(): sourceDateEpoch must be a whole number, 0 or more'],
  ['build', { secrets: [{ value: 'x' }] }, 'build(): secrets[0].id must be a string'],
  ['build', { secrets: [{ id: 'x', file: 'y' }] }, 'build() has no option "secrets[0].file"'],
  ['build', { addHosts: [{ name: 'a' }] }, 'build(): addHosts[0].address must be a string'],
  [
    'build',
    { ulimits: [{ name: 'a', soft: 1, hard: -2 }] },
    'build(): ulimits[0].hard must be a whole number, or -1 for no limit',
  ],
  ['build', { signal: {} }, 'build(): signal must be an AbortSignal'],
  ['build', { onEvent: 'x' }, 'build(): onEvent must be a function'],
  [
    'build',
    { outputs: [{ type: 'oic', dest: 'x' }] },
    "build(): outputs[0].type must be one of 'store', 'registry', 'oci', 'docker', 'tar', 'local', 'cacheonly'",
  ],
  ['build', { outputs: ['oci'] }, 'build(): outputs[0] must be an object'],
  ['build', { outputs: [{ type: 'oci' }] }, 'build(): outputs[0].dest must be a path, - or a Writable'],
  [
    'build',
    { outputs: [{ type: 'oci', dst: 'x' }] },
    'build() has no option "outputs[0].dst" (did you mean dest?)',
  ],
  ['build', { outputs: [{ type: 'local', dest: stream }] }, 'build(): outputs[0].dest must be a path'],
  ['build', { outputs: [{ type: 'tar', dest: 'x', tar: true }] }, 'build() has no option "outputs[0].tar"'],
  [
    'build',
    {
      outputs: [
        { type: 'tar', dest: stream },
        { type: 'oci', dest: stream },
      ],
    },
    'build(): two outputs have the same stream',
  ],
  [
    'build',
    { outputs: [{ type: 'oci', dest: 'x', compression: 'xz' }] },
    "build(): outputs[0].compression must be one of 'uncompressed', 'gzip', 'zstd'",
  ],
  ['pull', {}, 'pull(): reference must be a string'],
  ['push', { reference: 'a', dest: 'b' }, 'push() has no option "dest"'],
  ['tag', { source: 'a' }, 'tag(): name must be a string'],
  ['remove', { references: 'a' }, 'remove(): references must be a list of strings'],
  ['importImage', {}, 'importImage(): source must be a path or a Readable'],
  ['load', { source: 1 }, 'load(): source must be a path or a Readable'],
  ['save', { references: [], dest: 'x' }, 'save(): references must be a list of names'],
  ['inspect', {}, 'inspect(): reference must be a string'],
  ['history', { ref: 'a' }, 'history() has no option "ref"'],
  ['run', { reference: 'a', command: 'ls' }, 'run(): command must be a list of strings'],
  ['run', { reference: 'a', volumes: ['a:b'] }, 'run(): volumes[0] must be an object'],
  ['prune', { keepBytes: -1 }, 'prune(): keepBytes must be a whole number, 0 or more'],
  ['images', { rot: 'x' }, 'images() has no option "rot" (did you mean root?)'],
  ['diskUsage', { root: 5 }, 'diskUsage(): root must be a path'],
  ['login', { registry: 'a', username: 'b' }, 'login(): password must be a string'],
  ['logout', {}, 'logout(): registry must be a string'],
];

for (const [name, given, message] of wrong)
  test(message, async () => {
    const running = calls[name]?.(given);
    assert.ok(running instanceof Promise, 'nothing is thrown at the call itself');
    await assert.rejects(running, (error) => {
      assert.ok(error instanceof library.TsbuildError);
      assert.equal(error.code, 'TSB_USAGE_OPTION');
      assert.equal(error.message, message);
      assert.ok(error.hint);
      return true;
    });
  });

test('no password is in a message', async () => {
  await assert.rejects(
    calls['login']?.({ registry: 'a', username: 'b', password: ['s3cret'] }) as Promise<void>,
    {
      message: 'login(): password must be a string',
    },
  );
});
