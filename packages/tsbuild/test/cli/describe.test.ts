/**
 * `--call outline|targets` against what `docker buildx build --call METHOD[,format=json]` printed for the same files:
 * describe/<case>/{Dockerfile,outline.txt,outline-json.txt,targets.txt,targets-json.txt}; outline-args.txt is with --target base
 * and --build-arg A=ba, X=bx and E=e, outline-args-last.txt without the target. And `check` in its three formats.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { main } from '../../src/cli/dispatch.js';
import { check, outline, targets } from '../../src/index.js';

const cases = fileURLToPath(new URL('../../../test/cli/describe/', import.meta.url));

interface Done {
  status: number;
  out: string;
  err: string;
}

async function tsbuild(words: string[], input = '', cwd = process.cwd()): Promise<Done> {
  const said = { out: '', err: '' };
  const to = (name: 'out' | 'err') => ({
    write(text: string | Uint8Array) {
      said[name] += text;
      return true;
    },
  });
  const status = await main(words, {
    stdin: Object.assign(new PassThrough(), { isTTY: false }).end(input) as never,
    stdout: to('out'),
    stderr: to('err'),
    env: { ...process.env, TSBUILD_LAUNCHED: '1' },
    cwd,
    signal: new AbortController().signal,
  });
  return { status, ...said };
}

const withArgs = ['--build-arg', 'A=ba', '--build-arg', 'X=bx', '--build-arg', 'E=e'];

for (const name of readdirSync(cases)) {
  const folder = join(cases, name);
  const expected = (file: string) => readFileSync(join(folder, file), 'utf8');
  test(`${name}: as docker buildx prints it`, async () => {
    for (const method of ['outline', 'targets']) {
      const text = await tsbuild(['build', '--call', method, folder]);
      assert.deepEqual(text, { status: 0, out: expected(`${method}.txt`), err: '' });
      const json = await tsbuild(['build', '--print', `${method},format=json`, folder]);
      assert.equal(json.out, expected(`${method}-json.txt`));
    }
    if (!existsSync(join(folder, 'outline-args.txt'))) return;
    const given = await tsbuild(['build', '--call=outline', ...withArgs, '--target', 'base', folder]);
    assert.equal(given.out, expected('outline-args.txt'));
    const last = await tsbuild(['build', '--call=outline', ...withArgs, folder]);
    assert.equal(last.out, expected('outline-args-last.txt'));
  });
}

test('the library gives the same as data', async () => {
  const dockerfileText =
    '# V the version\nARG V=1\nFROM scratch AS a\nARG V\nFROM a\nRUN --mount=type=secret,id=s,required true\n';
  const { file, ...rest } = await outline({ dockerfileText });
  assert.deepEqual(file, { name: 'Dockerfile', text: dockerfileText });
  assert.deepEqual(rest, {
    args: [{ name: 'V', description: 'the version', value: '1', lines: { start: 2, end: 2 } }],
    secrets: [{ name: 's', required: true, lines: { start: 6, end: 6 } }],
    ssh: [],
  });
  assert.deepEqual((await targets({ dockerfileText })).targets, [
    { name: 'a', default: false, base: 'scratch', lines: { start: 3, end: 3 } },
    { default: true, base: 'a', lines: { start: 5, end: 5 } },
  ]);
  await assert.rejects(outline({ dockerfileText, target: 'b' }), { code: 'TSB_GRAPH_NO_STAGE' });
});

const faulty = 'FROM scratch AS A\nWORKDIR x\nMAINTAINER \\\n  me\n';

test('check: findings as data; with a target only of the stages it needs', async () => {
  const { warnings } = await check({ dockerfileText: faulty });
  assert.deepEqual(
    warnings.map(({ rule, line }) => [rule, line]),
    [
      ['StageNameCasing', 1],
      ['WorkdirRelativePath', 2],
      ['MaintainerDeprecated', 3],
    ],
  );
  const two = 'FROM scratch AS a\nWORKDIR x\nFROM scratch AS b\nWORKDIR y\n';
  const lines = async (target?: string) =>
    (await check({ dockerfileText: two, ...(target === undefined ? {} : { target }) })).warnings.map(
      ({ line }) => line,
    );
  assert.deepEqual([await lines(), await lines('a'), await lines('b')], [[2, 4], [2], [4]]);
});

test('check: JSON as docker buildx has it, a range for each line', async () => {
  const { status, out } = await tsbuild(['build', '--call', 'check,format=json', '-f', '-', cases], faulty);
  const { warnings, sources } = JSON.parse(out);
  assert.equal(status, 1);
  assert.deepEqual(warnings[2], {
    ruleName: 'MaintainerDeprecated',
    description: 'The MAINTAINER instruction is deprecated, use a label instead to define an image author',
    url: 'https://docs.docker.com/go/dockerfile/rule/maintainer-deprecated/',
    detail: 'Maintainer instruction is deprecated in favor of using label',
    location: {
      ranges: [
        { start: { line: 3 }, end: { line: 3 } },
        { start: { line: 4 }, end: { line: 4 } },
      ],
    },
  });
  const data = Buffer.from(faulty).toString('base64');
  assert.deepEqual(sources, [{ filename: 'Dockerfile', data, language: 'Dockerfile' }]);
  const clean = await tsbuild(['check', '--format', 'json', '-f', '-'], 'FROM scratch\n');
  assert.equal(clean.status, 0);
  assert.equal(JSON.parse(clean.out).warnings, null);
});

test('check: a Dockerfile that cannot be read is told in the format that was asked for', async () => {
  const text = 'FROM scratch\nCOPPY a b\n';
  const json = await tsbuild(['check', '--format', 'json', '-f', '-'], text);
  assert.equal(json.status, 1);
  assert.deepEqual(JSON.parse(json.out).buildError, {
    message: 'dockerfile parse error on line 2: unknown instruction: COPPY (did you mean COPY?)',
    location: { ranges: [{ start: { line: 2 }, end: { line: 2 } }] },
  });
  const log = JSON.parse((await tsbuild(['check', '--format', 'sarif', '-f', '-'], text)).out);
  const [result] = log.runs[0].results;
  assert.equal(result.level, 'error');
  assert.equal(result.ruleId, 'TSB_PARSE_UNKNOWN_INSTRUCTION');
  const plain = await tsbuild(['check', '-f', '-'], text);
  assert.equal(plain.out, '');
  assert.match(plain.err, /2 \| >>> COPPY a b/);
});

test('check: what fails before any step runs is told, after the findings', async () => {
  const table: [dockerfile: string, code: string, line: number][] = [
    ['FROM scratch\nCOPY --from=9 a b\n', 'TSB_GRAPH_NO_STAGE', 2],
    ['FROM scratch AS a\nCOPY --from=b x y\nFROM scratch AS b\n', 'TSB_GRAPH_STAGE_ORDER', 2],
    ['FROM scratch\nEXPOSE 99999\n', 'TSB_GRAPH_EXPOSE', 2],
    ['FROM scratch AS unused\nSTOPSIGNAL foo\nFROM scratch\n', 'TSB_GRAPH_STOPSIGNAL', 2],
    ['FROM --platform=a/b/c/d scratch\n', 'TSB_GRAPH_PLATFORM', 1],
    ['FROM Busybox:latest\n', 'TSB_RESOLVE_BAD_REFERENCE', 1],
    ['# check=error=true\nFROM scratch AS A\n', 'TSB_LINT_VIOLATION', 2],
  ];
  for (const [dockerfileText, code, line] of table) {
    const { error } = await check({ dockerfileText });
    assert.deepEqual([error?.code, error?.source?.range.startLine], [code, line], dockerfileText);
  }
  const own = await check({ dockerfileText: '# check=error=true\nFROM scratch\nRUN chown -R 1 /x\n' });
  assert.deepEqual([own.warnings.length, own.error], [1, undefined]);
  // The image may set the variable.
  assert.equal((await check({ dockerfileText: 'FROM busybox\nVOLUME $DIR\n' })).error, undefined);
  const cli = await tsbuild(['check', '-f', '-'], 'FROM scratch AS A\nSTOPSIGNAL foo\n');
  assert.match(cli.out, /^Check complete, 1 warning/);
  assert.match(cli.err, /invalid signal: foo/);
  assert.equal(cli.status, 1);
});

test('check: SARIF names rule, file and region', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsbuild-check-'));
  try {
    writeFileSync(join(folder, 'Docker file'), faulty);
    const words = ['check', '--format', 'sarif', '-f', join(folder, 'Docker file'), folder];
    const { status, out } = await tsbuild(words, '', folder);
    assert.equal(status, 1);
    const log = JSON.parse(out);
    assert.equal(log.version, '2.1.0');
    const [{ tool, results }] = log.runs;
    assert.equal(results.length, 3);
    const [, , last] = results;
    assert.equal(tool.driver.rules[last.ruleIndex].id, 'MaintainerDeprecated');
    assert.deepEqual(last, {
      ruleId: 'MaintainerDeprecated',
      ruleIndex: last.ruleIndex,
      level: 'warning',
      message: { text: 'Maintainer instruction is deprecated in favor of using label' },
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: 'Docker%20file' },
            region: { startLine: 3, startColumn: 1, endLine: 4, endColumn: 5 },
          },
        },
      ],
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('--call: what there is, and how it ends', async () => {
  const status = async (...words: string[]) =>
    (await tsbuild(['build', ...words, '-f', '-', cases], faulty)).status;
  assert.equal(await status('--check'), 1);
  assert.equal(await status('--call', 'lint'), 1);
  assert.equal(await status('--call', 'check,ignorestatus=true'), 0);
  for (const wrong of ['outlines', 'targets,format=xml', 'outline,format=sarif', 'check,x=y']) {
    const { status, err } = await tsbuild(['build', '--call', wrong, '.']);
    assert.equal(status, 2, wrong);
    assert.match(err, /TSB_USAGE_BAD_VALUE/);
  }
});

test('the context may be the Dockerfile itself, or a stream', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsbuild-check-'));
  try {
    writeFileSync(join(folder, 'my.Dockerfile'), faulty);
    const { out } = await tsbuild(['check', join(folder, 'my.Dockerfile')]);
    assert.match(out, /\/my\.Dockerfile:1$/m);
    const piped = await targets({ context: Readable.from([Buffer.from('FROM scratch AS x\n')]) });
    assert.deepEqual(
      piped.targets.map(({ name }) => name),
      ['x'],
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
