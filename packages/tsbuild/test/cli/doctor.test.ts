import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Finding, findings } from '../../src/cli/doctor-checks.js';
import {
  type Facts,
  cgroupFacts,
  firstFreeId,
  parseIdRanges,
  parseMounts,
  storeFacts,
} from '../../src/cli/doctor-facts.js';
import { render } from '../../src/cli/commands/doctor.js';

const good: Facts = {
  user: 'ann',
  uid: 1000,
  node: '22.1.0',
  kernel: '6.8.0-31-generic',
  programs: {
    newuidmap: '/usr/bin/newuidmap',
    newgidmap: '/usr/bin/newgidmap',
    git: '/usr/bin/git',
  },
  mapPrograms: 'ok',
  subuid: [{ start: 100000, count: 65536 }],
  subgid: [{ start: 100000, count: 65536 }],
  freeIds: 165536,
  maxUserNamespaces: 96364,
  unprivilegedUsernsClone: undefined,
  apparmorRestrictsUserns: undefined,
  inContainer: false,
  seccompMode: '0',
  seccompActions: 'kill_process errno allow',
  cgroup: { version: 2, controllers: ['cpu', 'memory', 'pids'], delegated: true },
  store: {
    path: '/home/ann/.local/share/tsbuild',
    existing: '/home/ann',
    filesystem: 'ext4',
    writable: true,
  },
  probe: { userns: 'yes', overlay: 'Operation not permitted', 'overlay.userns': 'yes' },
};

const find = (facts: Partial<Facts>, name: RegExp): Finding => {
  const finding = findings({ ...good, ...facts }).find((item) => name.test(item.name));
  assert.ok(finding, String(name));
  return finding;
};

test('a machine that has everything', () => {
  assert.deepEqual(
    findings(good).filter((item) => item.state !== 'ok'),
    [],
  );
  assert.match(render(findings(good), false), /\nBuilds can run here; nothing is missing\.\n$/);
});

test('what is missing is told with its cost and the exact cure', () => {
  const table: [Partial<Facts>, RegExp, Finding['state'], RegExp][] = [
    [{ node: '20.18.0' }, /^node$/, 'broken', /newer Node/],
    [{ probe: undefined }, /^native/, 'broken', /npm rebuild @tsbuild\/native/],
    [{ maxUserNamespaces: 0 }, /^user namesp/, 'broken', /sysctl -w user\.max_user_namespaces=28633/],
    [
      { unprivilegedUsernsClone: '0' },
      /^user namesp/,
      'broken',
      /sysctl -w kernel\.unprivileged_userns_clone=1/,
    ],
    [
      { apparmorRestrictsUserns: '1', probe: { userns: 'EPERM' } },
      /^user namesp/,
      'broken',
      /kernel\.apparmor_restrict_unprivileged_userns=0/,
    ],
    [
      { inContainer: true, probe: { userns: 'EPERM' } },
      /^user namesp/,
      'broken',
      /--security-opt seccomp=unconfined/,
    ],
    [
      { subuid: [] },
      /^subuid/,
      'missing',
      /usermod --add-subuids 165536-231071 --add-subgids 165536-231071 ann/,
    ],
    [{ mapPrograms: 'missing' }, /^newuidmap/, 'missing', /apt-get install uidmap/],
    [
      { mapPrograms: 'powerless' },
      /^newuidmap/,
      'missing',
      /chmod u\+s \/usr\/bin\/newuidmap \/usr\/bin\/newgidmap/,
    ],
    [{ kernel: '5.15.0' }, /^kernel/, 'missing', /6\.5/],
    [{ kernel: '5.4.0' }, /^kernel/, 'broken', /5\.6/],
    [{ store: { ...good.store, filesystem: 'overlay' } }, /^store/, 'missing', /docker run -v tsbuild:/],
    [{ store: { ...good.store, writable: false } }, /^store/, 'broken', /--root DIR/],
    [
      { probe: { userns: 'yes', 'overlay.userns': 'EPERM' } },
      /^overlayfs \(in/,
      'missing',
      /modprobe overlay/,
    ],
    [{ seccompActions: undefined }, /^seccomp/, 'missing', /CONFIG_SECCOMP_FILTER/],
    [
      { cgroup: { version: 2, controllers: [], delegated: false } },
      /^cgroups/,
      'missing',
      /systemd-run --user --scope -p Delegate=yes/,
    ],
    [{ cgroup: { version: 0, controllers: [], delegated: false } }, /^cgroups/, 'missing', /cgroup2/],
    [{ programs: {} }, /^git$/, 'missing', /apt-get install git/],
    [
      { cgroup: { version: 1, controllers: ['cpu'], delegated: false } },
      /^cgroups/,
      'missing',
      /unified_cgroup_hierarchy/,
    ],
    [{ uid: 0, probe: { cap_sys_admin: 'no', userns: 'EPERM' } }, /^root$/, 'broken', /--cap-add SYS_ADMIN/],
  ];
  for (const [facts, name, state, cure] of table) {
    const finding = find(facts, name);
    assert.equal(finding.state, state, `${JSON.stringify(facts)}`);
    assert.ok(finding.cost, finding.name);
    assert.match((finding.cure ?? []).join('\n'), cure);
  }
});

test('root needs no id ranges', () => {
  const names = findings({ ...good, uid: 0 }).map((item) => item.name);
  assert.ok(!names.some((name) => /subuid|newuidmap|user namespaces/.test(name)), names.join());
});

test('id ranges are found by name and by number', () => {
  const text = 'ann:100000:65536\n1000:300000:10\nbob:200000:65536\n';
  assert.deepEqual(parseIdRanges(text, 'ann', 1000), [
    { start: 100000, count: 65536 },
    { start: 300000, count: 10 },
  ]);
  assert.equal(firstFreeId(text), 300010);
  assert.equal(firstFreeId(''), 100000);
});

const mountinfo = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:25 / /home\\040dir rw - xfs /dev/sdb rw
31 22 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro
32 31 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 31 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
`;

test('mounts', () => {
  assert.deepEqual(parseMounts(mountinfo)[1], { point: '/home dir', type: 'xfs' });
  assert.equal(storeFacts('/nonexistent/a/b', mountinfo).filesystem, 'ext4');
  assert.deepEqual(storeFacts('/nonexistent/a/b', mountinfo).existing, '/');
  const cgroup = cgroupFacts(mountinfo, '');
  assert.deepEqual([cgroup.version, cgroup.controllers], [1, ['memory', 'cpu', 'cpuacct']]);
  assert.equal(cgroupFacts('', '').version, 0);
});
