/** WORKDIR, COPY and ADD as BuildKit's FileOp (solver/llbsolver/ops/file.go, client/llb/fileop.go). */
import { buildkitFileDigest, combineBuildkitParts, type Digest, sha256 } from '@tsbuild/core';
import type { CopyAction, FileAction, FileOp, MkdirAction, MkfileAction } from '../ops.js';
import { type GoValue, goJson, omitEmpty } from './go-json.js';
import {
  type BuildkitContent,
  type BuildkitInput,
  type BuildkitNode,
  type BuildkitSelector,
  type BuildkitSource,
  recordOf,
} from './node.js';
import type { InputList } from './input-list.js';
import { copySelector, fileSelectorDigest, wholePath, withoutDoubles } from './selectors.js';

/** An action of BuildKit's: heredocs are copied from a step that makes their file. */
interface Step {
  action: FileAction;
  /** Index among the inputs; -1 for none. */
  secondary: number;
  selector?: BuildkitSelector;
  /** Where the file's content follows from the definition. */
  known?: Digest;
}

export function fileNode(op: FileOp, inputs: InputList): BuildkitNode {
  const base = inputs.addVertex(op.base);
  const steps = op.actions.map((action) => stepOf(action, inputs));
  const actions = steps.map(({ action, secondary }) => actionJson(action, secondary, base));
  const indexes = steps.map(({ secondary }, index) => [
    index === 0 ? base : inputs.count + index - 1,
    secondary,
    index === steps.length - 1 ? 0 : -1,
  ]);
  return {
    records: [recordOf(operationDigest(actions, indexes))],
    inputs: inputs.sources.map((source, index) => inputOf(source, index, base, steps)),
  };
}

function stepOf(action: FileAction, inputs: InputList): Step {
  if (action.type === 'mkdir') return { action, secondary: -1 };
  if (action.type === 'copy') {
    const secondary = inputs.addVertex(action.from);
    return { action, secondary, selector: selectorOf(action) };
  }
  const { node, digest } = inlineFile(action.name, 0o644, action.data);
  const path = `/${action.name}`;
  return {
    action,
    secondary: inputs.addNode(node),
    selector: wholePath(path, false),
    known: digest,
  };
}

/** The step that makes a heredoc's file on an empty file system, and the file's digest. */
export function inlineFile(name: string, mode: number, data: string): { node: BuildkitNode; digest: Digest } {
  const bytes = Buffer.from(data);
  const mkfile = goJson(omitEmpty({ path: `/${name}`, mode, data: bytes.toString('base64'), timestamp: -1 }));
  const digest = buildkitFileDigest({ type: 'file', mode, uid: 0, gid: 0, size: bytes.length }, bytes);
  return { node: { records: [recordOf(operationDigest([mkfile], [[-1, -1, 0]]))], inputs: [] }, digest };
}

/** The step that makes a folder of a given owner: where a cache mount begins. */
export function ownedFolder(
  base: BuildkitSource | undefined,
  { mode, uid, gid }: { mode: number; uid: number; gid: number },
): BuildkitNode {
  const owner = { user: { User: omitEmpty({ byId: uid }) }, group: { User: omitEmpty({ byId: gid }) } };
  const mkdir = goJson(omitEmpty({ path: '/cache', mode: mode & 0o777, owner, timestamp: -1 }));
  return {
    records: [recordOf(operationDigest([mkdir], [[base === undefined ? -1 : 0, -1, 0]]))],
    inputs: base === undefined ? [] : [{ source: base, selector: '' }],
  };
}

function operationDigest(actions: readonly string[], indexes: readonly number[][]): Digest {
  const operation = {
    Type: 'buildkit.file.v0',
    Actions: actions.map((action) => Buffer.from(action).toString('base64')),
    ...(areUsual(indexes) ? {} : { indexes }),
  };
  return sha256(goJson(operation));
}

/** Indexes of the most common form are left out, as they were once not part of the key. */
function areUsual(indexes: readonly number[][]): boolean {
  return indexes.every(([input, secondary, output], index) => {
    const before = index === 0 ? 0 : indexes.length + index - 1;
    const after = index === indexes.length - 1 ? 0 : -1;
    return input === before && (secondary === -1 || secondary === 1) && output === after;
  });
}

function actionJson(action: FileAction, secondary: number, base: number): string {
  switch (action.type) {
    case 'mkdir':
      return mkdirJson(action, base);
    case 'mkfile':
      return copyJson(inlineCopy(action), `/${action.name}`, secondary, base);
    case 'copy':
      return copyJson(action, sourceOf(action).path, secondary, base);
  }
}

