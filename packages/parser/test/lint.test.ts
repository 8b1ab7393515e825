/**
 * Walks lint/<case>/{Dockerfile,dockerignore?,lints.txt}. The findings of BuildKit's own rules in these files were
 * compared with `docker buildx build --check`. UPDATE_GOLDEN=1 writes what is found now.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { PatternMatcher, parseIgnoreFile } from '@tsbuild/core';
import { type CheckOptions, checkDockerfile, lintViolation, parseDockerfile, rules } from '@tsbuild/parser';

const root = fileURLToPath(new URL('../../test/lint/', import.meta.url));
const update = process.env['UPDATE_GOLDEN'] === '1';

function check(text: string, options: CheckOptions = {}): string[] {
  const lints = checkDockerfile(parseDockerfile(text, 'Dockerfile'), options);
  return lints.map(({ range, rule, message }) => `${range.startLine} ${rule}: ${message}`);
}

for (const name of readdirSync(root)) {
  test(`lint: ${name}`, () => {
    const folder = `${root}${name}`;
    const ignoreFile = `${folder}/dockerignore`;
    const options: CheckOptions = existsSync(ignoreFile)
      ? { ignore: new PatternMatcher(parseIgnoreFile(readFileSync(ignoreFile, 'utf8'))) }
      : {};
    const got = check(readFileSync(`${folder}/Dockerfile`, 'utf8'), options)
      .map((line) => `${line}\n`)
      .join('');
    if (update) writeFileSync(`${folder}/lints.txt`, got);
    assert.equal(got, readFileSync(`${folder}/lints.txt`, 'utf8'));
  });
}

test("every rule has a name of its own, a description, and a page if it is BuildKit's", () => {
  assert.equal(new Set(rules.map(({ name }) => name)).size, rules.length);
  const ours = [
    'SwallowedComment',
    'TypographicCharacter',
    'HeredocWithBlank',
    'InvalidTrigger',
    'SecretValue',
    'MetadataOnlyRun',
  ];
  for (const { name, description, url } of rules) {
    assert.ok(description.length > 10, name);
    assert.equal(url === undefined, ours.includes(name), name);
  }
});

test('facts about base images sharpen the checks', () => {
  const text = 'FROM app\nENV a=$HOME_DIR b=$HOME_DIRS c=$FROM_ONBUILD\nCMD x\n';
  const facts = {
    env: ['HOME_DIR=/h'],
    shell: ['/bin/bash', '-c'],
    onbuild: ['ENV FROM_ONBUILD=1'],
    platform: 'linux/arm64',
  };
  const asked: [string, string][] = [];
  const found = check(text, {
    targetPlatform: 'linux/amd64',
    baseImage: (reference, platform) => {
      asked.push([reference, platform]);
      return facts;
    },
  });
  assert.deepEqual(asked, [['app', 'linux/amd64']]);
  assert.deepEqual(found, [
    '1 InvalidBaseImagePlatform: Base image app was pulled with platform "linux/arm64", expected "linux/amd64" for current build',
    "2 UndefinedVar: Usage of undefined variable '$HOME_DIRS' (did you mean $HOME_DIR?)",
  ]);
});

test('build arguments count', () => {
  const text = 'ARG BASE\nFROM $BASE\nFROM scratch\nARG A\nARG B\nENV x=$A$B\n';
  assert.deepEqual(check(text, { buildArgs: { BASE: 'alpine', A: '1' } }), [
    '2 InvalidDefaultArgInFrom: Default value for ARG $BASE results in empty or invalid base image name',
  ]);
});

test('only the stages that are built are walked, names are checked in all', () => {
  const text = 'FROM scratch AS A\nLABEL a=$x\nFROM scratch AS b\nLABEL a=$y\n';
  assert.deepEqual(check(text, { stages: new Set([1]) }), [
    "1 StageNameCasing: Stage name 'A' should be lowercase",
    "4 UndefinedVar: Usage of undefined variable '$y'",
  ]);
});

test('error=true makes an error of findings', () => {
  const file = parseDockerfile('# check=error=true\nFROM scratch as B\n', 'Dockerfile');
  const error = lintViolation(file, checkDockerfile(file));
  assert.equal(error?.message, 'lint violation found for rules: FromAsCasing, StageNameCasing');
  assert.equal(error?.code, 'TSB_LINT_VIOLATION');
  assert.equal(lintViolation(file, []), undefined);
  const buildArgs = { BUILDKIT_DOCKERFILE_CHECK: 'skip=all' };
  assert.deepEqual(checkDockerfile(file, { buildArgs }), []);
});

test("a broken directive is refused with BuildKit's words", () => {
  const table: [directive: string, message: string][] = [
    ['foo=bar', 'invalid check option "foo"'],
    ['skip', 'invalid check option "skip"'],
    [' skip = A', 'invalid check option "skip "'],
    ['error=x', 'failed to parse check option "error=x": strconv.ParseBool: parsing "x": invalid syntax'],
    [
      'skip=a;skip=b;error=true;c=d',
      'failed to parse check option "error=true;c=d": strconv.ParseBool: parsing "true;c=d": invalid syntax',
    ],
  ];
  for (const [directive, message] of table) {
    const file = parseDockerfile(`# check=${directive}\nFROM scratch\n`, 'Dockerfile');
    assert.throws(() => checkDockerfile(file), {
      code: 'TSB_LINT_BAD_DIRECTIVE',
      message: `failed to parse check options: ${message}`,
    });
  }
});

test('words that cannot be expanded are told and skipped', () => {
  const errors: string[] = [];
  const found = check('FROM scratch\nENV a=${x^} b=$y\n', { onError: (error) => errors.push(error.message) });
  assert.deepEqual(found, ["2 UndefinedVar: Usage of undefined variable '$y'"]);
  assert.deepEqual(errors, ['failed to process "${x^}": unsupported modifier (^) in substitution']);
});
