/** `build --explain`, `tsbuild explain` and `tsbuild cache` on real builds. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { CacheRecordDetails, CacheRecordSummary, ExplainResult } from '../../src/index.js';
import { createFixture, type Fixture, missing } from '../api/fixture.js';

const bin = fileURLToPath(new URL('../../../bin/tsbuild', import.meta.url));
const bundle = fileURLToPath(new URL('../../bundle/cli.mjs', import.meta.url));
const skip = missing || (existsSync(bundle) ? false : 'the bundle is not built');

interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

function run(fixture: Fixture, words: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, TSBUILD_ROOT: fixture.root, NO_COLOR: '1' };
    const child = spawn(bin, words, { env, cwd: fixture.context, stdio: ['ignore', 'pipe', 'pipe'] });
    const texts = ['', ''];
    for (const [index, stream] of [child.stdout, child.stderr].entries())
      stream.setEncoding('utf8').on('data', (text: string) => {
        texts[index] += text;
      });
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout: texts[0] ?? '', stderr: texts[1] ?? '' }));
  });
}

const dockerfile = `FROM scratch AS build
COPY busybox /bin/sh
ARG VERSION=1
RUN echo $VERSION > /version
COPY src /src
RUN echo built > /out
FROM scratch
COPY --from=build /out /out
`;

describe('explanations of real builds', { skip }, () => {
  let fixture: Fixture;
  const at = (path: string) => join(fixture.context, path);
  const write = (path: string, text: string) => writeFileSync(at(path), text);

  /** `OUTCOME instruction: cause; cause` of each step that is no hit. */
  async function explained(...words: string[]): Promise<string[]> {
    const { status, stdout, stderr } = await run(fixture, ['explain', '--format', 'json', ...words, '.']);
    assert.equal(status, 0, stderr);
    const { steps } = JSON.parse(stdout) as ExplainResult;
    return steps
      .filter(({ outcome }) => outcome !== 'hit')
      .map(({ outcome, name, causes }) => {
        const instruction = name.replace(/^\[[^\]]*\] /, '');
        return `${outcome} ${instruction}: ${causes.map(({ text }) => text).join('; ')}`;
      });
  }

  async function build(...words: string[]): Promise<string> {
    const { status, stderr } = await run(fixture, ['build', '--progress', 'plain', ...words, '.']);
    assert.equal(status, 0, stderr);
    return stderr;
  }

  const waits =
    'unknown COPY --from=build /out /out: its key is not known: it depends on files that another step would have to make first: [build 5/5] RUN echo built > /out';
  const above = 'miss RUN echo built > /out: the step below it changed: [build 4/5] COPY src /src';

  before(async () => {
    fixture = createFixture();
    mkdirSync(at('src'));
    write('src/app.js', 'one');
    symlinkSync('app.js', at('src/link'));
    write('Dockerfile', dockerfile.replace('FROM scratch AS build', 'FROM scratch AS build\nWORKDIR /w'));
    await build();
  });
  after(() => fixture.remove());

  /** Each change on its own, taken back afterwards. */
  const changes: [name: string, change: () => void, back: () => void, said: string][] = [
    [
      'content and added files',
      () => {
        write('src/app.js', 'two');
        write('src/a.txt', '');
        write('src/b.txt', '');
      },
      () => {
        write('src/app.js', 'one');
        rmSync(at('src/a.txt'));
        rmSync(at('src/b.txt'));
      },
      'src/app.js content changed; 2 files added (src/a.txt, src/b.txt)',
    ],
    [
      'a mode',
      () => chmodSync(at('src/app.js'), 0o600),
      () => chmodSync(at('src/app.js'), 0o644),
      'src/app.js mode changed',
    ],
    [
      'a name',
      () => renameSync(at('src/app.js'), at('src/main.js')),
      () => renameSync(at('src/main.js'), at('src/app.js')),
      'src/main.js added; src/app.js removed',
    ],
    [
      'a link',
      () => {
        rmSync(at('src/link'));
        symlinkSync('nowhere', at('src/link'));
      },
      () => {
        rmSync(at('src/link'));
        symlinkSync('app.js', at('src/link'));
      },
      'src/link link changed',
    ],
  ];
  for (const [name, change, back, said] of changes)
    test(name, async () => {
      chmodSync(at('src/app.js'), 0o644);
      change();
      try {
        assert.deepEqual(await explained(), [`miss COPY src /src: ${said}`, above, waits]);
      } finally {
        back();
      }
    });

  test('a time, and a file that no step reads, are no change', async () => {
    utimesSync(at('src/app.js'), 1, 1);
    write('unread', '');
    const { stdout } = await run(fixture, ['explain', '.']);
    assert.match(stdout, /\n\nall 6 steps in the cache\n$/);
  });

  test('an argument, an edited and an inserted line', async () => {
    const text = readFileSync(at('Dockerfile'), 'utf8');
    const [first = '', second = ''] = await explained('--build-arg', 'VERSION=2');
    assert.equal(first, 'miss RUN echo 2 > /version: ARG VERSION changed from "1" to "2"');
    assert.equal(second, 'miss COPY src /src: the step below it changed: [build 3/5] RUN echo 2 > /version');
    try {
      write('Dockerfile', text.replace('RUN echo built', 'RUN echo made'));
      assert.equal(
        (await explained())[0],
        'miss RUN echo made > /out: the command changed from "echo built > /out" to "echo made > /out"',
      );
      write('Dockerfile', text.replace('COPY src', 'RUN echo more > /more\nCOPY src'));
      assert.deepEqual((await explained()).slice(0, 2), [
        'miss RUN echo more > /more: no build of this step is on record',
        'miss COPY src /src: the step below it is new: [build 4/6] RUN echo more > /more',
      ]);
    } finally {
      write('Dockerfile', text);
    }
  });

  test('a build tells where a step begins, and at its end', async () => {
    assert.match(await build('--explain'), /\nall 6 steps in the cache\n/);
    write('src/app.js', 'three');
    const log = await build('--explain');
    assert.match(log, /^#\d+ MISSED: src\/app\.js content changed$/m);
    assert.match(
      log,
      /\n4 of 6 steps in the cache, 2 not:\n - \[build 4\/5\] COPY src \/src\n {5}src\/app\.js content changed\n - \[build 5\/5\] RUN/,
    );
    // The same files came out, so what copies them is found again.
    assert.match(log, /COPY --from=build \/out \/out\n#\d+ CACHED/);
    assert.doesNotMatch(await build(), /MISSED|in the cache/);
  });

  test('a step that failed has not succeeded yet', async () => {
    const text = readFileSync(at('Dockerfile'), 'utf8');
    write('Dockerfile', text.replace('RUN echo built', 'RUN false && echo built'));
    assert.equal((await run(fixture, ['build', '.'])).status, 1);
    assert.equal(
      (await explained())[0],
      'miss RUN false && echo built > /out: nothing changed, but it has not succeeded yet',
    );
    write('Dockerfile', text);
    assert.deepEqual(await explained(), []);
  });

  test('--no-cache, and results that are gone', async () => {
    assert.match((await explained('--no-cache'))[0] ?? '', /^miss COPY busybox .*--no-cache/);
    const steps = join(fixture.root, 'cache/steps');
    for (const name of readdirSync(steps)) rmSync(join(steps, name));
    const [first = ''] = await explained();
    assert.equal(first, 'miss WORKDIR /w: nothing changed, but its result is not in the cache any more');
    await build();
  });

  test('a checkout elsewhere is compared with the Dockerfile that is most like it', async () => {
    const [here, there] = [fixture.context, join(fixture.folder, 'elsewhere')];
    renameSync(here, there);
    fixture.context = there;
    try {
      write('src/app.js', 'four');
      assert.equal((await explained())[0], 'miss COPY src /src: src/app.js content changed');
    } finally {
      renameSync(there, here);
      fixture.context = here;
    }
  });

  test('damage costs no more than the explanation', async () => {
    write('src/app.js', 'five');
    for (const folder of ['files', 'traces'])
      for (const name of readdirSync(join(fixture.root, 'cache', folder)))
        writeFileSync(join(fixture.root, 'cache', folder, name), 'damaged');
    assert.equal((await explained())[0], 'miss COPY src /src: no build of this step is on record');
    await build('--explain');
    assert.deepEqual(await explained(), []);
  });

  test('a secret argument is in no trace and no explanation', async () => {
    const words = (secret: string) => ['--build-arg', `API_TOKEN=${secret}`];
    const text = readFileSync(at('Dockerfile'), 'utf8');
    write('Dockerfile', text.replace('ARG VERSION=1', 'ARG VERSION=1\nARG API_TOKEN'));
    await build(...words('swordfish'));
    const said = await explained(...words('hunter2'));
    assert.match(said[0] ?? '', /ARG API_TOKEN changed \(its value is not shown\)$/);
    assert.doesNotMatch(said.join('\n'), /swordfish|hunter2/);
    const traces = join(fixture.root, 'cache/traces');
    for (const name of readdirSync(traces))
      assert.doesNotMatch(readFileSync(join(traces, name), 'utf8'), /swordfish/);
    write('Dockerfile', text);
  });

  test('a result of a shared cache that is not named any more', async () => {
    const cache = join(fixture.folder, 'shared');
    await build('--cache-to', `type=local,dest=${cache},mode=max`);
    const here = fixture.root;
    fixture.root = join(fixture.folder, 'other-store');
    try {
      const named = ['--cache-from', `type=local,src=${cache}`];
      assert.deepEqual(await explained(...named), []);
      await build(...named, '--output', `type=local,dest=${join(fixture.folder, 'out')}`);
      const [first = ''] = await explained();
      assert.match(
        first,
        /^miss WORKDIR \/w: nothing changed, but the build before had .*shared.* \(--cache-from\), and/,
      );
      // What was made on top of a result from there counts as little as that.
      const text = readFileSync(at('Dockerfile'), 'utf8');
      write('Dockerfile', text.replace('RUN echo built', 'RUN echo rebuilt'));
      await build(...named);
      const said = (await explained()).find((line) => line.includes('RUN echo rebuilt')) ?? '';
      assert.match(said, /: its result came from .*, which this build does not name \(--cache-from\)$/);
      write('Dockerfile', text);
    } finally {
      await run(fixture, ['prune', '--all', '--force']);
      rmSync(fixture.root, { recursive: true, force: true });
      fixture.root = here;
    }
  });

  test('cache ls and inspect', async () => {
    const list = await run(fixture, ['cache', 'ls', '--format', 'json', '--filter', 'description~=COPY src']);
    const records = JSON.parse(list.stdout) as CacheRecordSummary[];
    const [record] = records;
    assert.ok(record);
    assert.ok(records.every(({ description }) => description.includes('COPY src')));
    const digits = record.key.slice('sha256:'.length, 'sha256:'.length + 12);
    const { stdout } = await run(fixture, ['cache', 'inspect', digits, '--format', 'json']);
    const { step, layers, ...rest } = JSON.parse(stdout) as CacheRecordDetails;
    assert.deepEqual(rest, record);
    assert.deepEqual(
      layers.map(({ present }) => present),
      [true, true, true, true],
    );
    assert.equal(step?.instruction, 'COPY src /src');
    assert.equal(step?.context, fixture.context);
    assert.equal(step?.parts['source:src:destination'], '/src');
    assert.match(step?.base ?? '', /^RUN echo \$VERSION/);
    const text = await run(fixture, ['cache', 'inspect', record.key]);
    assert.match(text.stdout, /^stage: +build$/m);
    const wrong = await run(fixture, ['cache', 'inspect', '0123']);
    assert.match(wrong.stderr, /TSB_STORE_NO_RECORD/);
    const busy = await run(fixture, ['cache', 'ls', '--filter', 'inuse=true']);
    assert.equal(busy.stdout.trimEnd().split('\n').length, 1);
  });
});
