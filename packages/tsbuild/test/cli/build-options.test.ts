import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatPlatform, hostPlatform } from '@tsbuild/core';
import {
  buildOptions,
  parseHost,
  parseSecret,
  parseSsh,
  parseUlimit,
  proxyArgs,
} from '../../src/cli/build-options.js';
import { csvFields } from '../../src/cli/csv.js';
import { commandNamed } from '../../src/cli/dispatch.js';
import { parseOutput } from '../../src/cli/output-spec.js';
import { parseArgs } from '../../src/cli/parse.js';
import { familiarName, parseDuration, parsePlatforms, parseSize, splitName } from '../../src/cli/values.js';

const options = (words: string[], env: NodeJS.ProcessEnv = {}) => {
  const around = { HOME: '/nonexistent', ...env };
  return buildOptions(parseArgs(commandNamed('build'), [...words, '.'], around), {
    env: around,
    stdoutIsTTY: true,
  });
};

test('flags become options of the library', () => {
  const table: [string[], object][] = [
    [[], { buildArgs: {} }],
    [['-t', 'a', '-t', 'b:1'], { buildArgs: {}, tags: ['a', 'b:1'] }],
    [['--target', 'x', '--pull', '--push'], { buildArgs: {}, target: 'x', pull: true, push: true }],
    [['--build-arg', 'A=1=2', '--build-arg', 'B', '--build-arg', 'C'], { buildArgs: { A: '1=2', B: 'env' } }],
    [['--no-cache', '--no-cache-filter', 'x'], { buildArgs: {}, noCache: true }],
    [['--no-cache-filter', 'x,y'], { buildArgs: {}, noCache: ['x', 'y'] }],
    [['--label', 'a=b', '--label', 'c'], { buildArgs: {}, labels: { a: 'b', c: '' } }],
    [['--annotation', 'index:a=b=c'], { buildArgs: {}, annotations: { 'index:a': 'b=c' } }],
    [
      ['--platform', 'local,linux/aarch64'],
      { buildArgs: {}, platforms: [formatPlatform(hostPlatform()), 'linux/arm64'] },
    ],
    [
      ['--shm-size', '64m', '--cgroup-parent', '/x'],
      { buildArgs: {}, shmSize: 64 * 2 ** 20, cgroupParent: '/x' },
    ],
    [
      ['--network', 'none', '--allow', 'network.host'],
      { buildArgs: {}, network: 'none', allow: ['network.host'] },
    ],
    [
      ['--root', '/s', '--insecure-registry', 'r:1,r:2'],
      { buildArgs: {}, root: '/s', insecureRegistries: ['r:1', 'r:2'] },
    ],
    [
      ['--build-context', 'a=b=c', '--snapshotter', 'copy'],
      { buildArgs: {}, buildContexts: { a: 'b=c' }, snapshotter: 'copy' },
    ],
    [
      ['-o', 'out', '--provenance=false', '--sbom', 'false'],
      { buildArgs: {}, outputs: [{ type: 'local', dest: 'out' }] },
    ],
  ];
  for (const [words, expected] of table)
    assert.deepEqual(options(words, { B: 'env' }), expected, words.join(' '));
});

test('attestations are refused, not forgotten', () => {
  for (const words of [
    ['--provenance=true'],
    ['--sbom', 'true'],
    ['--attest', 'type=sbom'],
    ['--provenance', 'mode=max'],
  ]) {
    assert.throws(() => options(words), { code: 'TSB_USAGE_NO_ATTESTATIONS' }, words.join(' '));
  }
  options(['--attest', 'type=provenance,disabled=true']);
});

test('outputs', () => {
  const table: [string, object][] = [
    ['out', { type: 'local', dest: 'out' }],
    ['type=local,dest=out', { type: 'local', dest: 'out' }],
    ['type=tar,dest=x.tar', { type: 'tar', dest: 'x.tar' }],
    ['type=tar', { type: 'tar', dest: '-' }],
    ['-', { type: 'tar', dest: '-' }],
    ['type=oci,dest=-', { type: 'oci', dest: '-' }],
    ['type=oci,dest=d,tar=false', { type: 'oci', dest: 'd', tar: false }],
    ['type=docker,dest=x,name=a:1', { type: 'docker', dest: 'x', names: ['a:1'] }],
    ['"type=docker","dest=a,b"', { type: 'docker', dest: 'a,b' }],
    ['type=image,"name=a,b",push=true', { type: 'store', push: true, names: ['a', 'b'] }],
    [
      'type=registry,compression=zstd,compression-level=9,force-compression=true,oci-mediatypes=true',
      {
        type: 'registry',
        compression: 'zstd',
        compressionLevel: 9,
        forceCompression: true,
        ociMediatypes: true,
      },
    ],
    ['type=image,annotation.a.b=c', { type: 'store', annotations: { 'a.b': 'c' } }],
    ['type=cacheonly', { type: 'cacheonly' }],
    ['type=oci,dest=x,rewrite-timestamp=true', { type: 'oci', dest: 'x', rewriteTimestamp: true }],
  ];
  for (const [text, expected] of table) {
    assert.deepEqual(parseOutput(text, { isTTY: false }), expected, text);
  }
});

