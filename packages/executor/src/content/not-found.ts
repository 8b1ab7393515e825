/** The error for a source that is not there, with what the user most likely meant. */
import * as native from '@tsbuild/native';
import { suggest, TsbuildError } from '@tsbuild/core';
import { hidingRule } from '../context/ignore.js';
import { isDirectory, openListing, statExact, withFd } from '../rootfs/open.js';
import { baseOf, cleanInRoot, joinRaw, parentOf, type RawPath, rawPath, textOf } from '../rootfs/raw-path.js';
import { resolveInRoot } from '../rootfs/resolve.js';
import type { Tree } from './tree.js';

export function notFound(tree: Tree, source: RawPath): TsbuildError {
  const path = textOf(cleanInRoot(source));
  return new TsbuildError('TSB_CONTEXT_NOT_FOUND', `${JSON.stringify(`/${path}`)}: not found`, {
    hint: hintFor(tree, source),
  });
}

function hintFor(tree: Tree, source: RawPath): string {
  const exact = resolveInRoot(tree.root, source);
  if (tree.ignore !== undefined && statExact(tree.root, exact) !== undefined) {
    for (const path of [textOf(cleanInRoot(source)), textOf(exact)]) {
      const rule = hidingRule(tree.ignore, path);
      if (rule !== undefined) {
        return `/${path} is there, but excluded by ${rule}. Add the line !${path} below it to keep it.`;
      }
    }
    return `The folder is there, but ${tree.ignore.file} excludes all it holds.`;
  }
  const missing = firstMissing(tree, exact);
  const where = parentOf(missing);
  const name = textOf(baseOf(missing));
  const names = namesIn(tree, where);
  const near = names.find((other) => other.toLowerCase() === name.toLowerCase()) ?? suggest(name, names);
  if (near !== undefined) return `Did you mean /${textOf(joinRaw(where, rawPath(near)))}?`;
  return where === ''
    ? 'Paths are relative to the root of the build context or of the stage that is copied from; .. stays below it.'
    : `/${textOf(where)} exists, but holds no ${name}.`;
}

function firstMissing(tree: Tree, path: RawPath): RawPath {
  let missing = path;
  for (let at = parentOf(path); at !== ''; at = parentOf(at)) {
    if (statExact(tree.root, at) !== undefined) break;
    missing = at;
  }
  return missing;
}

function namesIn(tree: Tree, directory: RawPath): string[] {
  const stat = statExact(tree.root, directory);
  if (stat === undefined || !isDirectory(stat)) return [];
  return withFd(openListing(tree.root, directory), (fd) =>
    native.readdir(fd).map(({ name }) => textOf(rawPath(name))),
  );
}
