/** Finds and reads the Dockerfile and the .dockerignore that goes with it. */
import { readFile } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { TsbuildError } from '@tsbuild/core';

export interface DockerfileSource {
  /** As the user knows it; in messages. */
  name: string;
  text: Buffer;
  /** Path, for `<Dockerfile>.dockerignore`; undefined for one that is no file. */
  path?: string;
}

export interface DockerfileRequest {
  dockerfile?: string | undefined;
  dockerfileText?: string | undefined;
  /** Root of the context; undefined where there is none. */
  contextPath: string | undefined;
  /** The context is a folder of the user's, whose path says something. */
  local: boolean;
  /** Where a relative `dockerfile` starts: the working directory, or the context's root. */
  base: string;
}

const defaultNames = ['Dockerfile', 'dockerfile'];

/** @throws TsbuildError TSB_CONTEXT_NO_DOCKERFILE, TSB_CONTEXT_DOCKERFILE */
export async function readDockerfile(request: DockerfileRequest): Promise<DockerfileSource> {
  if (request.dockerfileText !== undefined)
    return { name: 'Dockerfile', text: Buffer.from(request.dockerfileText) };
  if (request.dockerfile !== undefined) {
    const path = resolve(request.base, request.dockerfile);
    const text = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      throw unreadable(request.dockerfile ?? path, error);
    });
    return { name: request.dockerfile, text, path };
  }
  if (request.contextPath === undefined) {
    throw new TsbuildError('TSB_CONTEXT_NO_DOCKERFILE', 'there is neither a context nor a Dockerfile', {
      hint: 'Give a context that has a Dockerfile, the path of one, or its text.',
    });
  }
  for (const name of defaultNames) {
    const path = join(request.contextPath, name);
    try {
      return { name: request.local ? shown(path) : name, text: await readFile(path), path };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        throw unreadable(request.local ? path : name, error as NodeJS.ErrnoException);
    }
  }
  const where = request.local ? request.contextPath : 'the context';
  throw new TsbuildError('TSB_CONTEXT_NO_DOCKERFILE', `no Dockerfile in ${where}`, {
    hint: 'Name one with -f, or name the folder that has it as the context.',
  });
}

/** Short where the file is below the working directory. */
function shown(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith('..') || isAbsolute(near) ? path : near;
}

function unreadable(path: string, error: NodeJS.ErrnoException): TsbuildError {
  const why: Record<string, string> = {
    ENOENT: 'it does not exist',
    EISDIR: 'it is a folder',
    EACCES: 'no permission',
  };
  return new TsbuildError(
    'TSB_CONTEXT_DOCKERFILE',
    `cannot read the Dockerfile ${path}: ${why[error.code ?? ''] ?? error.message}`,
    {
      hint: '-f is relative to the working directory, not to the context.',
      cause: error,
    },
  );
}
