/**
 * Times the parser alone, a megabyte of one kind of Dockerfile after the other, without any other builder:
 *
 *   npm run bench -- --case parse
 *
 * The first parse is that of a cold process, the median that of one whose code the engine has compiled.
 */
import { parseDockerfile } from '@tsbuild/parser';

const megabyte = 1024 * 1024;
const fill = (piece: string) => piece.repeat(Math.ceil(megabyte / piece.length));

const kinds: [name: string, text: string][] = [
  ['short RUN lines', fill('RUN echo hello\n')],
  ['one RUN of continued lines', `RUN a ${fill('&& b \\\n')}`],
  ['comments in a continuation', `RUN a \\\n${fill('# c\n')}`],
  ['comments', fill('# a comment\n')],
  ['one heredoc', `RUN <<EOF\n${fill('line\n')}EOF\n`],
  ['a heredoc per RUN', fill('RUN <<EOF\necho a\nEOF\n')],
  ['two heredocs per COPY', fill('COPY <<A <<B /d/\nx\nA\ny\nB\n')],
  ['COPY with flags', fill('COPY --from=a --chown=1:2 a b /c/\n')],
  ['RUN with mounts', fill('RUN --mount=type=cache,target=/root/.cache make\n')],
  ['CMD in JSON', fill('CMD ["node", "server.js"]\n')],
  ['ENV pairs', fill('ENV NAME=value OTHER="two words"\n')],
  ['stages', fill('FROM image AS name\n')],
];

const rounds = 9;
console.log('| 1 MiB of | first, ms | median, ms |\n| --- | --- | --- |');
for (const [name, text] of kinds) {
  const times = Array.from({ length: rounds }, () => {
    const started = performance.now();
    parseDockerfile(`FROM scratch\n${text}`, 'Dockerfile');
    return performance.now() - started;
  });
  const [first = 0] = times;
  const median = times.sort((a, b) => a - b)[Math.floor(rounds / 2)] ?? 0;
  console.log(`| ${name} | ${first.toFixed(0)} | ${median.toFixed(0)} |`);
}
