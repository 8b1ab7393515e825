/**
 * Properties of content digests over generated trees of real files: a change of what a source selects changes the digest of
 * that source, and of no other; times, the folder's place and unselected files change none.
 */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { Digest } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { Selector } from '@tsbuild/solver';
import { digestSelector, hashWithoutCache } from '../../src/content/digest.js';
import { openContexts } from '../../src/context/contexts.js';
import { compileIgnore } from '../../src/context/ignore.js';

const folder = mkdtempSync(join(tmpdir(), 'tsbuild-properties-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const signal = new AbortController().signal;
const seeds = [1, 2, 3, 4, 5, 6, 7, 8];
const isRoot = process.getuid?.() === 0;

/** Numbers that look random and are the same each time (a linear congruential generator). */
function randomFrom(seed: number): (end: number) => number {
  let state = BigInt(seed);
  return (end) => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    return Number(state >> 33n) % end;
  };
}
type Random = ReturnType<typeof randomFrom>;

const files = [
  'c.txt',
  'd.txt',
  'readme.md',
  'x.log',
  'a/one.js',
  'a/two.js',
  'a/note.md',
  'a/sub/deep.js',
  'a/sub/z.log',
  'b/keep.txt',
  'b/drop.txt',
  'b/ü ☃.js',
];
const links = ['l', 'a/link', 'b/link'];

function makeTree(root: string, seed: number): void {
  const random = randomFrom(seed);
  for (const path of files) {
    mkdirSync(join(root, dirname(path)), { recursive: true, mode: 0o755 });
    writeFileSync(join(root, path), `${path} ${'x'.repeat(random(100))}`);
    chmodSync(join(root, path), [0o644, 0o755, 0o600, 0o4755][random(4)] as number);
  }
  for (const path of links)
    symlinkSync(['one.js', '/etc/passwd', 'nowhere'][random(3)] as string, join(root, path));
}

interface Source {
  name: string;
  selector: Selector;
  ignore?: string[];
  selects(path: string): boolean;
  /** Files count as root's. */
  ownerZero: boolean;
}

function copy(
  name: string,
  selects: (path: string) => boolean,
  action: Partial<Extract<Selector, { type: 'copy' }>['action']>,
  ignore?: string[],
): Source {
  const ownerZero = action.ownerZero ?? true;
  const all = { source: '/', exclude: [], parents: false, ownerZero };
  const whole = { ...all, unpack: 'never' as const, ...action };
  return {
    name,
    selects,
    selector: { type: 'copy', action: whole },
    ownerZero,
    ...(ignore ? { ignore } : {}),
  };
}

const sources: Source[] = [
  copy('COPY .', () => true, {}),
  copy('COPY --from=stage /', () => true, { ownerZero: false }),
  copy('COPY a', (path) => path.startsWith('a/'), { source: '/a' }),
  copy('COPY *.txt', (path) => /^[^/]*\.txt$/.test(path), { source: '/*.txt' }),
  copy('COPY a/one.js', (path) => path === 'a/one.js', { source: '/a/one.js' }),
  copy('COPY --exclude=**/*.md .', (path) => !path.endsWith('.md'), { exclude: ['**/*.md'] }),
  copy('COPY --parents a/*.js', (path) => /^a\/[^/]*\.js$/.test(path), {
    source: '/./a/*.js',
    parents: true,
  }),
  copy(
    'COPY . with an ignore file',
    (path) => !path.endsWith('.log') && (!path.startsWith('b/') || path === 'b/keep.txt'),
    {},
    ['**/*.log', 'b', '!b/keep.txt'],
  ),
  {
    name: 'a bind mount of a',
    selects: (path) => path.startsWith('a/'),
    selector: { type: 'path', path: '/a', followLinks: true },
    ownerZero: false,
  },
];

async function digestOf(root: string, { selector, ignore }: Source): Promise<Digest> {
  const { AT_FDCWD, constants } = native;
  const fd = native.openat2(AT_FDCWD, root, constants.O_PATH | constants.O_DIRECTORY, 0, 0);
  try {
    const rules = ignore && compileIgnore({ patterns: ignore, file: '.dockerignore' });
    const tree = { root: fd, crossMounts: true, ignore: rules };
    return await digestSelector(tree, selector, hashWithoutCache(tree, signal), signal);
  } finally {
    native.close(fd);
  }
}

/** Sets an attribute; false where the file system has none. */
function setAttribute(path: string, value: string): boolean {
  const { AT_FDCWD, constants } = native;
  const fd = native.openat2(AT_FDCWD, dirname(path), constants.O_PATH | constants.O_DIRECTORY, 0, 0);
  try {
    native.setXattr(fd, path.slice(dirname(path).length + 1), 'user.tsbuild', Buffer.from(value));
    return true;
  } catch (error) {
    if (/ENOTSUP|EOPNOTSUPP|EPERM/.test((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  } finally {
    native.close(fd);
  }
}

/** Writes and puts the times back. */
function quietly(path: string, change: () => void): void {
  const { atime, mtime } = statSync(path);
  change();
  utimesSync(path, atime, mtime);
}

interface Change {
  name: string;
  /** Changes one thing at `path`; false where this machine cannot. */
  apply(path: string, random: Random): unknown;
  of: readonly string[];
  /** Counts for sources that select the path; by default for all of them. */
  counts?(source: Source): boolean;
}

const changes: Change[] = [
  {
    name: 'a byte, with size and times put back',
    of: files,
    apply: (path, random) =>
      quietly(path, () => {
        const data = readFileSync(path);
        const at = random(data.length);
        data.writeUInt8(data.readUInt8(at) ^ 1, at);
        writeFileSync(path, data);
      }),
  },
  { name: 'a byte more', of: files, apply: (path) => quietly(path, () => appendFileSync(path, '\0')) },
  { name: 'no bytes at all', of: files, apply: (path) => writeFileSync(path, '') },
  { name: 'a mode', of: files, apply: (path) => chmodSync(path, statSync(path).mode ^ 0o011) },
  {
    name: 'a mode bit of special meaning',
    of: files,
    apply: (path) => chmodSync(path, statSync(path).mode ^ 0o2000),
  },
  { name: 'the mode of a folder', of: ['a/sub'], apply: (path) => chmodSync(path, 0o700) },
  {
    name: 'an owner',
    of: files,
    counts: ({ ownerZero }) => !ownerZero,
    apply: (path) => {
      if (!isRoot) return false;
      const { mode } = statSync(path);
      chownSync(path, 1, 0);
      chmodSync(path, mode);
    },
  },
  {
    name: 'a group',
    of: files,
    counts: ({ ownerZero }) => !ownerZero,
    apply: (path) => {
      if (!isRoot) return false;
      const { mode } = statSync(path);
      chownSync(path, 0, 1);
      chmodSync(path, mode);
    },
  },
  { name: 'an extended attribute', of: files, apply: (path) => setAttribute(path, 'value') },
  {
    name: 'the target of a link',
    of: links,
    apply: (path) => {
      const target = readlinkSync(path);
      unlinkSync(path);
      symlinkSync(`${target}0`, path);
    },
  },
  {
    name: 'a link to its text',
    of: links,
    apply: (path) => {
      const target = readlinkSync(path);
      unlinkSync(path);
      writeFileSync(path, target);
    },
  },
  { name: 'a name', of: files, apply: (path) => renameSync(path, path.replace(/(\.\w+)$/, '0$1')) },
  { name: 'a file less', of: files.filter((path) => path !== 'a/one.js'), apply: (path) => unlinkSync(path) },
  {
    name: 'a file more',
    of: files.map((path) => path.replace(/(\.\w+)$/, '-more$1')),
    apply: (path) => writeFileSync(path, ''),
  },
  { name: 'a folder more', of: ['a/sub/empty'], apply: (path) => mkdirSync(path) },
  {
    name: 'a folder in the place of a file',
    of: files,
    apply: (path) => {
      unlinkSync(path);
      mkdirSync(path, 0o755);
    },
  },
];

/** What they change is not content. */
const noChanges: Change[] = [
  {
    name: 'the time of a file',
    of: files,
    apply: (path, random) => utimesSync(path, random(1e9), random(1e9)),
  },
  { name: 'the time of a link', of: links, apply: (path, random) => lutimesSync(path, 1, random(1e9)) },
  { name: 'the time of a folder', of: ['.', 'a', 'a/sub'], apply: (path) => utimesSync(path, 1, 1) },
  {
    name: 'the inode',
    of: files,
    apply: (path) => {
      const [data, { mode }] = [readFileSync(path), statSync(path)];
      writeFileSync(`${path}.new`, data);
      chmodSync(`${path}.new`, mode);
      renameSync(`${path}.new`, path);
    },
  },
];

/** A changed copy of the tree beside the first; undefined where this machine cannot change it so. */
function changed(seed: number, change: Change, path: string, random: Random): string | undefined {
  const root = mkdtempSync(join(folder, 'tree-'));
  makeTree(root, seed);
  if (change.apply(join(root, path), random) !== false) return root;
  rmSync(root, { recursive: true });
  return undefined;
}

async function checkChange(
  change: Change,
  expected: (source: Source, path: string) => boolean,
  skip: () => void,
) {
  let done = 0;
  for (const seed of seeds) {
    const random = randomFrom(seed);
    const path = change.of[random(change.of.length)] as string;
    const first = mkdtempSync(join(folder, 'first-'));
    makeTree(first, seed);
    const root = changed(seed, change, path, random);
    if (root === undefined) continue;
    done++;
    for (const source of sources) {
      const what = `seed ${seed}: ${change.name} of ${path} in ${source.name}`;
      // A source that names what is gone is no longer a source.
      if (source.name === 'COPY a/one.js' && path === 'a/one.js' && change.name === 'a name') continue;
      const same: boolean = (await digestOf(root, source)) === (await digestOf(first, source));
      assert.equal(!same, expected(source, path), what);
    }
    for (const each of [first, root]) rmSync(each, { recursive: true });
  }
  if (done === 0) skip();
}

describe('what is content', () => {
  for (const change of changes)
    test(change.name, (t) =>
      checkChange(
        change,
        (source, path) => source.selects(path) && (change.counts?.(source) ?? true),
        () => t.skip('this machine or user cannot make this change'),
      ),
    );
});

describe('what is no content', () => {
  for (const change of noChanges)
    test(change.name, (t) =>
      checkChange(
        change,
        () => false,
        () => t.skip('this machine cannot make this change'),
      ),
    );
});

test('which names are one file counts where a source selects both', async () => {
  for (const [one, two] of [
    ['c.txt', 'd.txt'],
    ['a/one.js', 'b/drop.txt'],
    ['a/one.js', 'a/two.js'],
    ['a/note.md', 'a/two.js'],
  ] as const) {
    const roots = [true, false].map((linked) => {
      const root = mkdtempSync(join(folder, 'twins-'));
      makeTree(root, 1);
      unlinkSync(join(root, two));
      if (linked) linkSync(join(root, one), join(root, two));
      else {
        writeFileSync(join(root, two), readFileSync(join(root, one)));
        chmodSync(join(root, two), statSync(join(root, one)).mode);
      }
      return root;
    });
    for (const source of sources) {
      // Each match of a wildcard is copied by itself.
      const together = source.selects(one) && source.selects(two) && source.name !== 'COPY *.txt';
      const [linked, apart] = await Promise.all(roots.map((root) => digestOf(root, source)));
      assert.equal(linked !== apart, together, `${one} and ${two} in ${source.name}`);
    }
  }
});

test('a file that hardly changed is noticed: digests by the stat cache are those of all bytes', async () => {
  const [source] = sources as [Source];
  for (const seed of seeds.slice(0, 4)) {
    const random = randomFrom(seed);
    const root = mkdtempSync(join(folder, 'cached-'));
    const caches = mkdtempSync(join(folder, 'caches-'));
    makeTree(root, seed);
    for (let round = 0; round < 12; round++) {
      const contexts = openContexts(new Map([['context', { path: root }]]), {
        cacheFolder: caches,
        noStatCache: false,
        warn: assert.fail,
      });
      try {
        const tree = contexts.tree('context');
        const cached = await digestSelector(
          tree,
          source.selector,
          await contexts.hasher('context', signal),
          signal,
        );
        assert.equal(cached, await digestOf(root, source), `seed ${seed}, round ${round}`);
      } finally {
        await contexts.close();
      }
      const change = changes[random(3)] as Change;
      const path = join(root, files[random(files.length)] as string);
      if (statSync(path).size > 0) change.apply(path, random);
    }
  }
});
