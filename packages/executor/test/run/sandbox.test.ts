/** What a step sees and what it leaves, with a busybox root. Runs as root, and again as a user by rootless.test. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { rmSync } from 'node:fs';
import { TsbuildError } from '@tsbuild/core';
import { cannotRun, compileProbe, type Fixture, inUserns, makeFixture, run, until } from './fixture.js';

const singleId = process.env['TSBUILD_SINGLE_ID'] === '1';

describe('sandbox', { skip: cannotRun() }, () => {
  let fixture: Fixture;
  before(() => {
    fixture = makeFixture();
  });
  after(() => fixture.remove());
  beforeEach(() => {
    for (const path of [fixture.upper, fixture.work]) {
      rmSync(path, { recursive: true, force: true });
      mkdirSync(path);
    }
  });

  test("gives the command docker's capability sets, no no_new_privs, a filter", async () => {
    const { stdout } = await fixture.run('grep -E "^(Cap|NoNewPrivs|Seccomp):?" /proc/self/status; umask');
    assert.deepEqual(stdout.replaceAll('\t', ' ').trim().split('\n'), [
      'CapInh: 0000000000000000',
      'CapPrm: 00000000a80425fb',
      'CapEff: 00000000a80425fb',
      'CapBnd: 00000000a80425fb',
      'CapAmb: 0000000000000000',
      'NoNewPrivs: 0',
      'Seccomp: 2',
      'Seccomp_filters: 1',
      '0022',
    ]);
  });

  test('gives another user no capabilities but the same bounding set', { skip: singleId }, async () => {
    const { stdout } = await fixture.run('grep -E "^(Uid|Gid|Groups|Cap)" /proc/self/status', {
      uid: 1000,
      gid: 1001,
      groups: [1001, 10],
    });
    assert.deepEqual(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.trim().split(/\s+/)),
      [
        ['Uid:', '1000', '1000', '1000', '1000'],
        ['Gid:', '1001', '1001', '1001', '1001'],
        ['Groups:', '10', '1001'],
        ['CapInh:', '0000000000000000'],
        ['CapPrm:', '0000000000000000'],
        ['CapEff:', '0000000000000000'],
        ['CapBnd:', '00000000a80425fb'],
        ['CapAmb:', '0000000000000000'],
      ],
    );
  });

  test('runs in namespaces of its own, and keeps the network of the host', async () => {
    const { stdout } = await fixture.run(
      'for n in cgroup ipc mnt net pid uts; do readlink /proc/self/ns/$n; done; hostname',
    );
    const lines = stdout.trim().split('\n');
    const own = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'uts'].map((name) =>
      spawnSync('readlink', [`/proc/self/ns/${name}`], { encoding: 'utf8' }).stdout.trim(),
    );
    assert.deepEqual(
      lines.slice(0, 6).map((line, index) => line === own[index]),
      [false, false, false, true, false, false],
    );
    assert.equal(lines[6], 'buildkitsandbox');
  });

  test('network none has only loopback, and it is up', async () => {
    const { stdout } = await fixture.run(
      'ls /sys/class/net; ip -o addr; ping -c1 -W1 127.0.0.1 >/dev/null && echo pong',
      {
        network: 'none',
      },
    );
    assert.match(stdout, /^lo\n/);
    assert.doesNotMatch(stdout, /^2:/m);
    assert.match(stdout, /LOOPBACK,UP|inet 127\.0\.0\.1/);
  });

  test('sees nothing of the host: no mounts, no way above the root, no descriptors', async () => {
    const { stdout } = await fixture.run(
      'ls -a /.. | tr "\\n" " "; echo; cat /proc/mounts; echo fds; ls /proc/self/fd; ls -l /proc/1/exe; cat /proc/1/environ',
    );
    const [above, ...rest] = stdout.split('\n');
    assert.equal(above, '. .. bin dev etc proc root sys tmp ');
    const mounts = rest.slice(0, rest.indexOf('fds')).map((line) => line.split(' ')[1] ?? '');
    const allowed =
      /^(\/|\/dev(\/(null|zero|full|random|urandom|tty|pts|shm|mqueue))?|\/sys(\/.*)?|\/proc(\/(bus|fs|irq|sys|sysrq-trigger|acpi|asound|kcore|keys|latency_stats|timer_list|timer_stats|sched_debug|scsi))?)$/;
    assert.deepEqual(
      mounts.filter((path) => !allowed.test(path)),
      [],
    );
    assert.equal(mounts.filter((path) => path === '/').length, 1);
    // 3 is the directory that ls itself reads.
    assert.deepEqual(
      rest.slice(rest.indexOf('fds') + 1).filter((line) => /^\d+$/.test(line)),
      ['0', '1', '2', '3'],
    );
    assert.doesNotMatch(stdout, /tsbuild-run-/);
  });

  test('masks and protects the paths that docker does', async () => {
    const { stdout } = await fixture.run(
      'for f in kcore keys timer_list latency_stats sched_debug; do [ -e /proc/$f ] && wc -c < /proc/$f; done;' +
        'for d in /proc/acpi /proc/scsi /sys/firmware; do [ -d $d ] && ls -A $d; done;' +
        'echo 1 2>/dev/null >/proc/sys/kernel/domainname && echo written; [ -w /sys/kernel ] && mkdir /sys/kernel/x; true',
    );
    assert.equal(stdout.replaceAll('0\n', ''), '');
  });

  test("has docker's devices", async () => {
    const { stdout } = await fixture.run(
      'cd /dev; ls | tr "\\n" " "; for d in null zero full random urandom tty; do stat -c "%n %F %a %t:%T" $d; done; for l in fd stdin stdout stderr ptmx; do readlink $l; done; echo x >null; head -c3 zero | wc -c; df -k /dev/shm | tail -1',
    );
    const lines = stdout.trim().split('\n');
    assert.equal(
      lines[0],
      'fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero null character special file 666 1:3',
    );
    assert.deepEqual(lines.slice(1, 6), [
      'zero character special file 666 1:5',
      'full character special file 666 1:7',
      'random character special file 666 1:8',
      'urandom character special file 666 1:9',
      'tty character special file 666 5:0',
    ]);
    assert.deepEqual(lines.slice(6, 12), [
      '/proc/self/fd',
      '/proc/self/fd/0',
      '/proc/self/fd/1',
      '/proc/self/fd/2',
      'pts/ptmx',
      '3',
    ]);
    assert.match(lines[12] ?? '', /^shm +65536 /);
  });

  test("answers every system call as docker's profile does", async (t) => {
    if (process.arch !== 'x64') return t.skip('the recorded answers are those of x86_64');
    if (!compileProbe('syscall-probe', fixture)) return t.skip('no C compiler with a static C library');
    const { stdout } = await fixture.run('', { args: ['/bin/syscall-probe'] });
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' '));
    const answered = (kind: string, answer: string) =>
      rows.filter((row) => row[0] === kind && row[3] === answer).map((row) => Number(row[1]));
    // Recorded in a container of docker 28.5 on Linux 6.18. The kernel refuses 446,
    // landlock_restrict_self, and with one mapped id 116, setgroups.
    const refused = expand(
      '56 103 134-136 139 153 155-156 163-185 212 227 236-239 246 248-250 256 272 279 298 300 304 308 312-313 320-321 323 337-423 425-433 438 440 442-443 450 459-461',
    );
    assert.deepEqual(
      answered('call', 'EPERM').filter((number) => number !== 446 && !(singleId && number === 116)),
      refused,
    );
    const unknown = answered('call', 'ENOSYS');
    assert.deepEqual(
      expand('435 467-499').filter((number) => !unknown.includes(number)),
      [],
    );
    assert.deepEqual(answered('call', 'SIGSYS'), []);
    const argumentsRefused = (kind: string) =>
      rows.filter((row) => row[0] === kind && row[3] === 'EPERM').map((row) => row[2]);
    // The kernel itself refuses 80000 (CLONE_SETTLS with a wild pointer).
    assert.deepEqual(
      argumentsRefused('clone').filter((flag) => flag !== '80000'),
      ['20000', '2000000', '4000000', '8000000', '10000000', '20000000', '40000000'],
    );
    // The host's network namespace gives a user namespace no packet sockets (11, 2c): the kernel, not the filter.
    assert.deepEqual(
      argumentsRefused('socket').filter((family) => !inUserns || !['11', '2c'].includes(family ?? '')),
      ['28'],
    );
    assert.deepEqual(argumentsRefused('personality'), [
      '1',
      '2',
      '4',
      '10',
      '40000',
      '20009',
      'ffffffffffffffff',
    ]);
  });

  test('security insecure has all capabilities, no filter, nothing masked', async () => {
    const { stdout } = await fixture.run(
      'grep -E "^(CapEff|Seccomp):" /proc/self/status; mount -t tmpfs x /tmp && echo mounted; grep -c " /proc/" /proc/mounts',
      { insecure: true },
    );
    const [caps, seccomp, mounted, below] = stdout.trim().split('\n');
    assert.match(caps ?? '', /^CapEff:\t000001f/);
    assert.equal(seccomp, 'Seccomp:\t0');
    assert.deepEqual([mounted, below], ['mounted', '0']);
  });

  test('keeps what the step writes in the upper directory, and nothing else', async () => {
    const { exitCode } = await fixture.run('echo hi > /new; rm /bin/yes; exit 7');
    assert.equal(exitCode, 7);
    assert.deepEqual(readdirSync(fixture.upper).sort(), ['bin', 'new']);
    assert.equal(readFileSync(join(fixture.upper, 'new'), 'utf8'), 'hi\n');
    assert.ok(lstatSync(join(fixture.upper, 'bin/yes')).isCharacterDevice());
  });

  test('can write to /dev/stdout and /dev/stderr, also as another user', async () => {
    const as = singleId ? {} : { uid: 1000, gid: 1001, groups: [1001] };
    const { stdout, stderr, exitCode } = await fixture.run(
      'echo out >/dev/stdout; echo err >/dev/stderr; cat',
      as,
    );
    assert.deepEqual({ stdout, stderr, exitCode }, { stdout: 'out\n', stderr: 'err\n', exitCode: 0 });
  });

  test('carries large output whole', async () => {
    const { stdout } = await fixture.run('yes 0123456789 | head -c 9000000');
    assert.equal(stdout.length, 9_000_000);
  });

  test('makes a missing working directory for the user of the step', { skip: singleId }, async () => {
    const { stdout } = await fixture.run('pwd', { cwd: '/x/y', uid: 1000, gid: 1001, groups: [1001] });
    assert.equal(stdout, '/x/y\n');
    const { stdout: facts } = await fixture.run('stat -c "%u:%g %a" /x /x/y', {
      root: { lower: [fixture.upper, fixture.base], ...fresh(fixture, 'cwd') },
    });
    assert.equal(facts, '1000:1001 755\n1000:1001 755\n');
  });

  for (const [what, args, exitCode, startError] of [
    ['a missing command', ['nonexistent'], 1, 'exec: "nonexistent": executable file not found in $PATH'],
    ['an empty name', [''], 1, 'exec: "": executable file not found in $PATH'],
    ['a file that is not executable', ['/etc/passwd'], 1, 'exec: "/etc/passwd": permission denied'],
    ['a directory', ['/etc'], 1, 'exec: "/etc": is a directory'],
    ['a missing path', ['./x'], 1, 'exec: "./x": stat ./x: no such file or directory'],
    ['a broken interpreter', ['/bin/bad'], 255, 'exec /bin/bad: no such file or directory'],
    ['a file of no format', ['/bin/junk'], 255, 'exec /bin/junk: exec format error'],
  ] as const) {
    test(`says what docker says about ${what}`, async () => {
      writeFileSync(join(fixture.base, 'bin/bad'), '#!/nope\n', { mode: 0o755 });
      writeFileSync(join(fixture.base, 'bin/junk'), 'junk', { mode: 0o755 });
      const result = await fixture.run('', { args: [...args] });
      assert.deepEqual([result.exitCode, result.startError], [exitCode, startError]);
    });
  }

  test('reports the signal that ended the command', async () => {
    const { exitCode, signal } = await fixture.run('kill -SEGV $$');
    assert.deepEqual({ exitCode, signal }, { exitCode: 139, signal: 11 });
  });

  test('accounts for time and memory', async () => {
    const { usage } = await fixture.run('i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done');
    assert.ok(usage.userSeconds + usage.systemSeconds > 0.02, JSON.stringify(usage));
    assert.ok(usage.maxRssBytes > 100_000, JSON.stringify(usage));
  });

  test('background processes end with the command', async () => {
    const [first, second] = [longSleep(1), longSleep(2)];
    const { exitCode } = await fixture.run(`setsid ${first} & ${second} & echo x`);
    assert.equal(exitCode, 0);
    assert.equal(processesNamed(first) + processesNamed(second), 0);
  });

  test('an abort ends everything, also what ignores signals', async () => {
    const abort = new AbortController();
    const command = longSleep(3);
    const spec = fixture.spec(
      `trap "" TERM INT; setsid sh -c 'trap "" TERM; ${command}' & echo go; while :; do ${command}; done`,
    );
    const { runInSandbox } = await import('../../src/run/sandbox.js');
    const running = runInSandbox(spec, { signal: abort.signal, onOutput: () => abort.abort() });
    await assert.rejects(running, (error) => TsbuildError.is(error) && error.code === 'TSB_CANCELLED_STEP');
    assert.equal(processesNamed(command), 0);
  });

  test('an abort lets a step that listens end by itself', async () => {
    const abort = new AbortController();
    const marker = join(fixture.upper, 'ended');
    const spec = fixture.spec('trap "echo end > /ended; exit 0" TERM; echo go; while :; do sleep 0.1; done');
    const { runInSandbox } = await import('../../src/run/sandbox.js');
    const running = runInSandbox(spec, { signal: abort.signal, onOutput: () => abort.abort() });
    await assert.rejects(running, { code: 'TSB_CANCELLED_STEP' });
    assert.ok(existsSync(marker));
  });

  test('nothing survives a kill -9 of the engine', async () => {
    const module = new URL('../../src/run/sandbox.js', import.meta.url);
    const code = `
      const { runInSandbox } = await import(${JSON.stringify(module.href)});
      const spec = JSON.parse(process.argv[1]);
      await runInSandbox(spec, { signal: new AbortController().signal, onOutput: () => process.stdout.write('go') });`;
    const command = longSleep(4);
    const spec = fixture.spec(`setsid ${command} & echo go; ${command}`);
    const engine = spawn(process.execPath, ['--input-type=module', '-e', code, JSON.stringify(spec)]);
    try {
      await once(engine.stdout, 'data');
      await until(() => processesNamed(command) === 2);
    } finally {
      engine.kill('SIGKILL');
    }
    await once(engine, 'exit');
    await until(() => processesNamed(command) === 0);
    assert.doesNotMatch(readFileSync('/proc/self/mounts', 'utf8'), new RegExp(fixture.folder));
  });

  test('mounts 300 layers', async () => {
    const lower: string[] = [];
    for (let layer = 0; layer < 299; layer++) {
      const path = join(fixture.folder, `layer-${layer}`);
      mkdirSync(path);
      writeFileSync(join(path, `f${layer}`), '');
      lower.push(path);
    }
    const { stdout } = await fixture.run('ls / | grep -c "^f[0-9]"; ulimit -n', {
      root: { lower: [...lower, fixture.base], upper: fixture.upper, work: fixture.work },
    });
    const limit = spawnSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).stdout;
    assert.equal(stdout, `299\n${limit}`);
  });

  test('runs on a plain directory, and on nothing', async () => {
    const result = await fixture.run('echo x > /plain; ls -A /', { root: { dir: fixture.base } });
    assert.equal(result.exitCode, 0);
    assert.equal(readFileSync(join(fixture.base, 'plain'), 'utf8'), 'x\n');
    rmSync(join(fixture.base, 'plain'));
    assert.deepEqual(readdirSync(fixture.base).sort(), ['bin', 'dev', 'etc', 'proc', 'root', 'sys', 'tmp']);
    const empty = await fixture.run('', {
      args: ['/x'],
      root: { lower: [], upper: fixture.upper, work: fixture.work },
    });
    assert.equal(empty.startError, 'exec: "/x": stat /x: no such file or directory');
  });

  test('sets resource limits', async () => {
    const { stdout } = await fixture.run('ulimit -n; ulimit -Hn; ulimit -c', {
      rlimits: [
        { name: 'nofile', soft: 123, hard: 456 },
        { name: 'core', soft: 0, hard: 0 },
      ],
    });
    assert.equal(stdout, '123\n456\n0\n');
  });
});

describe('mounts of a step', { skip: cannotRun() }, () => {
  let fixture: Fixture;
  beforeEach(() => {
    fixture = makeFixture();
  });
  const done = () => fixture.remove();

  test('targets that were missing leave no trace, and their parents keep their times', async () => {
    const times = new Date('2001-02-03T04:05:06Z');
    const source = join(fixture.folder, 'source');
    mkdirSync(source);
    utimesSync(join(fixture.base, 'etc'), times, times);
    const { stdout } = await fixture.run(
      'cat /etc/hosts; ls -d /a/b/c; touch /a/b/c/x 2>/dev/null || echo read-only',
      {
        mounts: [
          { type: 'file', target: '/etc/hosts', data: Buffer.from('hosts\n'), mode: 0o644, uid: 0, gid: 0 },
          { type: 'bind', target: '/a/b/c', source: { path: source }, readonly: true },
        ],
      },
    );
    assert.equal(stdout, 'hosts\n/a/b/c\nread-only\n');
    assert.deepEqual(readdirSync(fixture.upper), ['etc']);
    assert.deepEqual(readdirSync(join(fixture.upper, 'etc')), []);
    assert.equal(statSync(join(fixture.upper, 'etc')).mtimeMs, times.getTime());
    done();
  });

  test('targets that the step used stay, and so do times that it changed', async () => {
    await fixture.run('touch /a/keep /etc/more', {
      mounts: [
        { type: 'tmpfs', target: '/a/b', size: 0, readonly: false },
        { type: 'file', target: '/etc/hosts', data: Buffer.from('x'), mode: 0o644, uid: 0, gid: 0 },
      ],
    });
    assert.deepEqual(readdirSync(join(fixture.upper, 'a')), ['keep']);
    assert.deepEqual(readdirSync(join(fixture.upper, 'etc')), ['more']);
    assert.ok(Date.now() - statSync(join(fixture.upper, 'etc')).mtimeMs < 60_000);
    done();
  });

  test('a mount point cannot be removed or replaced by the step', async () => {
    const { stderr } = await fixture.run('rm /etc/hosts; mv /a /c; ln -s /bin /a', {
      mounts: [
        { type: 'file', target: '/etc/hosts', data: Buffer.from('x'), mode: 0o644, uid: 0, gid: 0 },
        { type: 'tmpfs', target: '/a', size: 0, readonly: false },
      ],
    });
    assert.match(stderr, /rm: can't remove '\/etc\/hosts'/);
    assert.match(stderr, /mv: can't rename '\/a'/);
    done();
  });

  test('links of the image never lead a target out of it', async () => {
    const outside = join(fixture.folder, 'outside');
    mkdirSync(outside);
    symlinkSync(outside, join(fixture.base, 'abs'));
    symlinkSync('../../../../../../../../' + outside, join(fixture.base, 'rel'));
    symlinkSync('/nowhere/at/all', join(fixture.base, 'dangling'));
    const { stdout } = await fixture.run(`ls -d ${outside}/t ${outside}/u /nowhere/at/all/v`, {
      mounts: ['/abs/t', '/rel/u', '/dangling/v'].map((target) => ({
        type: 'tmpfs',
        target,
        size: 0,
        readonly: false,
      })),
    });
    assert.equal(stdout, `/nowhere/at/all/v\n${outside}/t\n${outside}/u\n`);
    assert.deepEqual(readdirSync(outside), []);
    assert.equal(spawnSync('find', [fixture.upper, '-mindepth', '2'], { encoding: 'utf8' }).stdout, '');
    done();
  });

  test('a source is found inside of its tree', async () => {
    const tree = join(fixture.folder, 'tree');
    mkdirSync(join(tree, 'etc'), { recursive: true });
    writeFileSync(join(tree, 'etc/shadow'), 'of the tree');
    symlinkSync('/etc/shadow', join(tree, 'link'));
    const { stdout } = await fixture.run('cat /s /dir/shadow; echo x 2>/dev/null > /s || echo refused', {
      mounts: [
        { type: 'overlay', target: '/dir', lower: [tree], subpath: '/etc', readonly: true },
        { type: 'bind', target: '/s', source: { path: tree }, subpath: '../../link', readonly: true },
      ],
    });
    assert.equal(stdout, 'of the treeof the treerefused\n');
    await assert.rejects(
      fixture.run('true', {
        mounts: [{ type: 'overlay', target: '/d', lower: [tree], subpath: '/no', readonly: true }],
      }),
      { code: 'TSB_EXEC_MOUNT', message: 'source /no of mount /d: not found' },
    );
    done();
  });

  test('writes to a bind mount go to its own upper directory', async () => {
    const [tree, upper, work] = ['tree', 'throw-away', 'w'].map((name) => join(fixture.folder, name)) as [
      string,
      string,
      string,
    ];
    for (const path of [tree, upper, work]) mkdirSync(path);
    writeFileSync(join(tree, 'f'), 'old');
    const { stdout } = await fixture.run('echo new > /m/f; cat /m/f', {
      mounts: [{ type: 'overlay', target: '/m', lower: [tree], upper, work, readonly: false }],
    });
    assert.equal(stdout, 'new\n');
    assert.equal(readFileSync(join(tree, 'f'), 'utf8'), 'old');
    assert.deepEqual(readdirSync(fixture.upper), []);
    done();
  });

  test('a secret is a read-only file of the given mode and owner, on no disk', async () => {
    const owner = singleId ? 0 : 1000;
    const { stdout } = await fixture.run(
      'cat /run/secrets/s; stat -c "%a %u:%g" /run/secrets/s; grep /run/secrets /proc/mounts; /x',
      {
        mounts: [
          {
            type: 'file',
            target: '/run/secrets/s',
            data: Buffer.from('a\0b\n'),
            mode: 0o400,
            uid: owner,
            gid: owner,
          },
          {
            type: 'file',
            target: '/x',
            data: Buffer.from('#!/bin/sh\necho executed\n'),
            mode: 0o755,
            uid: 0,
            gid: 0,
          },
        ],
      },
    );
    const lines = stdout.split('\n');
    assert.deepEqual(lines.slice(0, 2), ['a\0b', `400 ${owner}:${owner}`]);
    assert.match(lines[2] ?? '', /^\S+ \/run\/secrets\/s tmpfs ro,nosuid,nodev,noexec/);
    assert.equal(lines[3], 'executed');
    done();
  });

  test('tmpfs has the size and read-only flag that were asked for', async () => {
    const { stdout } = await fixture.run(
      'grep -E " /[tr] " /proc/mounts; stat -c %a /t; touch /r/x 2>/dev/null || echo refused',
      {
        mounts: [
          { type: 'tmpfs', target: '/t', size: 1 << 20, readonly: false },
          { type: 'tmpfs', target: '/r', size: 0, readonly: true },
        ],
      },
    );
    assert.match(stdout, /^tmpfs \/t tmpfs rw,nosuid,relatime,size=1024k/m);
    assert.match(stdout, /^tmpfs \/r tmpfs ro,nosuid/m);
    assert.match(stdout, /1777\nrefused\n$/);
    done();
  });

  for (const [what, target, message] of [
    ['the root', '/', 'invalid mount target "/"'],
    ['/proc', '/proc/self', 'a mount on /proc/self is not allowed'],
    [
      'a file where a directory is to be mounted',
      '/etc/passwd',
      'cannot make mount target /etc/passwd: Not a directory',
    ],
  ] as const) {
    test(`refuses ${what} as target`, async () => {
      await assert.rejects(
        fixture.run('true', { mounts: [{ type: 'tmpfs', target, size: 0, readonly: false }] }),
        { code: 'TSB_EXEC_MOUNT', message },
      );
      done();
    });
  }

  test('a working directory through /proc/self/fd does not lead out', async () => {
    for (let fd = 3; fd < 14; fd++) {
      const result = await run(fixture.spec('ls', { cwd: `/proc/self/fd/${fd}` }));
      assert.notEqual(result.exitCode, 0);
      assert.equal(result.stdout, '');
    }
    done();
  });
});

function fresh(fixture: Fixture, name: string): { upper: string; work: string } {
  const paths = { upper: join(fixture.folder, `${name}-upper`), work: join(fixture.folder, `${name}-work`) };
  for (const path of Object.values(paths)) mkdirSync(path);
  return paths;
}

function expand(ranges: string): number[] {
  return ranges.split(' ').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** Live processes (no zombies) whose command line is exactly this. */
/** A command that outlives every test, and that no other process on this machine has: suites run side by side. */
const longSleep = (number: number): string => `sleep ${number}0${process.pid}`;

function processesNamed(command: string): number {
  const isNamed = (pid: string) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim() === command;
    } catch {
      return false;
    }
  };
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isNamed(name)).length;
}
