/** The installed library, for tests that run as a program does; its types are tested with the package itself. */
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bin } from './env.js';

export interface Event {
  type: string;
  id?: string;
  name?: string;
  text?: string;
  action?: string;
  current?: number;
}

interface Result {
  digest?: string;
  names: string[];
}

type Call<T> = (options: Record<string, unknown>) => Promise<T>;

export interface Library {
  build(options: Record<string, unknown>): Promise<Result> & AsyncIterable<Event>;
  pull: Call<Result>;
  push: Call<Result>;
  images: Call<{ familiarName: string }[]>;
  prune: Call<unknown>;
  TsbuildError: new (...args: never[]) => Error & { code: string };
}

/** The module that `import 'tsbuild'` gives. */
export const modulePath = join(dirname(dirname(bin)), 'dist/bundle/index.mjs');

export async function library(): Promise<Library> {
  return (await import(pathToFileURL(modulePath).href)) as Library;
}
