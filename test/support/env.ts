/** What scripts/test.mjs prepared for the tests of whole builds. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';

function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run these tests through npm test`);
  return value;
}

/** The `tsbuild` command under test. */
export const bin = setting('TSBUILD_TEST_BIN');
/** `127.0.0.1:PORT` of a real registry without authentication. */
export const registry = setting('TSBUILD_TEST_REGISTRY');
/** Tar file of a minimal Debian root file system. */
export const debianTar = setting('TSBUILD_TEST_DEBIAN');
export const rootless = process.env['TSBUILD_TEST_MODE'] === 'rootless';

/** The examples folder, readable by everybody. */
export function examples(): string {
  return setting('TSBUILD_TEST_EXAMPLES');
}

/** What was recorded for the tests, readable by everybody. */
export function fixtures(): string {
  return setting('TSBUILD_TEST_FIXTURES');
}

/** A fresh folder below the run's own, which the runner removes. */
export function workFolder(name: string): string {
  return mkdtempSync(join(setting('TSBUILD_TEST_WORK'), `${name}-`));
}

/** Name for an image in the test registry; the two modes do not see each other's. */
export function imageName(name: string): string {
  return `${registry}/${rootless ? 'rootless' : 'root'}/${name}`;
}
