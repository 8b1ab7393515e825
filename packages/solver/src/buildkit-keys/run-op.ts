/** RUN as BuildKit's ExecOp (solver/llbsolver/ops/exec.go, client/llb/exec.go, dockerfile2llb/convert_runmount.go). */
import {
  buildkitDirectoryDigest,
  buildkitFileDigest,
  combineBuildkitParts,
  type Digest,
  type Platform,
  sha256,
} from '@tsbuild/core';
import type { MountAsWritten, RunMount, RunOp } from '../ops.js';
import { inlineFile, ownedFolder } from './file-op.js';
import { type GoValue, goJson, omitEmpty } from './go-json.js';
import type { InputList } from './input-list.js';
import {
  type BuildkitContent,
  type BuildkitInput,
  type BuildkitNode,
  type BuildkitSource,
  recordOf,
} from './node.js';
import { outermost, runSelectorDigest, wholePath } from './selectors.js';

const networks = { default: 0, host: 1, none: 2 };
const sharings = { shared: 0, private: 1, locked: 2 };
const mountTypes = { bind: 0, secret: 1, ssh: 2, cache: 3, tmpfs: 4 };

/** A mount of files, in BuildKit's order. */
interface FileMount {
  target: string;
  json: GoValue;
  /** Index among the inputs; -1 for none. */
  input: number;
  source: string;
  /** Whether its files may be told by content: nothing that is written there is kept. */
  byContent: boolean;
  known?: Digest;
}

interface Written {
  mount: RunMount;
  written: MountAsWritten;
}

export function runNode(op: RunOp, platform: Platform, inputs: InputList): BuildkitNode {
  const written = op.mounts
    .map((mount, index) => ({ mount, written: op.mountsAsWritten[index] as MountAsWritten }))
    .sort((a, b) => a.written.position - b.written.position);
  const files = fileMounts(op, written, inputs);
  const [only, ...others] = [
    ...files.map(({ json }) => json),
    ...secretMounts(written),
    ...sshMounts(written),
  ];
  // A RUN without mounts of its own has no list of them, as it once was no part of the key.
  const mounts = others.length === 0 ? [] : [only as GoValue, ...others];
  const exec = omitEmpty({
    meta: meta(op, written),
    mounts,
    network: networks[op.network],
    security: op.security === 'insecure' ? 1 : 0,
    secretenv: secretVariables(written),
    cdiDevices: op.devices.map(({ name, required }) => omitEmpty({ name, optional: !required })),
  });
  const operation = {
    Type: 'buildkit.exec.v0',
    Exec: exec,
    OS: platform.os,
    Arch: platform.architecture,
    ...omitEmpty({
      Variant: platform.variant,
      OSVersion: platform['os.version'],
      OSFeatures: platform['os.features'],
    }),
  };
  return {
    records: [recordOf(sha256(goJson(operation)))],
    inputs: inputs.sources.map((source, index) =>
      inputOf(
        source,
        files.filter(({ input }) => input === index),
      ),
    ),
  };
}

function meta(op: RunOp, written: readonly Written[]): GoValue {
  return omitEmpty({
    args: op.args,
    env: environment(op, written),
    cwd: op.cwd,
    user: op.user,
    extraHosts: op.extraHosts.map(({ name }) => omitEmpty({ Host: name })),
    hostname: op.hostname === 'buildkitsandbox' ? '' : op.hostname,
    ulimit: op.ulimits.map(({ name, soft, hard }) => omitEmpty({ Name: name, Soft: soft, Hard: hard })),
    cgroupParent: op.cgroupParent,
    removeMountStubsRecursive: true,
  });
}

/** The first ssh mount's socket is the agent, unless the file says otherwise. */
function environment({ env }: RunOp, written: readonly Written[]): string[] {
  const entries = env.map(([name, value]) => `${name}=${value}`);
  const [agent] = sockets(written);
  if (agent === undefined || env.some(([name]) => name === 'SSH_AUTH_SOCK')) return entries;
  return [...entries, `SSH_AUTH_SOCK=${agent.target}`];
}

function fileMounts(op: RunOp, written: readonly Written[], inputs: InputList): FileMount[] {
  const mounts = [
    rootMount(op, inputs),
    ...op.scripts.map((script) => scriptMount(script, inputs)),
    ...written.flatMap(({ mount, written: text }) => {
      if (mount.type === 'bind') return [bindMount(mount, inputs)];
      if (mount.type === 'cache') return [cacheMount(mount, text, inputs)];
      return mount.type === 'tmpfs' ? [tmpfsMount(mount)] : [];
    }),
    ...(op.shmSize ? [tmpfsMount({ target: '/dev/shm', size: op.shmSize, readonly: false })] : []),
  ];
  return mounts.sort((a, b) => Buffer.compare(Buffer.from(a.target), Buffer.from(b.target)));
}

function rootMount({ base }: RunOp, inputs: InputList): FileMount {
  const input = inputs.addVertex(base);
  return { target: '/', json: omitEmpty({ input, dest: '/' }), input, source: '/', byContent: false };
}

