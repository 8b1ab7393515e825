/** Owner, mode, extended attributes and times of what a copy makes: --chown and --chmod over the source's own. */
import * as native from '@tsbuild/native';
import type { Fd, Stat, Xattr } from '@tsbuild/native';
import { hasCode, isDirectory } from '../rootfs/open.js';
import { bytesOf, type RawPath } from '../rootfs/raw-path.js';
import type { NewDirectory } from '../rootfs/mkdir-all.js';
import type { ModeChange } from './mode.js';
import { changeOwner } from '../rootfs/owner.js';

export interface Owner {
  uid: number;
  gid: number;
}

export interface Attributes {
  /** Owner of all that is copied or made; the source's (0:0 for made directories) if unset. */
  owner: Owner | undefined;
  mode: ModeChange | undefined;
}

/** Directories that the destination needs: 0755, or what the usual umask (022) leaves of an octal --chmod. */
export function impliedDirectory({ owner, mode }: Attributes): NewDirectory {
  return {
    mode: mode?.type === 'octal' ? mode.mode & 0o755 : 0o755,
    uid: owner?.uid ?? 0,
    gid: owner?.gid ?? 0,
  };
}

/** Permission bits that an entry gets. */
export function modeFor({ mode }: Attributes, stat: Stat): number {
  if (mode === undefined) return stat.mode & 0o7777;
  return mode.type === 'octal' ? mode.mode : mode.apply(stat.mode, isDirectory(stat));
}

/** Gives a directory the source's attributes. Times last: everything before changes them. */
export function applyToDirectory(
  parent: Fd,
  name: RawPath,
  stat: Stat,
  xattrs: readonly Xattr[],
  attributes: Attributes,
): void {
  const bytes = bytesOf(name);
  changeOwner(parent, bytes, attributes.owner?.uid ?? stat.uid, attributes.owner?.gid ?? stat.gid);
  native.chmodat(parent, bytes, modeFor(attributes, stat));
  for (const { name: attribute, value } of xattrs) {
    if (!isCopied(attribute)) continue;
    try {
      native.setXattr(parent, bytes, attribute, value);
    } catch (error) {
      if (!hasCode(error, 'ENOTSUP') && !hasCode(error, 'EPERM')) throw error;
    }
  }
  native.utimesat(parent, bytes, stat.atimeNs, stat.mtimeNs);
}

/** The same attributes as copyFiles takes over. */
function isCopied(attribute: string): boolean {
  if (attribute === 'security.capability') return true;
  return attribute.startsWith('user.') && !attribute.startsWith('user.overlay.');
}
