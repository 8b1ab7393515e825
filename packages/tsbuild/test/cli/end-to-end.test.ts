/** The real program on a real store: builds that need no registry, and every command on their images. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { processesWith } from '../api/fixture.js';

const bin = fileURLToPath(new URL('../../../bin/tsbuild', import.meta.url));
const bundle = fileURLToPath(new URL('../../bundle/cli.mjs', import.meta.url));
const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
const missing = !existsSync(bundle)
  ? 'the bundle is not built'
  : busybox === undefined
    ? 'busybox-static is not installed'
    : false;

const folder = mkdtempSync(join(tmpdir(), 'tsbuild-cli-'));
const context = join(folder, 'context');
const env = {
  ...process.env,
  TSBUILD_ROOT: join(folder, 'store'),
  DOCKER_CONFIG: join(folder, 'docker'),
  NO_COLOR: '1',
};
after(async () => {
  spawnSync(bin, ['prune', '--all', '--force'], { env });
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

function tsbuild(
  words: string[],
  options: { input?: string | Buffer; started?(child: ChildProcess): void } = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(bin, words, { env, cwd: context });
    const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.stdin.on('error', () => {});
    child.stdin.end(options.input);
    child.on('error', reject);
    child.on('close', (status) => {
      clearTimeout(timer);
      resolve({
        status,
        stdout: Buffer.concat(out).toString('latin1'),
        stderr: Buffer.concat(err).toString(),
      });
    });
    options.started?.(child);
  });
}

async function ok(words: string[], input?: string | Buffer): Promise<Ended> {
  const ended = await tsbuild(words, input === undefined ? {} : { input });
  assert.equal(ended.status, 0, `${words.join(' ')}\n${ended.stdout}${ended.stderr}`);
  return ended;
}

const shell = ['FROM scratch AS base', 'COPY busybox /bin/busybox', 'COPY busybox /bin/sh'];

before(() => {
  if (missing) return;
  mkdirSync(context);
  copyFileSync(busybox ?? '', join(context, 'busybox'));
  chmodSync(join(context, 'busybox'), 0o755);
  writeFileSync(join(context, 'data'), 'data\n');
  writeFileSync(
    join(context, 'Dockerfile'),
    [
      ...shell,
      'ARG WORD=none',
      'RUN echo "word $WORD" && echo made > /made',
      'ENV A=1',
      'LABEL l=m',
      'CMD ["/bin/busybox", "cat", "/made"]',
      '',
    ].join('\n'),
  );
  writeFileSync(
    join(context, 'Dockerfile.bad'),
    [...shell, 'RUN echo before; echo oops >&2; exit 7', ''].join('\n'),
  );
  writeFileSync(
    join(context, 'Dockerfile.slow'),
    [...shell, `RUN echo begun; busybox sleep 3${process.pid}`, ''].join('\n'),
  );
});

test('a build, then every command on its image', { skip: missing }, async (t) => {
  await t.test('plain progress has the steps, their output and the result', async () => {
    const { stdout, stderr } = await ok([
      '--progress=plain',
      '-t',
      'cli:1',
      '--build-arg',
      'WORD=hello',
      '.',
    ]);
    assert.equal(stdout, '');
    assert.match(stderr, /^#\d+ \[\d\/\d\] RUN echo "word hello"/m);
    assert.match(stderr, /^#\d+ \d+\.\d{3} word hello$/m);
    assert.match(stderr, /^#\d+ DONE \d+\.\ds/m);
    assert.match(stderr, /^built cli:1 sha256:[0-9a-f]{64}$/m);
  });
  await t.test('again: everything comes from the cache', async () => {
    const { stderr } = await ok(['--progress=plain', '-t', 'cli:1', '--build-arg', 'WORD=hello', '.']);
    assert.doesNotMatch(stderr, /^#\d+ \d+\.\d{3} word hello/m);
    assert.match(stderr, /\[1\/3\][\s\S]*CACHED[\s\S]*\[2\/3\][\s\S]*CACHED[\s\S]*\[3\/3\][\s\S]*CACHED/);
    assert.match(stderr, /^#\d+ CACHED$/m);
  });
  await t.test('quiet prints the digest, and the files get theirs', async () => {
    const { stdout, stderr } = await ok([
      '-q',
      '-t',
      'cli:2',
      '--iidfile',
      'iid',
      '--metadata-file',
      'meta.json',
      '.',
    ]);
    assert.match(stdout, /^sha256:[0-9a-f]{64}\n$/);
    assert.equal(stderr, '');
    assert.match(readFileSync(join(context, 'iid'), 'utf8'), /^sha256:[0-9a-f]{64}$/);
    const metadata = JSON.parse(readFileSync(join(context, 'meta.json'), 'utf8')) as Record<string, unknown>;
    assert.equal(metadata['containerimage.digest'], stdout.trim());
    rmSync(join(context, 'iid'));
    rmSync(join(context, 'meta.json'));
  });
  await t.test('rawjson is JSON to the last line', async () => {
    const { stderr } = await ok(['--progress=rawjson', '-t', 'cli:1', '.']);
    const types = stderr
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { type: string }).type);
    assert.ok(types.includes('vertex') && types.includes('completed'));
  });
  await t.test('images', async () => {
    const { stdout } = await ok(['images', '--format', 'name']);
    assert.deepEqual(stdout.trimEnd().split('\n').sort(), ['cli:1', 'cli:2']);
    assert.match(
      (await ok(['images', 'cli'])).stdout,
      /^NAME +TAG +DIGEST +PLATFORM +CREATED +SIZE\ncli +1 +[0-9a-f]{12} +linux\/\w+ /,
    );
    assert.equal((JSON.parse((await ok(['images', '--format', 'json'])).stdout) as unknown[]).length, 2);
    assert.match((await ok(['images', '-q'])).stdout, /^(sha256:[0-9a-f]{64}\n){1,2}$/);
  });
  await t.test('inspect and history', async () => {
    const [image] = JSON.parse((await ok(['inspect', 'cli:1'])).stdout) as [
      { config: { config: { Env: string[]; Labels: object } } },
    ];
    assert.ok(image.config.config.Env.includes('A=1'));
    assert.deepEqual(image.config.config.Labels, { l: 'm' });
    const { stdout } = await ok(['history', '--no-trunc', 'cli:1']);
    assert.match(
      stdout,
      /^LAYER +CREATED +CREATED BY +SIZE +COMMENT\n- .*CMD \["\/bin\/busybox" "cat" "\/made"\]/,
    );
  });
  await t.test('run: output, status, environment, entrypoint, volume, standard input', async () => {
    assert.deepEqual(await ok(['run', 'cli:1']), { status: 0, stdout: 'made\n', stderr: '' });
    assert.equal((await tsbuild(['run', 'cli:1', 'sh', '-c', 'exit 9'])).status, 9);
    assert.equal((await ok(['run', '-e', 'B=2', 'cli:1', 'sh', '-c', 'echo $A$B'])).stdout, '12\n');
    assert.equal((await ok(['run', '--entrypoint', '/bin/busybox', 'cli:1', 'echo', 'x'])).stdout, 'x\n');
    assert.equal(
      (await ok(['run', '-v', './data:/mnt/data:ro', '-w', '/mnt', 'cli:1', 'busybox', 'cat', 'data']))
        .stdout,
      'data\n',
    );
    assert.equal((await ok(['run', '-i', 'cli:1', 'busybox', 'cat'], 'from here\n')).stdout, 'from here\n');
  });
  await t.test('tag, save, load, rmi', async () => {
    await ok(['tag', 'cli:1', 'other:3']);
    await ok(['save', '-o', join(folder, 'saved.tar'), 'other:3']);
    assert.match((await ok(['rmi', 'other:3'])).stdout, /^removed other:3 sha256:/);
    assert.match((await ok(['load', '-i', join(folder, 'saved.tar')])).stderr, /^loaded other:3$/m);
    assert.match((await ok(['images', 'other'])).stdout, /^other /m);
    const missingImage = await tsbuild(['rmi', 'nothing:here']);
    assert.equal(missingImage.status, 1);
    assert.match(missingImage.stderr, /^ERROR: .*nothing:here/);
    await ok(['rmi', '-f', 'nothing:here']);
  });
  await t.test('import from standard input', async () => {
    const tar = spawnSync('tar', ['-C', context, '-c', 'data']).stdout;
    const { stdout } = await ok(['import', '-q', '-c', 'LABEL from=tar', '-', 'imported'], tar);
    assert.match(stdout, /^sha256:[0-9a-f]{64}\n$/);
    assert.match((await ok(['inspect', 'imported'])).stdout, /"from": "tar"/);
  });
  await t.test('outputs: a folder, a tar on standard output', async () => {
    await ok(['-q', '-o', join(folder, 'out'), '.']);
    // The mount points of the RUN step stay in its layer, as BuildKit leaves them.
    assert.deepEqual(readdirSync(join(folder, 'out')).sort(), ['bin', 'dev', 'made', 'proc', 'sys']);
    const { stdout } = await ok(['-q', '-o', '-', '.']);
    const list = spawnSync('tar', ['-t'], { input: Buffer.from(stdout, 'latin1'), encoding: 'utf8' });
    assert.deepEqual(
      list.stdout
        .split('\n')
        .filter((name) => !name.endsWith('/'))
        .sort(),
      ['', 'bin/busybox', 'bin/sh', 'made'],
    );
  });
  await t.test('RUN --network=host needs --allow only where the build has another network', async () => {
    const dockerfile = [...shell, 'RUN --network=host busybox true', ''].join('\n');
    await ok(['-q', '-f', '-', '.'], dockerfile);
    const refused = await tsbuild(['-q', '--network', 'none', '-f', '-', '.'], { input: dockerfile });
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /network\.host is not allowed[\s\S]*--allow network\.host/);
    await ok(['-q', '--network', 'none', '--allow', 'network.host', '-f', '-', '.'], dockerfile);
  });
  await t.test('Dockerfile and context from standard input', async () => {
    await ok(['-q', '-f', '-', '.'], 'FROM scratch\nCOPY data /data\n');
    await ok(['-q', '-'], 'FROM scratch\nENV A=1\n');
    const tar = spawnSync('tar', ['-C', context, '-c', 'Dockerfile', 'busybox'], {
      maxBuffer: 1 << 26,
    }).stdout;
    await ok(['-q', '-'], tar);
  });
  await t.test('du and prune', async () => {
    assert.match((await ok(['du'])).stdout, /^KIND +COUNT +SIZE\n[\s\S]*\ntotal /);
    assert.match((await ok(['du', '--verbose'])).stdout, /RUN echo "word/);
    assert.match((await ok(['prune', '--dry-run'])).stdout, /^would free /);
    const asks = await tsbuild(['prune']);
    assert.deepEqual([asks.status, /TSB_USAGE_NO_TERMINAL/.test(asks.stderr)], [2, true]);
    assert.match((await ok(['prune', '-f'])).stdout, /^freed /);
    assert.equal((await ok(['run', 'cli:1'])).stdout, 'made\n');
  });
});

test('a failing step: output, frame, exit status, code', { skip: missing }, async () => {
  for (const progress of ['plain', 'quiet', 'tty']) {
    const { status, stderr } = await tsbuild(['--progress', progress, '-f', 'Dockerfile.bad', '.']);
    assert.equal(status, 1, progress);
    assert.match(stderr, /oops/);
    assert.match(stderr, /^Dockerfile\.bad:4\n-{20}\n/m);
    assert.match(stderr, /^ +4 \| >>> RUN echo before; echo oops >&2; exit 7$/m);
    assert.match(stderr, /^ERROR: .*exit code: 7/m);
    assert.match(stderr, /^ {2}code: TSB_EXEC_\w+$/m);
    if (progress !== 'plain')
      assert.equal(
        // Lines of the live view are overwritten at the end; how many there were depends on the time.
        stderr.replaceAll(/^ => # .*$/gm, '').split('oops').length -
          1 -
          (stderr.match(/RUN.*oops|-c .*oops/g)?.length ?? 0),
        1,
        stderr,
      );
  }
});

test('mistakes in the Dockerfile name the line', { skip: missing }, async () => {
  const table: [string, RegExp][] = [
    ['FROM scratch\nCPOY a /a\n', /unknown instruction: CPOY \(did you mean COPY\?\)/],
    [
      'FROM scratch\nCOPY --form=x a /a\n',
      /unknown flag: --form \(did you mean from\?\)|unknown flag: --form/,
    ],
    ['FROM scratch\nCOPY dta /a\n', /dta/],
    ['FROM scratch AS one\nFROM scratch\nCOPY --from=oen /a /a\n', /oen/],
  ];
  for (const [text, message] of table) {
    const { status, stderr } = await tsbuild(['-q', '-f', '-', '.'], { input: text });
    assert.equal(status, 1, stderr);
    assert.match(stderr, message);
    assert.match(stderr, /^ +\d \| >>> /m, stderr);
  }
});

test('Ctrl-C cancels, says so and leaves no process', { skip: missing }, async () => {
  let sent = false;
  const { status, stderr } = await tsbuild(['--progress=plain', '--no-cache', '-f', 'Dockerfile.slow', '.'], {
    started(child) {
      let seen = '';
      child.stderr?.on('data', (chunk: Buffer) => {
        seen += chunk;
        if (sent || !/^#\d+ \d+\.\d+ begun$/m.test(seen)) return;
        sent = true;
        child.kill('SIGINT');
      });
    },
  });
  assert.equal(status, 130, stderr);
  assert.match(stderr, /^#\d+ CANCELED$/m);
  assert.match(stderr, /^ERROR: .*cancel/im);
  assert.deepEqual([...processesWith(folder), ...processesWith(`busybox sleep 3${process.pid}`)], []);
});
