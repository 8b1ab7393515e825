/** Repositories with a known history, served over HTTP by git's own backend on a free loopback port. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Reason to skip, or false. */
export const noGit: string | false =
  spawnSync('git', ['--version']).status === 0 ? false : 'git is not installed';

export interface GitServer {
  /** `http://127.0.0.1:PORT`; the repositories are `/app.git` and `/part.git`. */
  url: string;
  ids: { first: string; second: string; tag: string; part: string };
  /** Authorization headers of the requests so far. */
  authorizations: Set<string | undefined>;
  close(): Promise<void>;
}

/**
 * app.git: `first` is tagged v1 (light) and has the branch other; `second` on main is tagged v2 (annotated) and has the
 * submodule part. Dates are fixed, so that ids are the same everywhere but for the server's port.
 */
export async function startGitServer(): Promise<GitServer> {
  const folder = mkdtempSync(join(tmpdir(), 'tsbuild-git-'));
  const authorizations = new Set<string | undefined>();
  const server = createServer((request, response) => {
    authorizations.add(request.headers.authorization);
    serve(join(folder, 'served'), request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    ids: makeRepositories(folder, url),
    authorizations,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function makeRepositories(folder: string, url: string): GitServer['ids'] {
  const env = {
    PATH: process.env['PATH'],
    HOME: folder,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'a',
    GIT_AUTHOR_EMAIL: 'a@example.org',
    GIT_AUTHOR_DATE: '2020-01-02T03:04:05Z',
    GIT_COMMITTER_NAME: 'a',
    GIT_COMMITTER_EMAIL: 'a@example.org',
    GIT_COMMITTER_DATE: '2020-01-02T03:04:05Z',
  };
  const git = (repository: string, ...args: string[]) =>
    execFileSync('git', args, { cwd: join(folder, repository), env, encoding: 'utf8' }).trim();
  const write = (path: string, text: string) => {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const commit = (repository: string, message: string) => {
    git(repository, 'add', '--all');
    git(repository, 'commit', '--quiet', '-m', message);
    return git(repository, 'rev-parse', 'HEAD');
  };
  const publish = (repository: string) =>
    git('.', 'clone', '--quiet', '--bare', repository, `served/${repository}.git`);

  write('part/inside', 'part\n');
  git('part', 'init', '--quiet', '--initial-branch=main');
  const part = commit('part', 'part');
  publish('part');

  write('app/file', 'one\n');
  write('app/dir/run', '#!/bin/sh\n');
  chmodSync(join(folder, 'app/dir/run'), 0o755);
  symlinkSync('run', join(folder, 'app/dir/link'));
  symlinkSync('/etc', join(folder, 'app/out'));
  git('app', 'init', '--quiet', '--initial-branch=main');
  const first = commit('app', 'first');
  git('app', 'tag', 'v1');
  git('app', 'branch', 'other');
  write('app/file', 'two\n');
  write('app/.gitmodules', `[submodule "part"]\n\tpath = part\n\turl = ${url}/part.git\n`);
  git('app', 'update-index', '--add', '--cacheinfo', `160000,${part},part`);
  git('app', 'add', 'file', '.gitmodules');
  git('app', 'commit', '--quiet', '-m', 'second');
  const second = git('app', 'rev-parse', 'HEAD');
  git('app', 'tag', '-a', 'v2', '-m', 'annotated');
  publish('app');
  return { first, second, tag: git('app', 'rev-parse', 'v2'), part };
}

/** One request, as CGI (git-http-backend(1)). */
function serve(root: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url ?? '/', 'http://localhost');
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'uploadpack.allowAnySHA1InWant',
      GIT_CONFIG_VALUE_0: 'true',
      PATH_INFO: pathname,
      QUERY_STRING: search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'],
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
      GIT_PROTOCOL: request.headers['git-protocol'] as string | undefined,
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdin.on('error', () => undefined);
  request.pipe(child.stdin);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.on('close', () => {
    const answer = Buffer.concat(chunks);
    const end = answer.indexOf('\r\n\r\n');
    const head = answer.subarray(0, Math.max(0, end)).toString();
    response.statusCode = Number(/^Status: (\d+)/m.exec(head)?.[1] ?? 200);
    for (const [, name = '', value = ''] of head.matchAll(/^([\w-]+): (.*)$/gm)) {
      if (name !== 'Status') response.setHeader(name, value.trim());
    }
    response.end(answer.subarray(end + 4));
  });
}
