/**
 * BuildKit's digests of files (its cache/contenthash): the fields of a tar header but for name and time in a text, then
 * the data. Caches that are shared with BuildKit are found by them.
 */
import { createHash, type Hash } from 'node:crypto';
import { type Digest, sha256 } from './digest.js';

export interface BuildkitFile {
  type: 'file' | 'directory' | 'symlink' | 'char' | 'block' | 'fifo';
  /** Permission bits with setuid, setgid and sticky. */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes; only a file has any. */
  size: number;
  /** Text of a symbolic link. */
  link?: Uint8Array | undefined;
  /** Of a device in a build context; those of a root file system count as 0:0. */
  device?: { major: number; minor: number } | undefined;
  /** Names and values; each character of a name is one byte. */
  xattrs?: readonly { name: string; value: Uint8Array }[] | undefined;
}

const typeFlags = { file: '0', symlink: '2', char: '3', block: '4', directory: '5', fifo: '6' };

/** What stands before a file's data. */
export function buildkitHeader(file: BuildkitFile): Buffer {
  const { mode, uid, gid, device } = file;
  const size = file.type === 'file' ? file.size : 0;
  return Buffer.concat([
    Buffer.from(`namemode${mode}uid${uid}gid${gid}size${size}typeflag${typeFlags[file.type]}linkname`),
    file.link ?? Buffer.alloc(0),
    Buffer.from(`unamegnamedevmajor${device?.major ?? 0}devminor${device?.minor ?? 0}`),
    ...(file.xattrs ?? [])
      .filter(({ name }) => countsInHeader(name))
      .map(({ name, value }) => ({ name: Buffer.from(name, 'latin1'), value }))
      .sort((a, b) => Buffer.compare(a.name, b.name))
      .flatMap(({ name, value }) => [name, value]),
  ]);
}

function countsInHeader(name: string): boolean {
  return name === 'security.capability' || !/^(?:security|system)\./.test(name);
}

export function buildkitFileDigest(file: BuildkitFile, data: Uint8Array | string = ''): Digest {
  return finish(createHash('sha256').update(buildkitHeader(file)).update(data));
}

/** Of a directory: its own header's digest, and its children in the order of their names' bytes. */
export function buildkitDirectoryDigest(
  header: Digest,
  children: Iterable<{ name: Uint8Array; digest: Digest }>,
): Digest {
  const hash = createHash('sha256').update(`\0${header}`);
  for (const { name, digest } of children) hash.update('\0').update(name).update(digest);
  return finish(hash);
}

/** The header of a build context's root, which has no attributes of its own. */
export const buildkitContextRoot: Digest = sha256('');

/** Of several parts of one input, in the order of their selectors. */
export function combineBuildkitParts(parts: readonly Digest[]): Digest {
  return sha256(parts.join('\0'));
}

function finish(hash: Hash): Digest {
  return `sha256:${hash.digest('hex')}` as Digest;
}
