/** No input makes the parser throw anything but a TsbuildError, hang, or take more than linear time. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import fc from 'fast-check';
import { TsbuildError } from '@tsbuild/core';
import { type Dockerfile, parseDockerfile, parseTrigger, printDockerfile } from '@tsbuild/parser';

const golden = fileURLToPath(new URL('../../test/golden/', import.meta.url));
const corpus = readdirSync(golden)
  // Its heredoc's body belongs to no word, so the tree does not have it.
  .filter((name) => name !== 'copy-heredoc-blank-before-name-is-path')
  .map((name) => readFileSync(`${golden}${name}/Dockerfile`, 'utf8'));

function parse(text: string | Uint8Array): Dockerfile | undefined {
  try {
    return parseDockerfile(text, 'Dockerfile');
  } catch (error) {
    assert.ok(
      TsbuildError.is(error),
      `not a TsbuildError: ${error instanceof Error ? error.stack : String(error)}`,
    );
    assert.ok(error.source && error.hint, `${error.code} has a place and a hint`);
    return undefined;
  }
}

/** The tree without what printing does not keep. */
function essence(file: Dockerfile): unknown {
  const drop = new Set(['range', 'original', 'text', 'warnings']);
  return JSON.parse(JSON.stringify(file, (key, value: unknown) => (drop.has(key) ? undefined : value)));
}

const tokens = [
  'FROM',
  'RUN',
  'COPY',
  'ADD',
  'ENV',
  'LABEL',
  'ARG',
  'ONBUILD',
  'HEALTHCHECK',
  'CMD',
  'SHELL',
  'VOLUME',
  'scratch',
  'AS',
  ' ',
  ' ',
  ' ',
  '\n',
  '\n',
  '\n',
  '\\\n',
  '\\',
  '`',
  '"',
  "'",
  '$',
  '${',
  '}',
  ':-',
  '<<EOF',
  '<<-"A"',
  'EOF\n',
  'A\n',
  '[',
  ']',
  '["a"]',
  ',',
  '=',
  'a',
  'b=c',
  '--from=x',
  '--mount=type=cache',
  '--',
  '#',
  '# escape=`\n',
  '\r\n',
  '\t',
  '\uFEFF',
  '\u0000',
  '\u0085',
  '\ud800',
  'é',
  '😀',
  '/',
  '<<',
  '<< ',
  '1',
];

test('random bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => void parse(bytes)),
    { numRuns: 500 },
  );
});

test('random piles of what Dockerfiles are made of', () => {
  const text = fc
    .array(fc.constantFrom(...tokens), { maxLength: 60 })
    .map((parts) => `FROM scratch\n${parts.join('')}`);
  fc.assert(
    fc.property(text, (input) => void parse(input)),
    { numRuns: 3000 },
  );
});

test('mutated real Dockerfiles', () => {
  const edit = fc.tuple(fc.nat(), fc.nat(6), fc.constantFrom(...tokens));
  fc.assert(
    fc.property(fc.constantFrom(...corpus), fc.array(edit, { maxLength: 8 }), (text, edits) => {
      const mutated = edits.reduce((current, [at, removed, added]) => {
        const start = at % (current.length + 1);
        return current.slice(0, start) + added + current.slice(start + removed);
      }, text);
      parse(mutated);
    }),
    { numRuns: 2000 },
  );
});

