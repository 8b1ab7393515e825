/** What a step finds in its environment, /etc/hosts and /etc/resolv.conf, and the wire form of a step. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildEnvironment, hostsFile, resolverFile } from '../../src/run/environment.js';
import { decodeRecords, encodeSpec, type SandboxSpec } from '../../src/run/spec.js';

const path: [string, string] = ['PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'];

describe('environment', () => {
  test('has PATH and HOME where nothing sets them', () => {
    assert.deepEqual(buildEnvironment({ env: [], proxyEnv: [] }, [], '/root'), [path, ['HOME', '/root']]);
    assert.deepEqual(
      buildEnvironment(
        {
          env: [
            ['HOME', '/h'],
            ['PATH', '/p'],
          ],
          proxyEnv: [],
        },
        [],
        '/root',
      ),
      [
        ['HOME', '/h'],
        ['PATH', '/p'],
      ],
    );
  });

  test('has proxies in both cases, without overriding what the image sets', () => {
    assert.deepEqual(
      buildEnvironment(
        {
          env: [['no_proxy', 'a']],
          proxyEnv: [
            ['HTTP_PROXY', 'p'],
            ['no_proxy', 'b'],
          ],
        },
        [],
        '/',
      ),
      [['no_proxy', 'a'], ['HTTP_PROXY', 'p'], ['http_proxy', 'p'], ['NO_PROXY', 'b'], path, ['HOME', '/']],
    );
  });

  test('has secrets, which win', () => {
    assert.deepEqual(buildEnvironment({ env: [['T', 'old']], proxyEnv: [] }, [['T', 'new']], '/'), [
      ['T', 'new'],
      path,
      ['HOME', '/'],
    ]);
  });
});

test("hosts file is docker's", () => {
  assert.equal(
    hostsFile('buildkitsandbox', [{ name: 'a.b', address: '1.2.3.4' }]),
    '127.0.0.1\tlocalhost buildkitsandbox\n::1\tlocalhost ip6-localhost ip6-loopback\n1.2.3.4\ta.b\n',
  );
});

describe('resolver file', () => {
  const files =
    (text: string, resolved = '') =>
    (path: string) =>
      path === '/etc/resolv.conf' ? text : resolved;
  const fallback =
    'nameserver 8.8.8.8\nnameserver 8.8.4.4\nnameserver 2001:4860:4860::8888\nnameserver 2001:4860:4860::8844\n';
  for (const [what, network, read, expected] of [
    ['is unchanged on the host network', 'host', files('nameserver 127.0.0.53\n'), 'nameserver 127.0.0.53\n'],
    [
      'loses loopback servers elsewhere',
      'none',
      files('search x\nnameserver 127.0.0.1\nnameserver 1.1.1.1\n'),
      'search x\nnameserver 1.1.1.1\n',
    ],
    [
      'comes from systemd-resolved behind its stub',
      'none',
      files('nameserver 127.0.0.53\n', 'nameserver 9.9.9.9\n'),
      'nameserver 9.9.9.9\n',
    ],
    ['falls back to public servers', 'none', files('search x\nnameserver ::1\n'), `search x\n${fallback}`],
  ] as const) {
    test(what, () => assert.equal(resolverFile(network, read), expected));
  }
});

describe('wire form', () => {
  const spec: SandboxSpec = {
    args: ['x'],
    env: [['A', 'é']],
    cwd: '/',
    uid: 0,
    gid: 0,
    groups: [5],
    hostname: 'h',
    root: { lower: ['/l'], upper: '/u', work: '/w' },
    network: 'none',
    mounts: [
      { type: 'bind', target: '/t', source: { fd: 17 }, readonly: true },
      { type: 'file', target: '/f', data: Buffer.from('a\0b'), mode: 0o755, uid: 1, gid: 2 },
    ],
  };
  const context = { parentPid: 9, userns: true, singleId: false };

  test('is key length, key, value length, value, NUL', () => {
    const { data } = encodeSpec(spec, context);
    assert.equal(data.subarray(0, 14).toString('hex'), '06706172656e74' + '01000000' + '39' + '00' + '06');
  });

  test('holds every member, and numbers descriptors from 5', () => {
    const { data, fds } = encodeSpec(spec, context);
    assert.deepEqual(fds, [17]);
    const records = decodeRecords(data);
    for (const expected of [
      ['userns', '1'],
      ['env', 'A=é'],
      ['private-network', '1'],
      ['root.lower', '/l'],
      ['mount.fd', '5'],
      ['mount.executable', '1'],
      ['mount.data', 'a\0b'],
    ]) {
      assert.ok(
        records.some((record) => record.join('=') === expected.join('=')),
        expected.join('='),
      );
    }
  });

  test('a truncated result is read up to its last whole record', () => {
    const { data } = encodeSpec(spec, context);
    for (let length = 0; length < data.length; length++) {
      assert.ok(decodeRecords(data.subarray(0, length)).length < decodeRecords(data).length);
    }
  });

  test('NUL characters and numbers out of range are refused', () => {
    assert.throws(() => encodeSpec({ ...spec, cwd: '/a\0b' }, context), /NUL/);
    assert.throws(() => encodeSpec({ ...spec, uid: -1 }, context), /-1/);
  });
});
