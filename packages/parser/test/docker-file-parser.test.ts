/**
 * Where docker-file-parser alone and this parser part ways, and that they agree elsewhere. The package splits
 * prepared lines for us (src/split.ts); this list says what has to be prepared and checked around it. If a new
 * version of it changes an answer, the list shows it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parse as parseAlone } from 'docker-file-parser';
import { parseDockerfile } from '@tsbuild/parser';
import type { FromInstruction, Instruction } from '@tsbuild/parser';

type Summary = [keyword: string, args: string | string[]][];

function alone(text: string): Summary {
  return parseAlone(text).map(({ name, args, error }) => [
    name,
    error ??
      (typeof args === 'object' && !Array.isArray(args)
        ? Object.entries(args).map(([k, v]) => `${k}=${v}`)
        : args),
  ]);
}

function argumentsOf(instruction: FromInstruction | Instruction): string | string[] {
  switch (instruction.kind) {
    case 'from':
      return [
        instruction.image,
        ...(instruction.as === undefined ? [] : [instruction.asKeyword ?? '', instruction.as]),
      ].join(' ');
    case 'run':
    case 'cmd':
    case 'entrypoint':
      return instruction.command.form === 'exec' ? instruction.command.args : instruction.command.text;
    case 'copy':
    case 'add':
      return [...instruction.sources, instruction.destination];
    case 'env':
    case 'label':
      return instruction.pairs.map(({ key, value }) => `${key}=${value}`);
    case 'arg':
      return instruction.args.map(({ name, value }) => (value === undefined ? name : `${name}=${value}`));
    case 'shell':
      return instruction.args;
    case 'volume':
      return instruction.paths;
    case 'expose':
      return instruction.ports;
    case 'workdir':
      return instruction.path;
    case 'user':
      return instruction.user;
    case 'stopsignal':
      return instruction.signal;
    case 'maintainer':
      return instruction.name;
    case 'onbuild':
      return instruction.trigger;
    case 'healthcheck':
      return instruction.command === undefined
        ? 'NONE'
        : argumentsOf({ ...instruction, kind: 'cmd', command: instruction.command });
  }
}

function ours(text: string): Summary {
  try {
    const file = parseDockerfile(text, 'Dockerfile');
    const all = [...file.metaArgs, ...file.stages.flatMap((stage) => [stage.from, ...stage.instructions])];
    return all.map((instruction) => [instruction.keyword.toUpperCase(), argumentsOf(instruction)]);
  } catch (error) {
    return [['error', error instanceof Error ? error.message : String(error)]];
  }
}

test('they agree on the plain language', () => {
  const bodies = [
    'RUN echo "a  b" && c',
    'RUN ["a", "b c"]',
    "RUN ['a']",
    'RUN a \\\n  b \\\n# comment\n  c',
    'CMD ["x"]',
    'CMD x y',
    'ENTRYPOINT ["a", "-b"]',
    'COPY a b /c/',
    'COPY ["a b", "/c"]',
    'ADD a /b',
    'ENV a=b c="d e" f=g\\ h',
    'LABEL a.b=c',
    'ARG a',
    'ARG a=b c',
    'EXPOSE 80 443/tcp',
    'VOLUME /a /b',
    'VOLUME ["/a"]',
    'WORKDIR /a b',
    'USER a:b',
    'STOPSIGNAL 9',
    'MAINTAINER a b',
    '# comment\n\nRUN x',
    'run a',
    'RUN a\r\nRUN b\r',
  ];
  for (const body of bodies) {
    const text = `FROM scratch\n${body}\n`;
    assert.deepEqual(ours(text), alone(text), body);
  }
});

test('words that are split without it are split as it splits them', () => {
  const plain = fc.stringMatching(/^[\w.,:/@%+-][\w.,:=/@%+-]{0,8}$/);
  const quoted = fc
    .tuple(plain, fc.stringMatching(/^[\w .,:=/@%+-]{0,12}$/))
    .map(([key, value]) => `${key}="${value}"`);
  const lines = fc
    .array(fc.oneof(plain, quoted), { minLength: 1, maxLength: 6 })
    .map((words) => words.join(' '));
  fc.assert(
    fc.property(lines, (line) => {
      for (const keyword of line.startsWith('--') ? [] : ['ARG', 'EXPOSE']) {
        const text = `FROM scratch\n${keyword} ${line}\n`;
        assert.deepEqual(ours(text), alone(text));
      }
    }),
    { numRuns: 2000 },
  );
});

test('they part ways here', () => {
  const from = ['FROM', 'scratch'];
  const table: [what: string, body: string, ours: Summary, alone: Summary][] = [
    [
      'heredoc bodies are no instructions',
      'RUN <<EOF\nFROM x\nEOF',
      [['RUN', '<<EOF']],
      [
        ['RUN', '<<EOF'],
        ['FROM', 'x'],
        ['EOF', ''],
      ],
    ],
    [
      'flags are not arguments',
      'COPY --chown=1 a b',
      [['COPY', ['a', 'b']]],
      [['COPY', ['--chown=1', 'a', 'b']]],
    ],
    ['JSON after a flag', 'RUN --network=none ["a"]', [['RUN', ['a']]], [['RUN', '--network=none ["a"]']]],
    [
      'blank line in a continuation',
      'RUN a \\\n\n b',
      [['RUN', 'a  b']],
      [
        ['RUN', 'a'],
        ['B', ''],
      ],
    ],
    ['continuation at the end', 'RUN a \\', [['RUN', 'a']], []],
    [
      'two escape characters at the end',
      'RUN a \\\\\nRUN b',
      [
        ['RUN', 'a \\\\'],
        ['RUN', 'b'],
      ],
      [['RUN', 'a \\RUN b']],
    ],
    ['old form keeps its blanks', 'ENV a b  c', [['ENV', ['a=b  c']]], [['ENV', ['a=b c']]]],
    ['order and names of keys', 'ENV 2=b 1=a', [['ENV', ['2=b', '1=a']]], [['ENV', ['1=a', '2=b']]]],
    ['every name is a key', 'ENV __proto__=x', [['ENV', ['__proto__=x']]], [['ENV', []]]],
    ['HEALTHCHECK', 'HEALTHCHECK CMD ["a"]', [['HEALTHCHECK', ['a']]], [['HEALTHCHECK', 'CMD ["a"]']]],
    ['SHELL', 'SHELL ["a"]', [['SHELL', ['a']]], [['SHELL', '["a"]']]],
    [
      'unknown instructions',
      'FROBNICATE a',
      [['error', 'unknown instruction: FROBNICATE']],
      [['FROBNICATE', 'a']],
    ],
    [
      'arrays of other things',
      'CMD ["a", 1]',
      [['error', 'when using JSON array syntax, arrays must be comprised of strings only']],
      [['CMD', '["a", 1]']],
    ],
    ['missing arguments', 'USER', [['error', 'USER requires exactly one argument']], [['USER', '']]],
  ];
  for (const [what, body, mine, theirs] of table) {
    const text = `FROM scratch\n${body}\n`.replace(/\\\n$/, '\\');
    assert.deepEqual(ours(text), mine[0]?.[0] === 'error' ? mine : [from, ...mine], what);
    assert.deepEqual(alone(text), [from, ...theirs], what);
  }
  const escaped = '# syntax=x\n# escape=`\nFROM scratch\nRUN a `\n b\n';
  assert.deepEqual(ours(escaped), [from, ['RUN', 'a  b']], 'escape after another directive');
  assert.deepEqual(alone(escaped), [from, ['RUN', 'a `'], ['B', '']], 'escape after another directive');
});
