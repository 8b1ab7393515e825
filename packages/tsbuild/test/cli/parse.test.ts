import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TsbuildError } from '@tsbuild/core';
import { chooseCommand, commandNamed } from '../../src/cli/dispatch.js';
import { parseArgs } from '../../src/cli/parse.js';

const parse = (command: string, words: string[], env: NodeJS.ProcessEnv = {}) =>
  parseArgs(commandNamed(command), words, env);

test('values are taken in every form that docker takes', () => {
  const forms = [
    ['-t', 'app:1', '.'],
    ['-tapp:1', '.'],
    ['-t=app:1', '.'],
    ['--tag', 'app:1', '.'],
    ['--tag=app:1', '.'],
    ['.', '--tag', 'app:1'],
  ];
  for (const words of forms) {
    const args = parse('build', words);
    assert.deepEqual([args.list('tag'), args.positionals], [['app:1'], ['.']], words.join(' '));
  }
});

test('booleans', () => {
  const table: [string[], string, boolean][] = [
    [['--push', '.'], 'push', true],
    [['--push=true', '.'], 'push', true],
    [['--push=1', '.'], 'push', true],
    [['--push=false', '.'], 'push', false],
    [['--push', '--push=false', '.'], 'push', false],
    [['.'], 'push', false],
    [['-q', '.'], 'quiet', true],
    [['-q=false', '.'], 'quiet', false],
  ];
  for (const [words, name, value] of table)
    assert.equal(parse('build', words).bool(name), value, words.join(' '));
});

test('lists keep their order, csv flags split at commas, strings keep the last value', () => {
  const args = parse('build', [
    '--platform',
    'linux/amd64,linux/arm64',
    '--platform',
    'linux/arm',
    '--build-arg',
    'A=1,2',
    '--build-arg',
    'B=3',
    '--target',
    'x',
    '--target',
    'y',
    '.',
  ]);
  assert.deepEqual(args.list('platform'), ['linux/amd64', 'linux/arm64', 'linux/arm']);
  assert.deepEqual(args.list('build-arg'), ['A=1,2', 'B=3']);
  assert.equal(args.string('target'), 'y');
});

test('an empty value counts as given', () => {
  const args = parse('run', ['--entrypoint', '', 'app']);
  assert.equal(args.has('entrypoint'), true);
  assert.equal(args.string('entrypoint'), '');
});

test('flags of run end at the image', () => {
  const args = parse('run', ['-it', '-e', 'A=1', 'app', 'sh', '-c', 'echo --help', '-e']);
  assert.deepEqual(args.positionals, ['app', 'sh', '-c', 'echo --help', '-e']);
  assert.deepEqual([args.bool('interactive'), args.bool('tty'), args.list('env')], [true, true, ['A=1']]);
});

test('-- ends the flags', () => {
  assert.deepEqual(parse('rmi', ['--', '-x', '--y']).positionals, ['-x', '--y']);
});

test('the environment gives what the flags do not', () => {
  assert.equal(parse('build', ['.'], { BUILDKIT_PROGRESS: 'plain' }).string('progress'), 'plain');
  assert.equal(
    parse('build', ['--progress', 'tty', '.'], { BUILDKIT_PROGRESS: 'plain' }).string('progress'),
    'tty',
  );
  assert.equal(
    parse('build', ['.'], { TSBUILD_PROGRESS: 'quiet', BUILDKIT_PROGRESS: 'plain' }).string('progress'),
    'quiet',
  );
  assert.equal(parse('build', ['.'], { TSBUILD_ROOT: '' }).has('root'), false);
});

test('mistakes name the flag and the near match', () => {
  const table: [string, string[], string, RegExp, RegExp][] = [
    [
      'build',
      ['--traget', 'x', '.'],
      'TSB_USAGE_UNKNOWN_FLAG',
      /^unknown flag: --traget$/,
      /Did you mean --target\?/,
    ],
    ['build', ['-target', 'x', '.'], 'TSB_USAGE_UNKNOWN_FLAG', /^unknown flag: -/, /--target/],
    [
      'build',
      ['--zzzzzz', '.'],
      'TSB_USAGE_UNKNOWN_FLAG',
      /^unknown flag: --zzzzzz$/,
      /^See "tsbuild build --help"\.$/,
    ],
    [
      'build',
      ['--push=maybe', '.'],
      'TSB_USAGE_BAD_VALUE',
      /"maybe" for --push: it is true or false/,
      /--help/,
    ],
    ['build', ['--progress', 'plian', '.'], 'TSB_USAGE_BAD_VALUE', /did you mean plain\?/, /--help/],
    ['build', ['.', '-t'], 'TSB_USAGE_MISSING_VALUE', /^flag needs a value: -t$/, /--help/],
    ['build', [], 'TSB_USAGE_MISSING_ARGUMENT', /^tsbuild build needs CONTEXT$/, /tsbuild build -t app \./],
    ['build', ['.', 'x'], 'TSB_USAGE_EXTRA_ARGUMENT', /takes one argument; "x" is one too many/, /--help/],
    ['prune', ['x'], 'TSB_USAGE_EXTRA_ARGUMENT', /takes no arguments/, /--help/],
  ];
  for (const [command, words, code, message, hint] of table) {
    assert.throws(
      () => parse(command, words),
      (error: unknown) => {
        assert.ok(TsbuildError.is(error));
        assert.equal(error.code, code);
        assert.match(error.message, message);
        assert.match(error.hint ?? '', hint);
        return true;
      },
      `${command} ${words.join(' ')}`,
    );
  }
});

test('help needs no other arguments', () => {
  assert.equal(parse('build', ['--help']).bool('help'), true);
  assert.equal(parse('build', ['-h']).bool('help'), true);
});

test('the word build can be left out', () => {
  const table: [string[], string, string[]][] = [
    [['-t', 'app', '.'], 'build', ['-t', 'app', '.']],
    [['.'], 'build', ['.']],
    [['./run'], 'build', ['./run']],
    [['https://example.com/x.git'], 'build', ['https://example.com/x.git']],
    [['-'], 'build', ['-']],
    [['build', '.'], 'build', ['.']],
    [['b', '.'], 'build', ['.']],
    [['run', 'x'], 'run', ['x']],
    [['rm', 'x'], 'rmi', ['x']],
    [['tmp'], 'build', ['tmp']],
  ];
  for (const [words, name, rest] of table) {
    const chosen = chooseCommand(words, '/');
    assert.deepEqual([chosen.command.name, chosen.rest], [name, rest], words.join(' '));
  }
  assert.throws(() => chooseCommand(['psuh'], '/'), {
    code: 'TSB_USAGE_UNKNOWN_COMMAND',
    hint: /tsbuild push/,
  });
});
