/** What makes a step run again and what does not, in real builds, told by the builds themselves. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { build, type BuildOptions } from '../../src/index.js';
import { createFixture, missing, shell } from './fixture.js';

const { root, context, folder, remove } = createFixture();
after(remove);

/** The instructions that the cache did not have. */
async function missed(dockerfileText: string, options: Partial<BuildOptions> = {}): Promise<string[]> {
  const outputs: BuildOptions['outputs'] = [{ type: 'cacheonly' }];
  const { steps = [] } = await build({ root, context, dockerfileText, outputs, explain: true, ...options });
  return steps
    .filter(({ outcome }) => outcome === 'miss')
    .map(({ name }) => name.replace(/^\[[^\]]*\] /, ''));
}

const at = (path: string) => join(context, path);

describe('real builds', { skip: missing, timeout: 600_000 }, () => {
  before(() => {
    mkdirSync(at('src'));
    writeFileSync(at('src/app'), 'app');
    writeFileSync(at('.dockerignore'), 'ignored\n');
  });

  describe('run nothing again for', () => {
    const text = shell(
      'ARG DECLARED=1',
      'RUN --mount=type=secret,id=s,required=false --mount=type=cache,id=c,target=/c echo "$DECLARED" > /run1',
      'COPY src /src',
      'RUN echo 2 > /run2',
    );
    const options: Partial<BuildOptions> = { secrets: [{ id: 's', value: 'one' }] };
    before(async () => {
      assert.equal((await missed(text, options)).length, 5);
    });

    const same: [name: string, more: Partial<BuildOptions>, change?: () => void][] = [
      ['nothing at all', {}],
      ['another secret', { secrets: [{ id: 's', value: 'two' }] }],
      ['no secret', { secrets: [] }],
      ['a proxy', { buildArgs: { HTTP_PROXY: 'http://127.0.0.1:1', https_proxy: 'http://127.0.0.1:1' } }],
      ['an undeclared argument', { buildArgs: { UNDECLARED: 'x' } }],
      ['the default of an argument, given', { buildArgs: { DECLARED: '1' } }],
      ['labels and tags', { labels: { a: 'b' }, tags: ['keys:1'], outputs: [{ type: 'store' }] }],
      ['the times of all files', {}, () => utimesSync(at('src/app'), 1, 1)],
      ['files that no step selects', {}, () => writeFileSync(at('unselected'), `${Math.random()}`)],
      ['ignored files', {}, () => writeFileSync(at('ignored'), `${Math.random()}`)],
      [
        'the same file anew',
        {},
        () => {
          const data = readFileSync(at('src/app'));
          rmSync(at('src/app'));
          writeFileSync(at('src/app'), data);
        },
      ],
      [
        'other words for the same',
        { dockerfileText: text.replace('FROM scratch', '# hi\nfrom scratch AS name') },
      ],
      [
        'config between the steps',
        { dockerfileText: text.replace('COPY src', 'LABEL x=y\nCMD ["x"]\nCOPY src') },
      ],
      ['another id of the cache mount', { dockerfileText: text.replace('id=c', 'id=d,sharing=locked') }],
    ];
    for (const [name, more, change] of same)
      test(name, async () => {
        change?.();
        assert.deepEqual(await missed(text, { ...options, ...more }), []);
      });

    test('a context in another folder', async () => {
      const elsewhere = join(folder, 'elsewhere');
      cpSync(context, elsewhere, { recursive: true });
      assert.deepEqual(await missed(text, { ...options, context: elsewhere }), []);
    });

    test('but for an argument that the stage declares', async () => {
      const again = await missed(text, { ...options, buildArgs: { DECLARED: '2' } });
      assert.equal(again.length, 3);
      assert.match(again[0] ?? '', /^RUN .*echo "2"/);
    });
  });

  test('a stage that is made again to the same files leaves all that copies from it', async () => {
    const text = (comment: string) =>
      [
        shell(`RUN : ${comment}; echo made > /out; mkdir /dir; echo more > /dir/file`).replace(
          'scratch',
          'scratch AS made',
        ),
        'FROM scratch',
        'COPY busybox /bin/sh',
        'COPY --from=made /out /out',
        'COPY --from=made /dir /dir',
        'RUN --mount=type=bind,from=made,source=/dir,target=/m cat /m/file /out > /copy',
        'COPY --from=made /bin/busybox /bin/busybox',
      ].join('\n');
    assert.ok((await missed(text('first'))).length > 4);
    assert.deepEqual(await missed(text('second')), [
      'RUN : second; echo made > /out; mkdir /dir; echo more > /dir/file',
    ]);
    // The times of the new files are others, and so are the layers below them.
    const third = text('third').replace('echo more', 'echo other');
    assert.deepEqual(
      (await missed(third)).map((name) => name.replace(/ .*(?= \/)/s, '')),
      ['RUN /dir/file', 'COPY /dir', 'RUN /copy', 'COPY /bin/busybox'],
    );
  });

  test('a changed mode or name makes what copies it again', async () => {
    const text = 'FROM scratch\nCOPY src /src\n';
    await missed(text);
    chmodSync(at('src/app'), 0o600);
    assert.deepEqual(await missed(text), ['COPY src /src']);
    renameSync(at('src/app'), at('src/main'));
    assert.deepEqual(await missed(text), ['COPY src /src']);
    renameSync(at('src/main'), at('src/app'));
    chmodSync(at('src/app'), 0o644);
    assert.deepEqual(await missed(text), []);
  });
});
