/** A compiler stage and a scratch stage: the image is one static binary. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { succeed, Tsbuild } from '../support/command.js';
import { pushDebian } from '../support/debian.js';
import { workFolder } from '../support/env.js';
import { steps } from '../support/events.js';
import { writeTree } from '../support/files.js';

test('a static C binary copied into scratch is the only file of the image and runs', async (t) => {
  const work = workFolder('c');
  const tsbuild = new Tsbuild(join(work, 'store'));
  const base = await pushDebian(tsbuild);
  const context = writeTree(join(work, 'context'), {
    'hello.c': '#include <stdio.h>\nint main(void) { puts("hello from scratch"); return 0; }\n',
    Dockerfile: `FROM ${base} AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
WORKDIR /src
COPY hello.c .
RUN gcc -static -O2 -o /hello hello.c && strip /hello
FROM ${base} AS unused
RUN exit 1
FROM scratch
COPY --from=build /hello /hello
ENTRYPOINT ["/hello"]
`,
  });

  const cold = await tsbuild.ok(['build', '--progress=rawjson', '-t', 'hello:c', context]);
  t.diagnostic(`cold build: ${cold.seconds.toFixed(1)} s`);
  assert.equal(steps(cold).ran.filter((name) => name.includes('exit 1')).length, 0, 'an unused stage ran');

  const tar = join(work, 'rootfs.tar');
  await tsbuild.ok(['build', '-o', `type=tar,dest=${tar}`, context]);
  const listed = await succeed('tar', ['-tf', tar]);
  assert.equal(listed.stdout, 'hello\n');

  const ran = await tsbuild.ok(['run', 'hello:c']);
  assert.equal(ran.stdout, 'hello from scratch\n');

  const again = await tsbuild.ok(['build', '--progress=rawjson', '-t', 'hello:c', context]);
  assert.deepEqual(
    steps(again).ran.filter((name) => /RUN|COPY/.test(name)),
    [],
  );
  t.diagnostic(`cached build: ${again.seconds.toFixed(2)} s`);
});
