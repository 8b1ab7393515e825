/** Finds and reads the Dockerfile and the .dockerignore that goes with it. */
import { lstatSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { TsbuildError } from '@tsbuild/core';
import { readTextInFolder } from '@tsbuild/executor';

export interface DockerfileSource {
  /** As the user knows it; in messages. */
  name: string;
  text: Buffer;
  /** Where `<Dockerfile>.dockerignore` may stand beside it; undefined for one that is no file. */
  place?: { folder: string; file: string };
}

export interface DockerfileRequest {
  dockerfile?: string | undefined;
  dockerfileText?: string | undefined;
  /** Root of the context; undefined where there is none. */
  contextPath: string | undefined;
  /** The context is a folder of the user's, whose path says something. */
  local: boolean;
}

const defaultNames = ['Dockerfile', 'dockerfile'];

/** @throws TsbuildError TSB_CONTEXT_NO_DOCKERFILE, TSB_CONTEXT_DOCKERFILE, TSB_CONTEXT_TEXT_FILE */
export async function readDockerfile(request: DockerfileRequest): Promise<DockerfileSource> {
  if (request.dockerfileText !== undefined)
    return { name: 'Dockerfile', text: Buffer.from(request.dockerfileText) };
  if (request.dockerfile !== undefined) return await readNamed(request.dockerfile, request);
  if (request.contextPath === undefined) {
    throw new TsbuildError('TSB_CONTEXT_NO_DOCKERFILE', 'there is neither a context nor a Dockerfile', {
      hint: 'Give a context that has a Dockerfile, the path of one, or its text.',
    });
  }
  for (const file of defaultNames) {
    const path = join(request.contextPath, file);
    const name = request.local ? shown(path) : file;
    const text = read(request.contextPath, file, name);
    if (text !== undefined) return { name, text, place: { folder: request.contextPath, file } };
    if (isLink(path)) throw leadsOut(name);
  }
  const where = request.local ? request.contextPath : 'the context';
  throw new TsbuildError('TSB_CONTEXT_NO_DOCKERFILE', `no Dockerfile in ${where}`, {
    hint: 'Name one with -f, or name the folder that has it as the context.',
  });
}

async function readNamed(name: string, { local, contextPath }: DockerfileRequest): Promise<DockerfileSource> {
  const place =
    local || contextPath === undefined
      ? { folder: dirname(resolve(name)), file: basename(resolve(name)) }
      : { folder: contextPath, file: name };
  const path = join(place.folder, place.file);
  // What a shell makes of <(…) and /dev/stdin: only who calls us can name it.
  if (/^\/(dev|proc)\//.test(path)) {
    const text = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      throw unreadable(name, error);
    });
    return { name, text };
  }
  const text = read(place.folder, place.file, name);
  if (text === undefined) {
    throw isLink(path) ? leadsOut(name) : unreadable(name, undefined);
  }
  return { name, text, place };
}

function read(folder: string, file: string, name: string): Buffer | undefined {
  try {
    return readTextInFolder(folder, file, `the Dockerfile ${name}`);
  } catch (error) {
    if (TsbuildError.is(error)) throw error;
    throw unreadable(name, error as NodeJS.ErrnoException);
  }
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

function leadsOut(name: string): TsbuildError {
  return new TsbuildError(
    'TSB_CONTEXT_DOCKERFILE',
    `cannot read the Dockerfile ${name}: it is a link that leads to nothing in its folder`,
    { hint: 'Links out of the folder are not followed; name the file itself with -f.' },
  );
}

/** Short where the file is below the working directory. */
function shown(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith('..') || isAbsolute(near) ? path : near;
}

/** @param error undefined where there is nothing */
function unreadable(path: string, error: NodeJS.ErrnoException | undefined): TsbuildError {
  const why: Record<string, string> = {
    EISDIR: 'it is a folder',
    ELOOP: 'its links go round in circles',
    EACCES: 'no permission',
  };
  const reason = error === undefined ? 'it does not exist' : (why[error.code ?? ''] ?? error.message);
  return new TsbuildError('TSB_CONTEXT_DOCKERFILE', `cannot read the Dockerfile ${path}: ${reason}`, {
    hint: '-f is relative to the working directory, not to the context.',
    ...(error === undefined ? {} : { cause: error }),
  });
}
