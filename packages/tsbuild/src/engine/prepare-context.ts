/** Brings the build context, the named local contexts and the Dockerfile to where the executor reads them. */
import { mkdirSync, realpathSync, rmSync, type Stats, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { parseIgnoreFile, TsbuildError } from '@tsbuild/core';
import { checkOutGit, type ContextSource, unpackContext } from '@tsbuild/executor';
import type { GitOp, HttpOp } from '@tsbuild/solver';
import type { BuildOptions } from '../api/types.js';
import { connect } from '../image/remote.js';
import { withSourceFile } from '../image/source-file.js';
import { parseRemoteContext } from '../resolve/remote-context.js';
import { type TemporaryFolder, temporaryFolder } from '../store/temporary.js';
import type { OperationContext } from './context.js';
import { type DockerfileSource, readDockerfile } from './dockerfile.js';
import { withStep } from './step.js';

type Options = Omit<BuildOptions, 'signal' | 'onEvent'>;

export interface PreparedContext {
  /** By name; `context` is the build context. */
  contexts: ReadonlyMap<string, ContextSource>;
  dockerfile: DockerfileSource;
  /** Removes temporary folders. */
  close(): Promise<void>;
}

interface MainContext {
  /** Undefined where there is no context. */
  path: string | undefined;
  /** Only a folder of the user's has an ignore file. */
  local: boolean;
  /** The context was a Dockerfile. */
  dockerfile?: Buffer;
}

/**
 * @param needsFiles false where only the Dockerfile is asked for: then what has no context needs no store
 * @throws TsbuildError TSB_CONTEXT_*, TSB_RESOLVE_*
 */
export async function prepareContext(
  options: Options,
  context: OperationContext,
  needsFiles = true,
): Promise<PreparedContext> {
  const temporary = temporaryFolder(options.root);
  const close = () => temporary.close();
  try {
    const main = await mainContext(options, temporary, context);
    const dockerfile = await findDockerfile(options, main);
    const contexts = new Map<string, ContextSource>();
    if (main.path !== undefined) {
      const ignore = main.local ? await ignoreOf(main.path, dockerfile.path) : {};
      contexts.set('context', { path: main.path, ...ignore });
    } else if (needsFiles) contexts.set('context', { path: await newFolder(temporary) });
    for (const [name, value] of Object.entries(options.buildContexts ?? {})) {
      if (isFolderContext(value)) contexts.set(name, await namedFolder(name, value));
    }
    return { contexts, dockerfile, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function mainContext(
  { context: given, ...options }: Options,
  temporary: TemporaryFolder,
  operation: OperationContext,
): Promise<MainContext> {
  const { emit, signal } = operation;
  if (given === undefined) return { path: undefined, local: false };
  const remote = typeof given === 'string' ? parseRemoteContext(given) : undefined;
  if (remote?.kind === 'git') {
    const step = { id: 'internal:context', name: '[internal] load git source' };
    return withStep(emit, step, async () => ({
      path: await gitFolder(remote, await newFolder(temporary), signal),
      local: false,
    }));
  }
  if (typeof given === 'string' && given !== '-' && remote === undefined) {
    const stat = contextStat(given);
    if (stat.isDirectory()) return { path: resolve(given), local: true };
  }
  return withStep(emit, { id: 'internal:context', name: '[internal] load build context' }, async () => {
    const source = remote?.kind === 'http' ? await download(remote, options, signal) : given;
    const folder = await newFolder(temporary);
    const dockerfile = await withSourceFile(source, options.root, signal, (fd) =>
      unpackContext(fd, folder, signal),
    );
    return { path: folder, local: false, ...(dockerfile === undefined ? {} : { dockerfile }) };
  });
}

/** @throws TsbuildError TSB_CONTEXT_MISSING, TSB_CONTEXT_NO_FOLDER */
function contextStat(path: string): Stats {
  try {
    return statSync(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      throw new TsbuildError('TSB_CONTEXT_MISSING', `the context ${path} does not exist`, {
        hint: 'Name a folder, a tar file, a URL, or - for the standard input.',
      });
    }
    const why: Record<string, string> = {
      EACCES: 'no permission',
      ENOTDIR: 'a part of the path is no folder',
    };
    throw new TsbuildError(
      'TSB_CONTEXT_NO_FOLDER',
      `cannot read the context ${path}: ${why[code ?? ''] ?? message}`,
      {
        hint: 'Name a folder that you may read.',
        cause: error,
      },
    );
  }
}

async function newFolder(temporary: TemporaryFolder): Promise<string> {
  const folder = join(await temporary.path(), 'context');
  mkdirSync(folder, { mode: 0o755 });
  return folder;
}

async function download(remote: HttpOp, options: Options, signal: AbortSignal): Promise<Readable> {
  const registries = connect(options);
  const response = await registries.fetchUrl(remote.url, {}, signal);
  if (response.status >= 200 && response.status < 300) {
    return Readable.from(response.body, { objectMode: false }).once('close', () => void registries.close());
  }
  await registries.close();
  throw new TsbuildError('TSB_RESOLVE_HTTP_STATUS', `invalid response status ${response.status}`, {
    hint: 'The context could not be fetched; check the URL.',
  });
}

/** Where a subdirectory is a link, it must not lead out of the checkout. */
async function gitFolder(op: GitOp, folder: string, signal: AbortSignal): Promise<string> {
  await checkOutGit(op, folder, signal);
  rmSync(join(folder, '.git'), { recursive: true, force: true });
  if (op.subdir === undefined) return folder;
  const root = realpathSync(folder);
  const path = resolveOrUndefined(join(root, op.subdir));
  if (path === undefined || (path !== root && !path.startsWith(`${root}/`))) {
    throw new TsbuildError(
      'TSB_RESOLVE_GIT',
      `${JSON.stringify(op.subdir)} is no directory of the repository`,
      {
        hint: 'Check what follows the colon in the URL: #ref:subdirectory.',
      },
    );
  }
  return path;
}

function resolveOrUndefined(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function findDockerfile(options: Options, main: MainContext): Promise<DockerfileSource> {
  const text = options.dockerfileText ?? main.dockerfile?.toString('utf8');
  return readDockerfile({
    dockerfile: options.dockerfile,
    dockerfileText: text,
    contextPath: main.path,
    local: main.local,
    base: main.local || main.path === undefined ? process.cwd() : main.path,
  });
}

/** `<Dockerfile>.dockerignore` beside the Dockerfile, else `.dockerignore` in the context's root. */
async function ignoreOf(
  folder: string,
  dockerfile: string | undefined,
): Promise<Pick<ContextSource, 'ignore'>> {
  const candidates = [
    ...(dockerfile === undefined ? [] : [`${dockerfile}.dockerignore`]),
    join(folder, '.dockerignore'),
  ];
  for (const path of candidates) {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw new TsbuildError('TSB_CONTEXT_IGNORE_FILE', `cannot read ${path}: ${error.message}`, {
        hint: 'The ignore file must be a file that you may read.',
        cause: error,
      });
    });
    if (text !== undefined) return { ignore: { patterns: parseIgnoreFile(text), file: shortName(path) } };
  }
  return {};
}

function shortName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function isFolderContext(value: string): boolean {
  return (
    !/^(docker-image|oci-layout):\/\//.test(value) &&
    !value.startsWith('target:') &&
    parseRemoteContext(value) === undefined
  );
}

async function namedFolder(name: string, value: string): Promise<ContextSource> {
  const path = resolve(value);
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new TsbuildError('TSB_CONTEXT_MISSING', `the context ${name}=${value} is no folder`, {
      hint: 'Give a folder, docker-image://REF, oci-layout://PATH, target:NAME, or an http(s) or git URL.',
    });
  }
  return { path, ...(await ignoreOf(path, undefined)) };
}
