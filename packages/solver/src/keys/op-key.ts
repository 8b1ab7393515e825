/**
 * Cache keys of vertices: docs/caching.md lists what enters, field by field. Sources of files enter by content
 * (the digests given here), inputs that a step runs on by their own key.
 */
import { type Digest, formatPlatform, type Platform } from '@tsbuild/core';
import type { Ref } from '../interfaces.js';
import type { FileAction, FileOp, ImageOp, RunMount, RunOp } from '../ops.js';
import { digestOf, type Encodable } from './encode.js';

/** Raised when what a step does for the same definition changes, so that results of older versions are not used. */
export const keyVersion = 1;

export const scratchKey: Digest = digestOf(['scratch', keyVersion]);

/** Two images with the same layers are the same root file system. */
export function imageKey(op: ImageOp): Digest {
  return op.diffIds.length === 0 ? scratchKey : digestOf(['image', keyVersion, op.diffIds]);
}

/** A root file system that is told by its layers alone, whatever made them. */
export function layersKey({ layers }: Ref): Digest {
  return digestOf(['layers', keyVersion, layers.map(({ diffId, snapshot }) => diffId ?? snapshot)]);
}

/** @param contents digests of what the mounts with an input select, by index in op.mounts */
export function runKey(
  op: RunOp,
  platform: Platform,
  base: Digest,
  contents: ReadonlyMap<number, Digest>,
): Digest {
  return digestOf([
    'run',
    keyVersion,
    base,
    {
      platform: formatPlatform(platform),
      args: op.args,
      env: op.env,
      cwd: op.cwd,
      user: op.user,
      hostname: op.hostname,
      network: op.network,
      security: op.security,
      shmSize: op.shmSize,
      cgroupParent: op.cgroupParent,
      extraHosts: op.extraHosts.map(({ name }) => name),
      ulimits: op.ulimits.map(({ name, soft, hard }) => [name, soft, hard]),
      scripts: op.scripts.map(({ path, data, mode }) => [path, data, mode]),
      devices: op.devices.map(({ name, required }) => [name, required]),
      mounts: op.mounts.map((mount, index) => mountFields(mount, contents.get(index))),
    },
  ]);
}

/** What of a mount a step can see: neither cache contents and ids nor secret values. */
function mountFields(mount: RunMount, digest: Digest | undefined): Encodable {
  switch (mount.type) {
    case 'bind':
      return ['bind', mount.target, mount.readonly, digest];
    case 'cache':
      return ['cache', mount.target, mount.readonly, mount.mode, mount.uid, mount.gid, digest];
    case 'tmpfs':
      return ['tmpfs', mount.target, mount.readonly, mount.size];
    case 'secret':
      return ['secret', mount.id, mount.target, mount.env, mount.required, mount.mode, mount.uid, mount.gid];
    case 'ssh':
      return ['ssh', mount.id, mount.target, mount.required, mount.mode, mount.uid, mount.gid];
  }
}

/** @param contents digests of what the copies select, by index in op.actions */
export function fileKey(op: FileOp, base: Digest, contents: ReadonlyMap<number, Digest>): Digest {
  const actions = op.actions.map((action, index) => actionFields(action, contents.get(index)));
  return digestOf(['file', keyVersion, base, actions]);
}

function actionFields(action: FileAction, digest: Digest | undefined): Encodable {
  switch (action.type) {
    case 'mkdir':
      return ['mkdir', action.path, action.mode, action.owner, action.mtime];
    case 'mkfile':
      return ['mkfile', action.name, action.data, action.destination, action.chmod, action.chown];
    case 'copy':
      return [
        'copy',
        baseName(action.source),
        action.destination,
        action.chown,
        action.chmod,
        action.exclude,
        action.parents,
        action.unpack,
        action.ownerZero,
        digest,
      ];
  }
}

function baseName(path: string): string {
  return path.slice(path.replace(/\/+$/, '').lastIndexOf('/') + 1);
}

/** @param content the worker's digest of what was fetched */
export function sourceKey(kind: 'http' | 'git', content: Digest): Digest {
  return digestOf([kind, keyVersion, content]);
}

export function mergeKey(lower: Digest, upper: Digest): Digest {
  return digestOf(['merge', keyVersion, lower, upper]);
}
