import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TsbuildError } from '@tsbuild/core';
import {
  apiReference,
  familiarReference,
  formatReference,
  normalizeReference,
  normalizeRegistry,
  parseReference,
  withDefaultTag,
} from '../src/reference.js';

const hex = 'a'.repeat(64);

const good: [string, string, string][] = [
  // written, full, familiar
  ['alpine', 'docker.io/library/alpine', 'alpine'],
  ['alpine:3.20', 'docker.io/library/alpine:3.20', 'alpine:3.20'],
  ['library/alpine', 'docker.io/library/alpine', 'alpine'],
  ['docker.io/alpine', 'docker.io/library/alpine', 'alpine'],
  ['index.docker.io/library/alpine', 'docker.io/library/alpine', 'alpine'],
  ['user/app:V1_x.y-z', 'docker.io/user/app:V1_x.y-z', 'user/app:V1_x.y-z'],
  ['localhost/app', 'localhost/app', 'localhost/app'],
  ['localhost:5000/app', 'localhost:5000/app', 'localhost:5000/app'],
  ['Host/app', 'Host/app', 'Host/app'],
  ['ghcr.io/a/b/c:1', 'ghcr.io/a/b/c:1', 'ghcr.io/a/b/c:1'],
  ['[::1]:5000/app', '[::1]:5000/app', '[::1]:5000/app'],
  [`app@sha256:${hex}`, `docker.io/library/app@sha256:${hex}`, `app@sha256:${hex}`],
  [`app:1@sha256:${hex}`, `docker.io/library/app:1@sha256:${hex}`, `app:1@sha256:${hex}`],
  ['a__b/c---d.e', 'docker.io/a__b/c---d.e', 'a__b/c---d.e'],
  ['xn--n3h.com/app', 'xn--n3h.com/app', 'xn--n3h.com/app'],
  ['docker.io/library/a/b', 'docker.io/library/a/b', 'library/a/b'],
];

for (const [written, full, familiar] of good) {
  test(`${written} is ${full}`, () => {
    const reference = parseReference(written);
    assert.equal(formatReference(reference), full);
    assert.equal(familiarReference(reference), familiar);
    assert.deepEqual(parseReference(full), reference);
  });
}

const bad: [string, string][] = [
  ['Base', 'invalid reference format: repository name (library/Base) must be lowercase'],
  ['repo/Base:1', 'invalid reference format: repository name (repo/Base) must be lowercase'],
  ['ghcr.io/User/app', 'invalid reference format: repository name (User/app) must be lowercase'],
  ['', 'invalid reference format'],
  ['app:', 'invalid reference format: "app:"'],
  ['app:$TAG', 'invalid reference format: "app:$TAG"'],
  ['https://ghcr.io/app', 'invalid reference format: "https://ghcr.io/app"'],
  ['app name', 'invalid reference format: "app name"'],
  ['a//b', 'invalid reference format: "a//b"'],
  ['-a', 'invalid reference format: "-a"'],
  ['a_-b', 'invalid reference format: "a_-b"'],
  [`app:${'x'.repeat(129)}`, `invalid reference format: "app:${'x'.repeat(129)}"`],
  ['app@sha256:abc', 'invalid reference format: "app@sha256:abc"'],
  [`app@sha512:${hex}`, `unsupported digest "sha512:${hex}"`],
  [hex, `invalid repository name (${hex}), cannot specify 64-byte hexadecimal strings`],
  [`${'a/'.repeat(130)}a`, 'repository name must not be more than 255 characters'],
];

for (const [written, message] of bad) {
  test(`${written.slice(0, 60) || '(empty)'} is refused`, () => {
    assert.throws(
      () => parseReference(written),
      (error: TsbuildError) => {
        assert.equal(error.code, 'TSB_RESOLVE_BAD_REFERENCE');
        assert.equal(error.message, message);
        assert.ok(error.hint);
        return true;
      },
    );
  });
}

test('the tag latest stands in where neither tag nor digest is given', () => {
  assert.equal(normalizeReference('alpine'), 'docker.io/library/alpine:latest');
  assert.equal(normalizeReference(`alpine@sha256:${hex}`), `docker.io/library/alpine@sha256:${hex}`);
  assert.equal(apiReference(withDefaultTag(parseReference('a'))), 'latest');
  assert.equal(apiReference(parseReference(`a:1@sha256:${hex}`)), `sha256:${hex}`);
});

test('registries for login are hosts', () => {
  const table: [string, string][] = [
    ['', 'docker.io'],
    ['https://index.docker.io/v1/', 'docker.io'],
    ['ghcr.io', 'ghcr.io'],
    ['http://localhost:5000/', 'localhost:5000'],
  ];
  for (const [given, host] of table) assert.equal(normalizeRegistry(given), host);
  assert.throws(() => normalizeRegistry('a b'), { code: 'TSB_RESOLVE_BAD_REFERENCE' });
});
