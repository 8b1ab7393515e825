/** What the benchmark builds. Each is prepared once; a run's `change`, where it has one, happens before each build. */
import { appendFileSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bases } from '../peers/cases.js';
import { writeTree } from '../support/files.js';

export interface BenchCase {
  name: string;
  prepare(context: string, bases: Bases, repository: string): void;
  options?(bases: Bases): string[];
  runs: BenchRun[];
}

export interface BenchRun {
  name: string;
  /** Nothing from the cache; the base image is there. */
  cold: boolean;
  /** Before each build. */
  change?(context: string): void;
}

const cold: BenchRun = { name: 'cold', cold: true };
const noop: BenchRun = { name: 'nothing changed', cold: false };

export const cases: BenchCase[] = [
  {
    name: 'apt',
    prepare: (context, { debian }) =>
      writeTree(context, {
        Dockerfile: `FROM ${debian}
RUN apt-get update && apt-get install -y --no-install-recommends curl
ENTRYPOINT ["curl"]
`,
      }),
    runs: [cold, noop],
  },
  {
    name: 'c-program',
    prepare: (context, { debian }) =>
      writeTree(context, {
        'hello.c': '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n',
        Dockerfile: `FROM ${debian} AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
WORKDIR /src
COPY hello.c .
RUN gcc -static -O2 -o /hello hello.c && strip /hello
FROM scratch
COPY --from=build /hello /hello
ENTRYPOINT ["/hello"]
`,
      }),
    runs: [cold, noop, { name: 'source changed', cold: false, change: touch('hello.c', '/* more */\n') }],
  },
  {
    name: 'node-app',
    prepare: (context, _bases, repository) =>
      cpSync(join(repository, 'examples/node-app'), context, { recursive: true }),
    options: ({ node }) => ['--build-arg', `NODE_IMAGE=${node}`],
    runs: [cold, noop, { name: 'source changed', cold: false, change: touch('server.js', '// more\n') }],
  },
  {
    name: 'run-20',
    prepare: (context, { debian }) => {
      const steps = Array.from({ length: 20 }, (_, index) => `RUN echo ${index} > /step-${index}\n`);
      writeTree(context, { Dockerfile: `FROM ${debian}\n${steps.join('')}` });
    },
    runs: [cold, noop],
  },
  {
    name: 'copy-20000',
    prepare: (context, { debian }) => {
      const line = 'some text of a source file, again and again\n'.repeat(134);
      for (let folder = 0; folder < 200; folder++) {
        mkdirSync(join(context, `src/${folder}`), { recursive: true });
        for (let file = 0; file < 100; file++)
          writeFileSync(join(context, `src/${folder}/${file}.js`), `// ${folder} ${file}\n${line}`);
      }
      writeTree(context, { Dockerfile: `FROM ${debian}\nCOPY . /app\n` });
    },
    runs: [cold, noop, { name: 'source changed', cold: false, change: touch('src/7/7.js', '// more\n') }],
  },
];

function touch(file: string, text: string): (context: string) => void {
  return (context) => appendFileSync(join(context, file), text);
}
