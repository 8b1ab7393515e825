/**
 * The git command, run for one remote: without the user's and the system's configuration, with the credentials the build
 * was given and no others, and never with a prompt. Credentials go by the environment: arguments are for all to read.
 */
import { execFile, type ExecFileException } from 'node:child_process';
import { TsbuildError } from '@tsbuild/core';

/** What a build may use to reach private repositories. */
export interface GitAccess {
  /** Value of a secret, or undefined. */
  secret(id: string): Promise<Buffer | undefined>;
  /** Path of the ssh agent's socket for an id, or undefined. */
  sshAgent(id: string): string | undefined;
}

/** Runs one git command in the checkout. @returns what it printed, trimmed */
export type Git = (...args: string[]) => Promise<string>;

const timeout = 10 * 60_000;
const settings = ['core.hooksPath=/dev/null', 'core.fsmonitor=false', 'init.defaultBranch=main'];

/** `ssh://…` and `user@host:path` are reached with the agent's keys, all others without. */
export function isSsh(remote: string): boolean {
  return remote.startsWith('ssh://') || !remote.includes('://');
}

/**
 * @returns the remote without a password, and the command
 * @throws TsbuildError TSB_RESOLVE_GIT where the remote needs ssh and the build was given no agent
 */
export async function gitFor(
  address: string,
  folder: string,
  access: GitAccess,
  signal: AbortSignal,
): Promise<{ git: Git; remote: string }> {
  const { remote, header } = splitCredentials(address);
  const env = {
    ...environment(),
    ...authorization(remote, header ?? (await headerOfSecrets(remote, access))),
    ...sshSettings(remote, access),
  };
  const flags = settings.flatMap((setting) => ['-c', setting]);
  const git: Git = (...args) =>
    new Promise((resolve, reject) => {
      const options = { cwd: folder, env, signal, timeout, maxBuffer: 16 * 1024 * 1024 };
      execFile('git', [...flags, ...args], options, (error, stdout, stderr) => {
        if (error === null) resolve(stdout.trim());
        else reject(signal.aborted ? signal.reason : explain(remote, error, stderr));
      });
    });
  return { git, remote };
}

function environment(): Record<string, string> {
  const proxies = ['http_proxy', 'https_proxy', 'no_proxy', 'all_proxy'];
  const kept = ['PATH', 'HOME', ...proxies, ...proxies.map((name) => name.toUpperCase())];
  return {
    PATH: '/usr/bin:/bin',
    HOME: '/',
    ...Object.fromEntries(kept.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []))),
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ALLOW_PROTOCOL: 'http:https:git',
    LC_ALL: 'C',
  };
}

/** Submodules may use ssh where the repository itself does. */
function sshSettings(remote: string, access: GitAccess): Record<string, string> {
  if (!isSsh(remote)) return {};
  const agent = access.sshAgent('default');
  if (agent === undefined) {
    throw new TsbuildError('TSB_RESOLVE_GIT', `${remote} needs ssh, and this build was given no agent`, {
      hint: 'Start an agent with "eval $(ssh-agent)", load the key with ssh-add, and pass --ssh default.',
    });
  }
  return {
    SSH_AUTH_SOCK: agent,
    GIT_SSH_COMMAND: process.env['GIT_SSH_COMMAND'] ?? 'ssh -o BatchMode=yes',
    GIT_ALLOW_PROTOCOL: 'http:https:git:ssh',
  };
}

/** User name and password of an http(s) URL become a header: in the URL, git would write them into its files. */
function splitCredentials(address: string): { remote: string; header?: string } {
  const [, scheme = '', credentials, rest = ''] = /^(https?:\/\/)([^/]*)@(.*)$/s.exec(address) ?? [];
  if (credentials === undefined) return { remote: address };
  const plain = credentials
    .split(':')
    .map((part) => decodePercent(part))
    .join(':');
  return { remote: `${scheme}${rest}`, header: basic(plain.includes(':') ? plain : `${plain}:`) };
}

function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function basic(credentials: string): string {
  return `basic ${Buffer.from(credentials).toString('base64')}`;
}

/** The secrets that BuildKit's git source asks for: of this host, then of all; a header, then a token. */
async function headerOfSecrets(remote: string, access: GitAccess): Promise<string | undefined> {
  const host = /^https?:\/\/([^/]+)/.exec(remote)?.[1];
  if (host === undefined) return undefined;
  for (const suffix of [`.${host}`, '']) {
    const header = await access.secret(`GIT_AUTH_HEADER${suffix}`);
    if (header?.length) return header.toString().trim();
    const token = await access.secret(`GIT_AUTH_TOKEN${suffix}`);
    if (token?.length) return basic(`x-access-token:${token.toString().trim()}`);
  }
  return undefined;
}

/** Sent to the remote's own host only (git-config(1), http.<url>.*). */
function authorization(remote: string, header: string | undefined): Record<string, string> {
  if (header === undefined) return {};
  const origin = /^https?:\/\/[^/]+/.exec(remote)?.[0] ?? remote;
  return {
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: `http.${origin}/.extraHeader`,
    GIT_CONFIG_VALUE_0: `Authorization: ${header}`,
  };
}

function explain(remote: string, error: ExecFileException, stderr: string): TsbuildError {
  if (error.code === 'ENOENT') {
    return new TsbuildError(
      'TSB_HOST_GIT_MISSING',
      'git is needed to fetch a repository, and is not installed',
      { hint: 'apt-get install -y git' },
    );
  }
  const said = stderr.trim() || error.message;
  return new TsbuildError('TSB_RESOLVE_GIT', `failed to fetch remote ${remote}: ${said}`, {
    hint: hintFor(said),
  });
}

function hintFor(said: string): string {
  if (/host key verification failed/i.test(said))
    return 'Add the host to the known ones: ssh-keyscan HOST >> ~/.ssh/known_hosts, and compare its fingerprint.';
  if (/could not read username|authentication failed|\b40[13]\b/i.test(said))
    return 'Give a token: --secret id=GIT_AUTH_TOKEN,env=VARIABLE, or GIT_AUTH_TOKEN.HOST for one host only.';
  return 'Check the address and the reference; private repositories need --ssh default or --secret id=GIT_AUTH_TOKEN.';
}
