/** The findings of BuildKit's own checks are those that `docker buildx build --call check` had (lint-buildkit.json). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PatternMatcher } from '@tsbuild/core';
import { type CheckOptions, checkDockerfile, parseDockerfile, rules } from '@tsbuild/parser';

interface Case {
  name: string;
  dockerfile: string[];
  ignore?: string[];
  buildArgs?: Record<string, string>;
  /** Its stages were asked for. */
  target?: string;
  /** First and last line, rule, message. */
  found: [number, number, string, string][];
}

const file = fileURLToPath(new URL('../../test/lint-buildkit.json', import.meta.url));
const cases = JSON.parse(readFileSync(file, 'utf8')) as Case[];
const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Stages that the targets of the table need. */
const needed: Readonly<Record<string, number[]>> = { target: [1], target2: [0, 1] };

for (const { name, dockerfile, ignore, buildArgs, target, found } of cases) {
  test(`as BuildKit: ${name}`, () => {
    const options: CheckOptions = {
      baseImage: () => ({ env: [path], platform: 'linux/amd64' }),
      ...(ignore === undefined ? {} : { ignore: new PatternMatcher(ignore) }),
      ...(buildArgs === undefined ? {} : { buildArgs }),
      ...(target === undefined ? {} : { target, stages: new Set(needed[name]) }),
    };
    const lints = checkDockerfile(parseDockerfile(`${dockerfile.join('\n')}\n`, 'Dockerfile'), options);
    const got = lints
      .filter(({ url }) => url !== undefined)
      .map(({ range, rule, message }) => [range.startLine, range.endLine, rule, message]);
    const order = (entries: unknown[]) => entries.map((each) => JSON.stringify(each)).sort();
    assert.deepEqual(order(got), order(found));
  });
}

test('the table has every check but those that need an image of another platform or a newer BuildKit', () => {
  const seen = new Set(cases.flatMap(({ found }) => found.map(([, , rule]) => rule)));
  const missing = rules
    .filter(({ name, url }) => url !== undefined && !seen.has(name))
    .map(({ name }) => name);
  assert.deepEqual(missing, ['InvalidBaseImagePlatform']);
});
