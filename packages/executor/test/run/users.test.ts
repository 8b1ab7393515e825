/** USER and --chown against passwd and group files of a root file system. */
import assert from 'node:assert/strict';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { resolveOwner, resolveUser } from '../../src/run/users.js';

describe('users of a root file system', () => {
  let folder: string;
  let root: number;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'tsbuild-users-'));
    for (const path of ['root/etc', 'root/usr', 'none', 'hostile/etc'])
      mkdirSync(join(folder, path), { recursive: true });
    writeFileSync(
      join(folder, 'root/usr/passwd'),
      'root:x:0:0:root:/root:/bin/sh\n\nbob:x:1000:1001:Bob:/home/bob:/bin/sh\nsame:x:1000:7::/other:\nbroken\nnohome:x:5:5\n',
    );
    // An absolute link is followed inside of the root.
    symlinkSync('/usr/passwd', join(folder, 'root/etc/passwd'));
    writeFileSync(
      join(folder, 'root/etc/group'),
      'root:x:0:root\nwheel:x:10:root,bob\nstaff:x:1001:\nextra:x:77:bob\n',
    );
    symlinkSync('/etc/passwd', join(folder, 'hostile/etc/passwd'));
    mkdirSync(join(folder, 'hostile/etc/group'));
    root = openSync(join(folder, 'root'), 'r');
  });
  after(() => {
    closeSync(root);
    rmSync(folder, { recursive: true });
  });

  for (const [user, uid, gid, groups, home] of [
    ['', 0, 0, [0, 10], '/root'],
    ['root', 0, 0, [0, 10], '/root'],
    ['bob', 1000, 1001, [1001, 10, 77], '/home/bob'],
    ['1000', 1000, 1001, [1001, 10, 77], '/home/bob'],
    ['bob:staff', 1000, 1001, [1001], '/home/bob'],
    ['bob:wheel', 1000, 10, [10], '/home/bob'],
    ['bob:123', 1000, 123, [123], '/home/bob'],
    ['1000:1001', 1000, 1001, [1001], '/home/bob'],
    ['root:root', 0, 0, [0], '/root'],
    ['4242', 4242, 0, [0], '/'],
    ['4242:4343', 4242, 4343, [4343], '/'],
    ['4242:wheel', 4242, 10, [10], '/'],
    ['5', 5, 5, [5], '/'],
  ] as const) {
    test(`USER ${JSON.stringify(user)}`, () => {
      assert.deepEqual(resolveUser(root, user), { uid, gid, groups: [...groups], home });
    });
  }

  for (const [user, code, message] of [
    ['nobody2', 'TSB_EXEC_UNKNOWN_USER', 'unable to find user nobody2: no matching entries in passwd file'],
    [
      'bob:nogroup2',
      'TSB_EXEC_UNKNOWN_GROUP',
      'unable to find group nogroup2: no matching entries in group file',
    ],
    ['99999999999', 'TSB_EXEC_BAD_USER', 'USER 99999999999: uids and gids must be in range 0-2147483647'],
  ] as const) {
    test(`USER ${user} is refused`, () => assert.throws(() => resolveUser(root, user), { code, message }));
  }

  test('an empty root has only root', () => {
    assert.deepEqual(resolveUser(undefined, ''), { uid: 0, gid: 0, groups: [0], home: '/' });
    assert.throws(() => resolveUser(undefined, 'bob'), { code: 'TSB_EXEC_UNKNOWN_USER' });
  });

  test('links that loop and files that are directories count as missing', () => {
    const fd = openSync(join(folder, 'hostile'), 'r');
    assert.deepEqual(resolveUser(fd, ''), { uid: 0, gid: 0, groups: [0], home: '/' });
    closeSync(fd);
  });

  for (const [owner, uid, gid] of [
    ['bob', 1000, 1001],
    ['bob:wheel', 1000, 10],
    ['55', 55, 55],
    ['55:66', 55, 66],
    ['root', 0, 0],
    ['unknown', 0, 0],
    ['unknown:wheel', 0, 10],
    ['bob:', 1000, 0],
    [':wheel', 0, 10],
    ['bob:unknown', 1000, 1001],
  ] as const) {
    test(`--chown=${owner}`, () => assert.deepEqual(resolveOwner(root, owner), { uid, gid }));
  }
});
