/** Commits of real repositories, fetched over HTTP: which one, what is left of .git, and where credentials go. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { TsbuildError } from '@tsbuild/core';
import type { GitOp } from '@tsbuild/solver';
import { checkOutGit } from '../../src/source/git-checkout.js';
import type { GitAccess } from '../../src/source/git-command.js';
import { type GitServer, noGit, startGitServer } from './git-server.js';

const nothing: GitAccess = { secret: async () => undefined, sshAgent: () => undefined };
const signal = AbortSignal.timeout(120_000);

describe('checkOutGit', { skip: noGit }, () => {
  let server: GitServer;
  let root: string;
  let folder: string;
  let count = 0;
  before(async () => {
    server = await startGitServer();
    root = mkdtempSync(join(tmpdir(), 'tsbuild-checkout-'));
  });
  after(async () => {
    await server.close();
    rmSync(root, { recursive: true, force: true });
  });
  beforeEach(() => {
    folder = join(root, `${++count}`);
    mkdirSync(folder);
    server.authorizations.clear();
  });

  const checkOut = (changes: Partial<GitOp>, access = nothing) =>
    checkOutGit(
      { kind: 'git', remote: `${server.url}/app.git`, keepGitDir: false, submodules: true, ...changes },
      folder,
      access,
      signal,
    );
  const read = (path: string) => readFileSync(join(folder, path), 'utf8');

  type Ids = GitServer['ids'];
  const references: [what: string, op: (ids: Ids) => Partial<GitOp>, commit: 'first' | 'second'][] = [
    ['nothing: the default branch', () => ({}), 'second'],
    ['a branch', () => ({ ref: 'other' }), 'first'],
    ['a branch in full', () => ({ ref: 'refs/heads/other' }), 'first'],
    ['a light tag', () => ({ ref: 'v1' }), 'first'],
    ['an annotated tag', () => ({ ref: 'v2' }), 'second'],
    ['a tag in full', () => ({ ref: 'refs/tags/v2' }), 'second'],
    ['a tag, peeled', () => ({ ref: 'refs/tags/v2^{}' }), 'second'],
    ['a commit', ({ first }) => ({ ref: first }), 'first'],
    ['the first digits of a commit', ({ first }) => ({ ref: first.slice(0, 8) }), 'first'],
    ['a branch and its commit', ({ second }) => ({ ref: 'main', checksum: second }), 'second'],
    [
      'a branch and digits of its commit',
      ({ second }) => ({ ref: 'main', checksum: second.slice(0, 9) }),
      'second',
    ],
    ['a tag and its own id', ({ tag }) => ({ ref: 'v2', checksum: tag }), 'second'],
    ['a whole checksum alone', ({ first }) => ({ checksum: first }), 'first'],
    ['a whole checksum that a branch has left', ({ first }) => ({ ref: 'main', checksum: first }), 'first'],
  ];
  for (const [what, op, commit] of references)
    test(`takes the commit of ${what}`, async () => {
      assert.equal(await checkOut(op(server.ids)), server.ids[commit]);
      assert.equal(read('file'), commit === 'first' ? 'one\n' : 'two\n');
    });

  const refused: [what: string, op: (ids: Ids) => Partial<GitOp>, code: string, message: RegExp][] = [
    ['a reference that is missing', () => ({ ref: 'none' }), 'TSB_RESOLVE_GIT', /remote ref none/],
    ['what looks like an option', () => ({ ref: '--upload-pack=x' }), 'TSB_RESOLVE_GIT', /--upload-pack=x/],
    [
      'a repository that is missing',
      () => ({ remote: `${server.url}/none.git` }),
      'TSB_RESOLVE_GIT',
      /not found/,
    ],
    [
      'files of this machine',
      () => ({ remote: 'file:///etc' }),
      'TSB_RESOLVE_GIT',
      /transport 'file' not allowed/,
    ],
    [
      'digits of another commit',
      ({ first }) => ({ ref: 'main', checksum: first.slice(0, 9) }),
      'TSB_INTEGRITY_CHECKSUM',
      /^expected checksum to match [0-9a-f]{9}, got [0-9a-f]{40}$/,
    ],
    [
      'another commit where .git is kept',
      ({ first }) => ({ ref: 'main', checksum: first, keepGitDir: true }),
      'TSB_INTEGRITY_CHECKSUM',
      /^expected checksum to match/,
    ],
    [
      'ssh without an agent',
      () => ({ remote: 'git@127.0.0.1:a/b.git' }),
      'TSB_RESOLVE_GIT',
      /was given no agent/,
    ],
  ];
  for (const [what, op, code, message] of refused)
    test(`refuses ${what}`, async () => {
      await assert.rejects(checkOut(op(server.ids)), (error) => {
        assert.ok(TsbuildError.is(error));
        assert.equal(error.code, code);
        assert.match(error.message, message);
        assert.notEqual(error.hint, undefined);
        return true;
      });
    });

  test('brings submodules, unless told not to', async () => {
    await checkOut({});
    assert.equal(read('part/inside'), 'part\n');
    folder = join(root, `${++count}`);
    mkdirSync(folder);
    await checkOut({ submodules: false });
    assert.deepEqual(readdirSync(join(folder, 'part')), []);
  });

  const kept: [ref: string | undefined, refs: string[]][] = [
    [undefined, ['refs/heads/main', 'refs/tags/main']],
    ['other', ['refs/heads/other', 'refs/tags/other']],
    ['v2', ['refs/tags/v2']],
  ];
  for (const [ref, refs] of kept)
    test(`a kept .git names ${refs.join(' and ')}, and nothing of the fetch`, async () => {
      await checkOut({ keepGitDir: true, ...(ref === undefined ? {} : { ref }) });
      const files = readdirSync(join(folder, '.git/refs'), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, '.git/').length))
        .sort();
      assert.deepEqual(files, refs);
      assert.ok(!readdirSync(join(folder, '.git')).includes('FETCH_HEAD'));
      assert.equal(read('.git/logs/HEAD'), '');
    });

  const encoded = (text: string) => `basic ${Buffer.from(text).toString('base64')}`;
  const secrets = (values: Record<string, string>): GitAccess => ({
    ...nothing,
    secret: async (id) => (values[id] === undefined ? undefined : Buffer.from(values[id])),
  });
  const credentials: [
    what: string,
    access: () => GitAccess,
    remote: (url: string) => string,
    header: string | undefined,
  ][] = [
    ['none', () => nothing, (url) => url, undefined],
    ['the URL', () => nothing, (url) => url.replace('://', '://me:s%40cret@'), encoded('me:s@cret')],
    [
      'a token',
      () => secrets({ GIT_AUTH_TOKEN: 's@cret\n' }),
      (url) => url,
      encoded('x-access-token:s@cret'),
    ],
    ['a header', () => secrets({ GIT_AUTH_HEADER: 'bearer s@cret' }), (url) => url, 'bearer s@cret'],
    [
      'the token of the host first',
      () => secrets({ GIT_AUTH_TOKEN: 'no', [`GIT_AUTH_TOKEN.${new URL(server.url).host}`]: 's@cret' }),
      (url) => url,
      encoded('x-access-token:s@cret'),
    ],
    [
      'no token of another host',
      () => secrets({ 'GIT_AUTH_TOKEN.example.org': 'x' }),
      (url) => url,
      undefined,
    ],
  ];
  for (const [what, access, remote, header] of credentials)
    test(`credentials: ${what}; they stay out of every file`, async () => {
      await checkOut({ remote: remote(`${server.url}/app.git`), keepGitDir: true }, access());
      assert.deepEqual([...server.authorizations], [header]);
      for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const text = readFileSync(join(entry.parentPath, entry.name), 'latin1');
        for (const secret of ['s@cret', 's%40cret', ...(header ? [header.slice(6)] : [])])
          assert.ok(!text.includes(secret), join(entry.parentPath, entry.name));
      }
    });

  test('credentials stay out of errors', async () => {
    const remote = `${server.url}/none.git`.replace('://', '://me:s3cret@');
    await assert.rejects(
      checkOut({ remote }),
      (error: Error) => !JSON.stringify([error.message, error]).includes('s3cret'),
    );
  });

  test('ends with the signal', async () => {
    const stop = AbortSignal.abort(new Error('enough'));
    const op: GitOp = { kind: 'git', remote: `${server.url}/app.git`, keepGitDir: false, submodules: true };
    await assert.rejects(checkOutGit(op, folder, nothing, stop), /enough/);
  });
});