test('wrong outputs say what is wrong', () => {
  const table: [string, string, RegExp][] = [
    ['type=lcoal,dest=x', 'TSB_USAGE_BAD_OUTPUT', /did you mean local\?/],
    ['dest=x', 'TSB_USAGE_BAD_OUTPUT', /type= is missing/],
    ['type=local', 'TSB_USAGE_BAD_OUTPUT', /dest= is missing/],
    ['type=oci,dset=x', 'TSB_USAGE_BAD_OUTPUT', /did you mean dest\?/],
    ['type=oci,dest=x,compression=lzma', 'TSB_USAGE_BAD_OUTPUT', /unknown compression "lzma"/],
    ['type=oci,tar=false', 'TSB_USAGE_BAD_OUTPUT', /dest= is missing/],
    ['type=tar', 'TSB_USAGE_OUTPUT_TO_TERMINAL', /terminal/],
    ['-', 'TSB_USAGE_OUTPUT_TO_TERMINAL', /terminal/],
    ['"type=tar', 'TSB_USAGE_BAD_VALUE', /a quote is not closed/],
  ];
  for (const [text, code, message] of table)
    assert.throws(() => parseOutput(text, { isTTY: true }), { code, message }, text);
  assert.throws(() => options(['-o', 'type=oci,dest=-']), { code: 'TSB_USAGE_OUTPUT_TO_TERMINAL' });
});

test('csv fields follow the quoting of Go', () => {
  assert.deepEqual(csvFields('x', 'a,"b,""c""",d'), ['a', 'b,"c"', 'd']);
  assert.deepEqual(csvFields('x', ''), ['']);
  assert.deepEqual(csvFields('x', 'a,'), ['a', '']);
});

test('secrets', () => {
  assert.deepEqual(parseSecret('id=a,src=f'), { id: 'a', src: 'f' });
  assert.deepEqual(parseSecret('id=a,source=f,type=file'), { id: 'a', src: 'f' });
  assert.deepEqual(parseSecret('id=a,env=E'), { id: 'a', env: 'E' });
  assert.deepEqual(parseSecret('id=a,type=env'), { id: 'a', env: 'a' });
  assert.deepEqual(parseSecret('type=env,id=a,src=E'), { id: 'a', env: 'E' });
  assert.deepEqual(parseSecret('id=a'), { id: 'a' });
  assert.throws(() => parseSecret('src=f'), { message: /id= is missing/ });
  assert.throws(() => parseSecret('id=a,value=x'), { message: /unknown field "value"/ });
});

test("ssh takes an agent's socket, or keys", async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsbuild-ssh-'));
  const server = createServer();
  try {
    const socket = join(folder, 'agent');
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    assert.deepEqual(parseSsh('default'), { id: 'default' });
    assert.deepEqual(parseSsh(`x=${socket}`), { id: 'x', socket });
    assert.deepEqual(parseSsh('x=one'), { id: 'x', keys: ['one'] });
    assert.deepEqual(parseSsh('x=one,two'), { id: 'x', keys: ['one', 'two'] });
    assert.throws(() => parseSsh(`x=one,${socket}`), { code: 'TSB_USAGE_SSH_KEY' });
  } finally {
    server.close();
    rmSync(folder, { recursive: true });
  }
});

test('hosts, ulimits, sizes, durations, platforms, names', () => {
  assert.deepEqual(parseHost('db:10.0.0.5'), { name: 'db', address: '10.0.0.5' });
  assert.deepEqual(parseHost('db=::1'), { name: 'db', address: '::1' });
  assert.deepEqual(parseHost('db:[fe80::1]'), { name: 'db', address: 'fe80::1' });
  assert.throws(() => parseHost('db'), { code: 'TSB_USAGE_BAD_VALUE' });
  assert.deepEqual(parseUlimit('nofile=1024:4096'), { name: 'nofile', soft: 1024, hard: 4096 });
  assert.deepEqual(parseUlimit('core=unlimited'), { name: 'core', soft: -1, hard: -1 });
  assert.throws(() => parseUlimit('nofile'), { code: 'TSB_USAGE_BAD_VALUE' });
  assert.deepEqual(
    ['64m', '1.5k', '10GB', '7', '2GiB'].map((text) => parseSize('x', text)),
    [64 * 2 ** 20, 1536, 10 * 2 ** 30, 7, 2 * 2 ** 30],
  );
  assert.throws(() => parseSize('x', '1x'), { code: 'TSB_USAGE_BAD_VALUE' });
  assert.deepEqual(
    ['24h', '1h30m', '7d', '500ms'].map((text) => parseDuration('x', text)),
    [86_400_000, 5_400_000, 604_800_000, 500],
  );
  assert.throws(() => parseDuration('x', '24'), { code: 'TSB_USAGE_BAD_VALUE' });
  assert.deepEqual(parsePlatforms(['linux/amd64', 'linux/x86_64', 'arm64']), ['linux/amd64', 'linux/arm64']);
  assert.deepEqual(
    ['docker.io/library/a:1', 'docker.io/b/a:1', 'r:5000/a:1', 'docker.io/a'].map(familiarName),
    ['a:1', 'b/a:1', 'r:5000/a:1', 'a'],
  );
  assert.deepEqual(splitName('r:5000/a:1'), { repository: 'r:5000/a', tag: '1' });
  assert.deepEqual(splitName('r:5000/a'), { repository: 'r:5000/a', tag: '' });
});

test('proxies of the docker config become build arguments, flags win', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsbuild-proxy-'));
  try {
    writeFileSync(
      join(folder, 'config.json'),
      JSON.stringify({ proxies: { default: { httpProxy: 'http://p:1', noProxy: 'x' } } }),
    );
    const env = { DOCKER_CONFIG: folder };
    const expected = { HTTP_PROXY: 'http://p:1', http_proxy: 'http://p:1', NO_PROXY: 'x', no_proxy: 'x' };
    assert.deepEqual(proxyArgs(env), expected);
    assert.deepEqual(options(['--build-arg', 'HTTP_PROXY=other'], env).buildArgs, {
      ...expected,
      HTTP_PROXY: 'other',
    });
    writeFileSync(join(folder, 'config.json'), '{');
    assert.deepEqual(proxyArgs(env), {});
  } finally {
    rmSync(folder, { recursive: true });
  }
});
