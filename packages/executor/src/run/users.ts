/**
 * Users and groups of a root file system, as USER and --chown name them. The files are an image's: they are opened
 * inside the root, must be regular and of bounded size, and are read byte for byte as moby's user package does it.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { TsbuildError } from '@tsbuild/core';
import * as native from '@tsbuild/native';

export interface ResolvedUser {
  uid: number;
  gid: number;
  /** All groups of the process; the primary one comes first. */
  groups: number[];
  /** What HOME is where the environment has none. */
  home: string;
}

/** Bytes that a passwd or group file may have. */
const sizeLimit = 10 * 1024 * 1024;
const maxId = 2 ** 31 - 1;

interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

interface GroupEntry {
  name: string;
  gid: number;
  members: string[];
}

/**
 * The user that a RUN step runs as.
 * @param rootFd descriptor of the root file system; undefined for an empty one
 * @param user as in USER: '', NAME, UID, each with an optional :GROUP or :GID
 * @throws TsbuildError TSB_EXEC_UNKNOWN_USER, TSB_EXEC_UNKNOWN_GROUP, TSB_EXEC_BAD_USER
 */
export function resolveUser(rootFd: native.Fd | undefined, user: string): ResolvedUser {
  const [userPart = '', groupPart = ''] = (user === '' ? '0' : user).split(':');
  const entries = readPasswd(rootFd);
  const homeOf = (uid: number) => entries.find((entry) => entry.uid === uid)?.home || '/';
  const fixedUid = fixedId(userPart);
  const fixedGid = fixedId(groupPart);
  if (user.includes(':') && fixedUid !== undefined && fixedGid !== undefined) {
    return { uid: fixedUid, gid: fixedGid, groups: [fixedGid], home: homeOf(fixedUid) };
  }

  const numericUid = number(userPart);
  const entry = entries.find((each) =>
    userPart === ''
      ? each.uid === 0
      : numericUid === undefined
        ? each.name === userPart
        : each.uid === numericUid,
  );
  const uid = entry?.uid ?? (userPart === '' ? 0 : numericUid);
  if (uid === undefined) {
    throw new TsbuildError(
      'TSB_EXEC_UNKNOWN_USER',
      `unable to find user ${userPart}: no matching entries in passwd file`,
      { hint: 'Create the user with RUN useradd (or adduser) first, or name it by number in USER.' },
    );
  }
  if (uid < 0 || uid > maxId) throw outOfRange(user);
  const { gid, supplementary } = resolveGroup(rootFd, groupPart, entry);
  if (gid < 0 || gid > maxId) throw outOfRange(user);
  return { uid, gid, groups: [gid, ...supplementary.filter((id) => id !== gid)], home: homeOf(uid) };
}

/**
 * The owner that --chown names: numbers as they are, names by the destination's files, and 0 for a user that is not found.
 * Without a group, or with one that is not found, it is the user's own: a number is its own group.
 */
export function resolveOwner(rootFd: native.Fd | undefined, owner: string): { uid: number; gid: number } {
  const colon = owner.indexOf(':');
  const userPart = colon < 0 ? owner : owner.slice(0, colon);
  const groupPart = colon < 0 ? undefined : owner.slice(colon + 1);
  const fixedUid = fixedId(userPart);
  const entry =
    fixedUid === undefined && userPart !== ''
      ? readPasswd(rootFd).find((each) => each.name === userPart)
      : undefined;
  const uid = fixedUid ?? entry?.uid ?? 0;
  const ownGid = fixedUid ?? entry?.gid ?? 0;
  if (groupPart === undefined) return { uid, gid: ownGid };
  const fixedGid = fixedId(groupPart);
  if (fixedGid !== undefined || groupPart === '') return { uid, gid: fixedGid ?? 0 };
  return { uid, gid: readGroups(rootFd).find((group) => group.name === groupPart)?.gid ?? ownGid };
}

function resolveGroup(
  rootFd: native.Fd | undefined,
  groupPart: string,
  entry: PasswdEntry | undefined,
): { gid: number; supplementary: number[] } {
  if (groupPart === '') {
    if (entry === undefined) return { gid: 0, supplementary: [] };
    const groups = readGroups(rootFd).filter((group) => group.members.includes(entry.name));
    return { gid: entry.gid, supplementary: groups.map((group) => group.gid) };
  }
  const numericGid = number(groupPart);
  const group = readGroups(rootFd).find((each) =>
    numericGid === undefined ? each.name === groupPart : each.gid === numericGid,
  );
  const gid = group?.gid ?? numericGid;
  if (gid === undefined) {
    throw new TsbuildError(
      'TSB_EXEC_UNKNOWN_GROUP',
      `unable to find group ${groupPart}: no matching entries in group file`,
      { hint: 'Create the group with RUN groupadd (or addgroup) first, or name it by number in USER.' },
    );
  }
  return { gid, supplementary: [] };
}

function outOfRange(user: string): TsbuildError {
  return new TsbuildError('TSB_EXEC_BAD_USER', `USER ${user}: uids and gids must be in range 0-${maxId}`);
}

function number(text: string): number | undefined {
  return /^[+-]?\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** A number that fits an id, or the name root; no file is asked. */
function fixedId(text: string): number | undefined {
  if (text === 'root') return 0;
  return /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 ? Number(text) : undefined;
}

function readPasswd(rootFd: native.Fd | undefined): PasswdEntry[] {
  return readTable(rootFd, '/etc/passwd').map(([name = '', , uid = '', gid = '', , home = '']) => ({
    name,
    uid: number(uid) ?? 0,
    gid: number(gid) ?? 0,
    home,
  }));
}

function readGroups(rootFd: native.Fd | undefined): GroupEntry[] {
  return readTable(rootFd, '/etc/group').map(([name = '', , gid = '', members = '']) => ({
    name,
    gid: number(gid) ?? 0,
    members: members.split(',').filter(Boolean),
  }));
}

function readTable(rootFd: native.Fd | undefined, path: string): string[][] {
  const text = rootFd === undefined ? undefined : readSmallFile(rootFd, path);
  if (text === undefined) return [];
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => line.split(':'));
}

/** Undefined where there is no such regular file. */
function readSmallFile(rootFd: native.Fd, path: string): string | undefined {
  const { O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, S_IFMT, S_IFREG } = native.constants;
  let pathFd: native.Fd;
  try {
    pathFd = native.openat2(rootFd, path, O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
  } catch {
    return undefined;
  }
  try {
    // Looked at before it is opened for reading: opening a device or a fifo of an image could do anything.
    const status = native.stat(pathFd, '');
    if ((status.mode & S_IFMT) !== S_IFREG) return undefined;
    if (status.size > sizeLimit) {
      throw new TsbuildError('TSB_EXEC_BAD_USER', `${path} of the image is larger than ${sizeLimit} bytes`);
    }
    return readOpen(`/proc/self/fd/${pathFd}`);
  } finally {
    native.close(pathFd);
  }
}

function readOpen(path: string): string {
  const fd = openSync(path, 'r');
  try {
    const chunks: Buffer[] = [];
    for (let total = 0; total < sizeLimit; ) {
      const chunk = Buffer.alloc(65536);
      const got = readSync(fd, chunk, 0, chunk.length, null);
      if (got === 0) break;
      chunks.push(chunk.subarray(0, got));
      total += got;
    }
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    closeSync(fd);
  }
}