test('triggers', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...tokens), { maxLength: 20 }), (parts) => {
      try {
        parseTrigger(parts.join(''));
      } catch (error) {
        assert.ok(TsbuildError.is(error), String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

test('what is printed parses to the same tree', () => {
  for (const text of corpus) {
    const file = parseDockerfile(text, 'Dockerfile');
    const printed = printDockerfile(file);
    assert.deepEqual(essence(parseDockerfile(printed, 'Dockerfile')), essence(file), printed);
  }
});

test('random Dockerfiles survive printing and parsing', () => {
  const words = fc.array(fc.constantFrom(...tokens.filter((token) => !/[\u0085\uFEFF\ud800]/.test(token))), {
    maxLength: 12,
  });
  const text = fc
    .array(words, { maxLength: 6 })
    .map((lines) => `FROM scratch\n${lines.map((l) => l.join('')).join('\n')}`);
  fc.assert(
    fc.property(text, (input) => {
      const file = parse(input);
      if (file === undefined) return;
      const printed = printDockerfile(file);
      assert.deepEqual(essence(parseDockerfile(printed, 'Dockerfile')), essence(file), printed);
    }),
    { numRuns: 3000 },
  );
});

const megabyte = 1024 * 1024;
const fill = (piece: string) => piece.repeat(Math.ceil(megabyte / piece.length));
const longLine = (piece: string) => fill(`${piece.repeat(Math.floor(60_000 / piece.length))}\\\n`);

/** 50,000 names, each between the same two texts. */
const names = (before: string, after: string) =>
  Array.from({ length: 50_000 }, (_, index) => `${before}N${index}${after}`).join('');

const large: [name: string, text: string][] = [
  ['many short RUN lines', fill('RUN echo hello\n')],
  ['one RUN of many continued lines', `RUN a ${fill('&& b \\\n')}`],
  ['blank lines in a continuation', `RUN a \\\n${fill('\n')}`],
  ['comments in a continuation', `RUN a \\\n${fill('# c\n')}`],
  ['comments', fill('# c\n')],
  ['long comment lines', fill(`#${' '.repeat(60_000)}\n`)],
  ['one heredoc', `RUN <<EOF\n${fill('line\n')}EOF\n`],
  ['heredoc that never ends', `RUN <<EOF\n${fill('EOF \n')}`],
  ['many heredocs', fill('COPY <<A <<B /d/\nx\nA\ny\nB\n')],
  ['many heredocs in one line', `COPY ${'<<A '.repeat(15_000)}/d/\n${'A\n'.repeat(15_000)}`],
  ['heredoc signs', `RUN ${longLine('<<')}`],
  ['heredoc signs and blanks', `RUN ${longLine('<< ')}`],
  ['heredocs of other names in one line', `COPY ${names('<<', ' \\\n')}/d/\n${names('', '\n')}`],
  ['heredocs of quoted names in one line', `COPY ${names('<<"', '" \\\n')}/d/\n${names('', '\n')}`],
  ['LABEL pairs', `LABEL ${names('', '=v \\\n')}x=y\n`],
  ['ARG names', `ARG ${names('', ' \\\n')}x=y\n`],
  ['ARG lines', names('ARG ', '\n')],
  ['triggers of triggers', `ONBUILD ${longLine('ONBUILD ')}`],
  ['triggers', fill('ONBUILD RUN a\n')],
  ['carriage returns and continuations', fill('RUN a \\\r\n  b\r\n')],
  ['words of a SHELL', fill('SHELL ["/bin/sh", "-c"]\n')],
  ['comments that swallow', fill("RUN a '#' \\\n# c\n b #\n")],
  ['tabs of a heredoc', `RUN <<-EOF\n${fill('\t\t\tEO\n')}EOF\n`],
  ['carriage returns', fill(`${'\r'.repeat(60_000)}x\n`).replace(/^/, 'ENV a=b')],
  ['ENV pairs', `ENV ${longLine('a=b ')}`],
  ['ENV quotes', `ENV a=${longLine('"b"')}`],
  ['ENV escapes', `ENV a=${longLine('\\b')}`],
  ['ENV open quotes', `ENV a=${longLine('"b ')}`],
  ['ARG words', `ARG ${longLine('a ')}`],
  ['COPY words', `COPY ${longLine('a ')}`],
  ['JSON nested', `RUN ${longLine('[')}`],
  ['JSON words', `RUN [${longLine('"a",')}"b"]`],
  ['backslashes', `RUN ${fill(`${'\\'.repeat(60_000)}\n`)}`],
  ['backslashes and blanks', `RUN ${longLine('\\ ')}`],
  ['flags', `COPY ${longLine('--exclude=a ')} a b`],
  ['flag quotes', `COPY ${longLine('--exclude="')}`],
  ['substitutions', `ENV a=${longLine('${a:-')}`],
  ['blanks', `RUN ${longLine(' ')}`],
  ['stages', fill('FROM a AS b\n')],
];

for (const [name, text] of large) {
  test(`a megabyte of ${name} takes linear time`, () => {
    const before = process.cpuUsage();
    parse(`FROM scratch\n${text}`);
    // Processor time, for a busy machine; far below what anything quadratic would take.
    const { user } = process.cpuUsage(before);
    assert.ok(user < 5e6, `${user} µs`);
  });
}
