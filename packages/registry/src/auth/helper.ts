/** Docker's credential helpers: programs `docker-credential-NAME` that read one line and answer JSON. */
import { spawn } from 'node:child_process';
import { access, constants, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { TsbuildError } from '@tsbuild/core';
import type { Environment } from '../http/proxy.js';

const outputLimit = 1 << 20;
const timeoutMs = 60_000;

/**
 * Absolute path of the helper. A folder that others may write to is passed over: whoever can put a file there would
 * get the user's credentials.
 */
export async function findHelper(name: string, env: Environment): Promise<string | undefined> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) return undefined;
  for (const directory of (env['PATH'] ?? '').split(':')) {
    if (!isAbsolute(directory)) continue;
    const path = join(directory, `docker-credential-${name}`);
    if (!(await isPrivate(directory)) || !(await isPrivate(path))) continue;
    const executable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (executable) return path;
  }
  return undefined;
}

/** Not writable for everyone, nor for a group that is neither root's nor ours. */
async function isPrivate(path: string): Promise<boolean> {
  const entry = await stat(path).catch(() => undefined);
  if (entry === undefined || (entry.mode & 0o002) !== 0) return false;
  return (entry.mode & 0o020) === 0 || entry.gid === 0 || entry.gid === process.getgid?.();
}

/**
 * Runs `docker-credential-NAME VERB` with `input`; the answer's text, or undefined where it holds nothing for that server.
 * @throws TsbuildError TSB_AUTH_HELPER_FAILED
 */
export async function runHelper(
  name: string,
  verb: 'get' | 'store' | 'erase',
  input: string,
  env: Environment,
): Promise<string | undefined> {
  const program = `docker-credential-${name}`;
  const failed = (why: string, cause?: unknown) =>
    new TsbuildError('TSB_AUTH_HELPER_FAILED', `credential helper ${program}: ${why}`, {
      hint: `Install ${program} in a folder of PATH that only its owner can write to, or take ${JSON.stringify(name)} out of credsStore and credHelpers in docker's config.json.`,
      cause,
    });
  const path = await findHelper(name, env);
  if (path === undefined) throw failed('not found');

  const child = spawn(path, [verb], { stdio: ['pipe', 'pipe', 'pipe'], env: { ...env }, timeout: timeoutMs });
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      output[stream] += text;
      if (output[stream].length > outputLimit) child.kill('SIGKILL');
    });
  }
  // A helper may end without reading its input.
  child.stdin.on('error', () => undefined).end(input);
  const { code, error } = await new Promise<{ code: number | null; error?: Error }>((resolve) => {
    child.once('error', (cause) => resolve({ code: null, error: cause }));
    child.once('close', (status) => resolve({ code: status }));
  });
  if (error !== undefined) throw failed(error.message, error);
  if (code === 0) return output.stdout;
  const said = (output.stdout + output.stderr).trim();
  if (verb !== 'store' && /credentials not found|not found in native keychain/i.test(said)) return undefined;
  throw failed(
    `${verb} ${code === null ? 'was killed' : `ended with ${code}`}${said === '' ? '' : `: ${said.slice(0, 500)}`}`,
  );
}
