/** Brings the build context, the named local contexts and the Dockerfile to where the executor reads them. */
import { mkdirSync, type Stats, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { TsbuildError } from '@tsbuild/core';
import { type ContextSource, maxTextBytes, unpackContext } from '@tsbuild/executor';
import type { BuildOptions } from '../api/types.js';
import { connect } from '../image/remote.js';
import { withSourceFile } from '../image/source-file.js';
import { parseRemoteContext } from '../resolve/remote-context.js';
import { type TemporaryFolder, temporaryFolder } from '../store/temporary.js';
import type { OperationContext } from './context.js';
import { type DockerfileSource, readDockerfile } from './dockerfile.js';
import { gitFolder } from './git-context.js';
import { ignoreOf } from './ignore-file.js';
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
    const dockerfile = await findDockerfile(options, main, context.signal);
    const contexts = new Map<string, ContextSource>();
    if (main.path !== undefined) {
      const ignore = main.local ? ignoreOf(main.path, dockerfile.place) : {};
      contexts.set('context', { path: main.path, ...ignore });
    } else if (needsFiles) contexts.set('context', { path: await newFolder(temporary) });
    for (const [name, value] of Object.entries(options.buildContexts ?? {})) {
      if (isFolderContext(value)) contexts.set(name, namedFolder(name, value));
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
      path: await gitFolder(remote, await newFolder(temporary), { context: given, ...options }, signal),
      local: false,
    }));
  }
  if (typeof given === 'string' && given !== '-' && remote === undefined) {
    const stat = contextStat(given);
    if (stat.isDirectory()) return { path: resolve(given), local: true };
  }
  return withStep(emit, { id: 'internal:context', name: '[internal] load build context' }, async () => {
    const source = remote?.kind === 'http' ? await download(remote.url, options, signal) : given;
    const folder = await newFolder(temporary);
    const dockerfile = await withSourceFile(source, options.root, signal, (fd) =>
      unpackContext(fd, folder, signal),
    );
    if (dockerfile === undefined) return { path: folder, local: false };
    // BuildKit's context is then the one file that was downloaded.
    if (remote?.kind === 'http') await writeFile(join(folder, remote.filename), dockerfile, { mode: 0o600 });
    return { path: folder, local: false, dockerfile };
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

async function download(url: string, options: Options, signal: AbortSignal): Promise<Readable> {
  const registries = connect(options);
  const response = await registries.fetchUrl(url, {}, signal);
  if (response.status >= 200 && response.status < 300) {
    return Readable.from(response.body, { objectMode: false }).once('close', () => void registries.close());
  }
  await registries.close();
  throw new TsbuildError('TSB_RESOLVE_HTTP_STATUS', `invalid response status ${response.status}`, {
    hint: `Check the URL: ${url}`,
  });
}

async function findDockerfile(
  options: Options,
  main: MainContext,
  signal: AbortSignal,
): Promise<DockerfileSource> {
  const { dockerfile } = options;
  if (dockerfile !== undefined && /^https?:\/\//.test(dockerfile)) {
    return { name: dockerfile, text: await downloadText(dockerfile, options, signal) };
  }
  return readDockerfile({
    dockerfile,
    dockerfileText: options.dockerfileText ?? main.dockerfile?.toString('utf8'),
    contextPath: main.path,
    local: main.local,
  });
}

async function downloadText(url: string, options: Options, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of await download(url, options, signal)) {
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size > maxTextBytes) {
      throw new TsbuildError('TSB_CONTEXT_DOCKERFILE', `the Dockerfile ${url} is longer than 16 MiB`, {
        hint: 'Check the URL: this is no Dockerfile.',
      });
    }
  }
  return Buffer.concat(chunks);
}

function isFolderContext(value: string): boolean {
  return (
    !/^(docker-image|oci-layout):\/\//.test(value) &&
    !value.startsWith('target:') &&
    parseRemoteContext(value) === undefined
  );
}

function namedFolder(name: string, value: string): ContextSource {
  const path = resolve(value);
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new TsbuildError('TSB_CONTEXT_MISSING', `the context ${name}=${value} is no folder`, {
      hint: 'Give a folder, docker-image://REF, oci-layout://PATH, target:NAME, or an http(s) or git URL.',
    });
  }
  return { path, ...ignoreOf(path, undefined) };
}
