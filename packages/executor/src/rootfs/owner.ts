import { TsbuildError } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { Fd } from '@tsbuild/native';
import { hasCode } from './open.js';

/**
 * Gives a file its owner. Where only one id is mapped all files belong to it: there is no other owner to give them.
 * @throws TsbuildError TSB_HOST_UNMAPPED_ID where a user namespace has no such id (user_namespaces(7))
 */
export function changeOwner(dirfd: Fd, name: Buffer | string, uid: number, gid: number): void {
  try {
    native.chownat(dirfd, name, uid, gid);
  } catch (error) {
    if (!hasCode(error, 'EINVAL')) throw error;
    if (process.env['TSBUILD_SINGLE_ID'] === '1') return;
    throw new TsbuildError(
      'TSB_HOST_UNMAPPED_ID',
      `a file belongs to ${uid}:${gid}, which this user may not use`,
      {
        hint: 'Your ranges in /etc/subuid and /etc/subgid are too small; have them extended (usermod --add-subuids, --add-subgids), or build as root.',
        cause: error,
      },
    );
  }
}