/** The folder of a heredoc that is a program of its own. */
function scriptMount({ path, data, mode }: RunOp['scripts'][number], inputs: InputList): FileMount {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const { node, digest } = inlineFile(name, mode, data);
  const input = inputs.addNode(node);
  const target = path.slice(0, path.length - name.length);
  const root = buildkitFileDigest({ type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0 });
  return {
    target,
    json: omitEmpty({ input, dest: target, output: -1, readonly: true }),
    input,
    source: '/',
    byContent: true,
    known: buildkitDirectoryDigest(root, [{ name: Buffer.from(name), digest }]),
  };
}

function bindMount(mount: Extract<RunMount, { type: 'bind' }>, inputs: InputList): FileMount {
  const { target, from, source, readonly } = mount;
  const input = inputs.addVertex(from);
  return {
    target,
    json: omitEmpty({ input, dest: target, output: -1, readonly }),
    input,
    source,
    byContent: true,
  };
}

function cacheMount(
  mount: Extract<RunMount, { type: 'cache' }>,
  { owned }: MountAsWritten,
  inputs: InputList,
): FileMount {
  const { target, from, readonly } = mount;
  const makesFolder = owned && mount.source === '/';
  const input = makesFolder
    ? inputs.addNode(ownedFolder(from === undefined ? undefined : inputs.sourceOf(from), mount))
    : from === undefined
      ? -1
      : inputs.addVertex(from);
  const json = omitEmpty({
    input,
    dest: target,
    output: -1,
    readonly,
    mountType: mountTypes.cache,
    cacheOpt: isDefaultCache(mount) ? omitEmpty({ ID: mount.id }) : {},
  });
  return { target, json, input, source: makesFolder ? '/cache' : mount.source, byContent: true };
}

/** A cache that is shared and named after its target keeps its id in the key. */
function isDefaultCache({ id, target, sharing }: Extract<RunMount, { type: 'cache' }>): boolean {
  if (sharings[sharing] !== 0) return false;
  return id === target || (id.includes('/') && id.slice(id.indexOf('/') + 1) === target);
}

function tmpfsMount({
  target,
  size,
  readonly,
}: Pick<Extract<RunMount, { type: 'tmpfs' }>, 'target' | 'size' | 'readonly'>): FileMount {
  const json = omitEmpty({
    input: -1,
    dest: target,
    output: -1,
    readonly,
    mountType: mountTypes.tmpfs,
    TmpfsOpt: omitEmpty({ size }),
  });
  return { target, json, input: -1, source: '/', byContent: true };
}

function secretVariables(written: readonly Written[]): GoValue[] {
  return written.flatMap(({ mount }) =>
    mount.type === 'secret' && mount.env !== undefined
      ? [omitEmpty({ ID: mount.id, name: mount.env, optional: !mount.required })]
      : [],
  );
}

function secretMounts(written: readonly Written[]): GoValue[] {
  return written.flatMap(({ mount, written: { target } }) => {
    if (mount.type !== 'secret' || mount.target === undefined) return [];
    const { id, uid, gid, mode, required } = mount;
    return [
      omitEmpty({
        input: -1,
        dest: target || mount.target,
        mountType: mountTypes.secret,
        secretOpt: omitEmpty({ ID: id, uid, gid, mode, optional: !required }),
      }),
    ];
  });
}

function sshMounts(written: readonly Written[]): GoValue[] {
  return sockets(written).map(({ target, id, mount: { uid, gid, mode, required } }) =>
    omitEmpty({
      input: -1,
      dest: target,
      mountType: mountTypes.ssh,
      SSHOpt: omitEmpty({ ID: id, uid, gid, mode, optional: !required }),
    }),
  );
}

function sockets(written: readonly Written[]) {
  return written
    .flatMap(({ mount, written: text }) => (mount.type === 'ssh' ? [{ mount, ...text }] : []))
    .map((socket, index) => ({ ...socket, target: socket.target || `/run/buildkit/ssh_agent.${index}` }));
}

function inputOf(source: BuildkitSource, mounts: readonly FileMount[]): BuildkitInput {
  const paths = mounts.map((mount) => mount.source);
  const selector = runSelectorDigest(paths);
  const content = mounts.at(-1)?.byContent ? contentOf(source, paths, mounts) : undefined;
  return { source, selector, ...(content === undefined ? {} : { content }) };
}

function contentOf(
  source: BuildkitSource,
  paths: readonly string[],
  mounts: readonly FileMount[],
): BuildkitContent | undefined {
  if (source.type === 'vertex') {
    const parts = outermost(paths);
    const selectors = parts.includes('/')
      ? [wholePath('/', false)]
      : parts.map((path) => wholePath(path, true));
    return { type: 'read', from: source.id, selectors };
  }
  const known = mounts.find((mount) => mount.known !== undefined)?.known;
  return known === undefined ? undefined : { type: 'known', digest: combineBuildkitParts([known]) };
}