function mkdirJson({ path, mode, owner, mtime }: MkdirAction, base: number): string {
  return goJson(
    omitEmpty({
      path,
      mode: mode & 0o777,
      makeParents: true,
      owner: ownerOf(owner, base),
      timestamp: mtime === undefined ? -1 : BigInt(mtime),
    }),
  );
}

type CopyFields = Pick<
  CopyAction,
  'destination' | 'dotted' | 'chown' | 'chmod' | 'exclude' | 'parents' | 'unpack' | 'source'
> & { remote: boolean };

/** Neither links nor folders nor wildcards are anything to a file that a heredoc or a URL gives. */
function inlineCopy({ name, destination, dotted, chown, chmod }: MkfileAction): CopyFields {
  return {
    source: `/${name}`,
    destination,
    ...(dotted === undefined ? {} : { dotted }),
    ...(chown === undefined ? {} : { chown }),
    ...(chmod === undefined ? {} : { chmod }),
    exclude: [],
    parents: false,
    unpack: 'never',
    remote: true,
  };
}

function copyJson(action: CopyFields | CopyAction, path: string, secondary: number, base: number): string {
  const { destination, chown, chmod, exclude, unpack } = action;
  const remote = action.remote === true;
  const octal = chmod !== undefined && /^[0-7]+$/.test(chmod);
  const { include } = sourceOf(action);
  return goJson(
    omitEmpty({
      src: secondary < 0 ? path : baseName(path),
      dest: action.dotted ? `${destination.replace(/\/$/, '')}/.` : destination,
      owner: ownerOf(chown, base),
      mode: chmod === undefined ? -1 : octal ? Number.parseInt(chmod, 8) : 0,
      followSymlink: !remote,
      dirCopyContents: !remote,
      attemptUnpackDockerCompatibility: unpack !== 'never',
      createDestPath: true,
      allowWildcard: !remote,
      allowEmptyWildcard: !remote,
      timestamp: -1,
      include_patterns: include,
      exclude_patterns: exclude,
      modeStr: octal ? '' : chmod,
    }),
  );
}

/** The folder or file that is copied from, and with --parents the pattern below it. */
function sourceOf({ source, parents }: Pick<CopyAction, 'source' | 'parents'>): {
  path: string;
  include: string[];
} {
  if (!parents) return { path: source, include: [] };
  const at = `${source}/`.indexOf('/./');
  const path = at < 0 ? '/' : source.slice(0, at) || '/';
  const pattern = at < 0 ? source : source.slice(at + 2);
  return { path, include: [pattern.replace(/^\//, '')] };
}

function selectorOf(action: CopyAction): BuildkitSelector {
  const { path, include } = sourceOf(action);
  const plain = action.remote !== true;
  return copySelector(path, { wildcards: plain, followLinks: plain, include, exclude: action.exclude });
}

/** A name is looked up in the base, which its index tells. */
function ownerOf(spec: string | undefined, base: number): GoValue | undefined {
  if (spec === undefined) return undefined;
  const colon = spec.indexOf(':');
  const [user, group] = colon < 0 ? [spec] : [spec.slice(0, colon), spec.slice(colon + 1)];
  return {
    user: accountOf(user, base),
    ...(group === undefined ? {} : { group: accountOf(group, base) }),
  };
}

function accountOf(text: string, base: number): GoValue {
  if (text === 'root' || text === '') return { User: {} };
  const id = /^[-+]?\d+$/.test(text) ? Number(text) : undefined;
  if (id !== undefined && id >= -0x80000000 && id <= 0x7fffffff)
    return { User: omitEmpty({ byId: id >>> 0 }) };
  return { User: { byName: omitEmpty({ name: text, input: base }) } };
}

function inputOf(source: BuildkitSource, index: number, base: number, steps: readonly Step[]): BuildkitInput {
  const reads = steps.filter((step) => step.secondary === index);
  const selectors = reads.flatMap(({ selector }) => selector ?? []);
  // What is written to is never told by content alone.
  if (index === base || selectors.length === 0) return { source, selector: '' };
  const content = contentOf(source, selectors, reads);
  return {
    source,
    selector: fileSelectorDigest(selectors),
    ...(content === undefined ? {} : { content }),
  };
}

function contentOf(
  source: BuildkitSource,
  selectors: readonly BuildkitSelector[],
  [read]: readonly Step[],
): BuildkitContent | undefined {
  if (source.type === 'vertex') {
    return { type: 'read', from: source.id, selectors: withoutDoubles(selectors) };
  }
  return read?.known === undefined
    ? undefined
    : { type: 'known', digest: combineBuildkitParts([read.known]) };
}

function baseName(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  return trimmed === '' ? '/' : trimmed.slice(trimmed.lastIndexOf('/') + 1);
}
