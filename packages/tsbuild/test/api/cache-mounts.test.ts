/** RUN cache mounts in builds that run at the same time, each in an engine process of its own. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type BuildEvent, build } from '../../src/index.js';
import { createFixture, missing, shell } from './fixture.js';

const { root, context, remove } = createFixture();
after(remove);

/** What the last step prints. */
async function output(...lines: string[]): Promise<string> {
  const events: BuildEvent[] = [];
  await build({
    root,
    context,
    dockerfileText: shell(...lines).replace('FROM scratch', 'FROM scratch AS begin'),
    outputs: [{ type: 'cacheonly' }],
    onEvent: (event) => events.push(event),
  });
  return events.flatMap((event) => (event.type === 'log' ? [event.text] : [])).join('');
}

/** The same step at the same time in three builds; a number in the command tells them apart. */
function together(mount: string, command: string): Promise<string[]> {
  const run = (number: number) => output(`RUN --mount=type=cache,target=/c,${mount} n=${number}; ${command}`);
  return Promise.all([1, 2, 3].map(run));
}

describe('cache mounts', { skip: missing, timeout: 600_000 }, () => {
  test('shared: all builds see what each of them writes while they run', async () => {
    const texts = await together(
      'id=shared',
      'echo $n > /c/$n; until [ -e /c/1 ] && [ -e /c/2 ] && [ -e /c/3 ]; do sleep 0.05; done; cat /c/1 /c/2 /c/3',
    );
    assert.deepEqual(texts, ['1\n2\n3\n', '1\n2\n3\n', '1\n2\n3\n']);
  });

  test('locked: one build at a time, on what the one before it left', async () => {
    const texts = await together(
      'id=locked,sharing=locked',
      '[ ! -e /c/busy ] || exit 3; touch /c/busy; sleep 0.3; echo $n >> /c/log; rm /c/busy; wc -l < /c/log',
    );
    assert.deepEqual(texts.map((text) => text.trim()).sort(), ['1', '2', '3']);
  });

  test('private: each build by itself, and afterwards there is something to use again', async () => {
    const texts = await together(
      'id=private,sharing=private',
      '[ ! -e /c/used ] || exit 3; touch /c/used; sleep 2; ls -A /c',
    );
    assert.deepEqual(texts, ['used\n', 'used\n', 'used\n']);
    assert.equal(
      await output('RUN --mount=type=cache,target=/c,id=private,sharing=private ls -A /c'),
      'used\n',
    );
  });

  test('from and source: a new cache begins with their files, and other files are another cache', async () => {
    const text = (word: string) => [
      `RUN mkdir -p /first/dir; echo ${word} > /first/dir/file`,
      'FROM scratch AS user',
      'COPY busybox /bin/sh',
      `RUN --mount=type=cache,target=/c,id=begun,from=begin,source=/first/dir : ${word}; /bin/sh -c "read x < /c/file; echo \\$x; echo more > /c/file"`,
    ];
    assert.equal(await output(...text('one')), 'one\n');
    assert.equal(await output(...text('two')), 'two\n');
    // The first cache is still what it was made.
    const again = text('one').map((line) => line.replace(': one', ': again'));
    assert.equal(await output(...again), 'more\n');
  });

  test('ids are hashed into names of folders', async () => {
    await output('RUN --mount=type=cache,target=/c,id=../../../etc touch /c/here');
    assert.equal(await output('RUN --mount=type=cache,target=/d,id=../../../etc ls -A /d'), 'here\n');
    const names = readdirSync(join(root, 'mounts'));
    assert.deepEqual(
      names.filter((name) => !/^[0-9a-f]{64}(?:\.\d+)?$/.test(name)),
      [],
    );
  });

  test('the target is the id where none is given, and in no layer', async () => {
    await output('RUN --mount=type=cache,target=/t echo kept > /t/f');
    assert.equal(
      await output('RUN --mount=type=cache,target=/other,id=/t cat /other/f', 'RUN ls -A /t 2>&1 || true'),
      'kept\nls: /t: No such file or directory\n',
    );
  });
});
