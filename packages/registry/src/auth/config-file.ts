/** Files of credentials: docker's config.json and the containers tools' auth.json. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, realpath, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TsbuildError } from '@tsbuild/core';
import type { Environment } from '../http/proxy.js';

/** Key of Docker Hub in config.json and in the stores of helpers. */
export const dockerHubKey = 'https://index.docker.io/v1/';

export interface AuthEntry {
  /** base64 of `user:password`. */
  auth?: string;
  username?: string;
  password?: string;
  identitytoken?: string;
  registrytoken?: string;
}

export interface ConfigFile {
  auths?: Record<string, AuthEntry>;
  credsStore?: string;
  credHelpers?: Record<string, string>;
  [other: string]: unknown;
}

/** $DOCKER_CONFIG/config.json, else ~/.docker/config.json. */
export function dockerConfigPath(env: Environment, home: string): string {
  return join(env['DOCKER_CONFIG'] || join(home, '.docker'), 'config.json');
}

/** Where containers-auth.json(5) says to look, most specific first. */
export function containersAuthPaths(env: Environment, home: string): string[] {
  if (env['REGISTRY_AUTH_FILE']) return [env['REGISTRY_AUTH_FILE']];
  const runtime = env['XDG_RUNTIME_DIR'];
  const config = env['XDG_CONFIG_HOME'] || join(home, '.config');
  const primary = runtime
    ? join(runtime, 'containers/auth.json')
    : `/run/containers/${process.getuid?.() ?? 0}/auth.json`;
  return [primary, join(config, 'containers/auth.json')];
}

/** An empty object where there is no file. @throws TsbuildError TSB_USAGE_BAD_DOCKER_CONFIG */
export async function readConfigFile(path: string): Promise<ConfigFile> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return {};
    throw badConfig(path, (error as Error).message, error);
  }
  if (text.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message quotes the text, which holds passwords.
    throw badConfig(path, 'it is not JSON');
  }
  if (!isObject(value)) throw badConfig(path, 'it is not a JSON object');
  const { auths, credHelpers, credsStore } = value;
  if (auths !== undefined && auths !== null && !(isObject(auths) && Object.values(auths).every(isObject))) {
    throw badConfig(path, 'auths is not an object of objects');
  }
  if (credHelpers !== undefined && credHelpers !== null && !isObject(credHelpers)) {
    throw badConfig(path, 'credHelpers is not an object');
  }
  if (credsStore !== undefined && typeof credsStore !== 'string')
    throw badConfig(path, 'credsStore is not a string');
  return value as ConfigFile;
}

/**
 * Changes the file by temporary file and rename, mode 0600, keeping every member that `edit` leaves alone. A link is
 * followed, as docker does for those who keep their dot files elsewhere.
 */
export async function editConfigFile(path: string, edit: (config: ConfigFile) => void): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const target = await realpath(path).catch(() => path);
  const config = await readConfigFile(target);
  edit(config);
  const temporary = `${target}.${randomBytes(6).toString('hex')}`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(config, undefined, '\t')}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw badConfig(path, `it cannot be written (${(error as Error).message})`, error);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function badConfig(path: string, why: string, cause?: unknown): TsbuildError {
  return new TsbuildError('TSB_USAGE_BAD_DOCKER_CONFIG', `${path}: ${why}`, {
    hint: 'Repair the file, or name another folder with DOCKER_CONFIG.',
    cause,
  });
}
