/**
 * Content digests against those in caches that `docker buildx build --cache-to type=local` (BuildKit 0.25) exported for
 * the same files: the record that a step's last input links to without a selector.
 */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  cpSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import * as native from '@tsbuild/native';
import { type BuildkitSelector, contentRecord } from '@tsbuild/solver';
import { digestBuildkit, hashHeadedWithoutCache } from '../../src/content/buildkit-digest.js';
import type { Tree } from '../../src/content/tree.js';
import { compileIgnore } from '../../src/context/ignore.js';

const scratch = mkdtempSync(join(tmpdir(), 'buildkit-digest-'));
const signal = new AbortController().signal;
const { O_PATH, O_DIRECTORY } = native.constants;
let context: Tree;
let stage: Tree;

before(() => {
  const folder = makeContext(join(scratch, 'context'));
  context = {
    ...open(folder),
    ignore: compileIgnore({ patterns: ['ig*', '!ig/keep', '.dockerignore'], file: '.dockerignore' }),
    crossMounts: true,
  };
  stage = open(makeStage(folder, join(scratch, 'stage')));
});

after(() => {
  for (const tree of [context, stage]) native.close(tree.root);
  rmSync(scratch, { recursive: true });
});

function open(path: string): Tree {
  return { root: native.openat2(native.AT_FDCWD, path, O_PATH | O_DIRECTORY, 0, 0), crossMounts: false };
}

function makeContext(folder: string): string {
  const file = (name: string, text: string, mode = 0o644) => {
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), mode);
  };
  const directory = (name: string, mode = 0o755) => {
    mkdirSync(join(folder, name), { recursive: true });
    chmodSync(join(folder, name), mode);
  };
  for (const name of ['', 'd', 'd/e', 'd/none', 'a', 'ig']) directory(name);
  directory('sticky', 0o1777);
  file('f', 'f\n');
  file('exec', '#!/bin/sh\n', 0o755);
  file('suid', 's', 0o4755);
  file('empty', '');
  file('d/x', 'x\n');
  file('d/e/z', 'z\n');
  file('d/e/.hidden', 'h\n');
  file('a/1', '1');
  file('a.b', 'b');
  file('a-c', 'c');
  file('ümlaut', 'u');
  symlinkSync('d/x', join(folder, 'link'));
  symlinkSync('d', join(folder, 'dirlink'));
  symlinkSync('/nowhere', join(folder, 'broken'));
  linkSync(join(folder, 'f'), join(folder, 'hard'));
  file('ig/keep', 'k');
  file('ig/no', 'n');
  file('ignored', 'l');
  file('.dockerignore', 'ig*\n!ig/keep\n.dockerignore\n');
  file('xa', 'x');
  const fd = native.openat2(native.AT_FDCWD, folder, O_PATH | O_DIRECTORY, 0, 0);
  native.setXattr(fd, 'xa', 'user.k', Buffer.from('v'));
  native.close(fd);
  return folder;
}

/** `COPY . /` and `COPY --chown=5:6 d /t/`. */
function makeStage(from: string, folder: string): string {
  cpSync(from, folder, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  for (const name of ['ig/no', 'ignored', '.dockerignore', 'hard', 'xa']) rmSync(join(folder, name));
  linkSync(join(folder, 'f'), join(folder, 'hard'));
  writeFileSync(join(folder, 'xa'), 'x');
  const fd = native.openat2(native.AT_FDCWD, folder, O_PATH | O_DIRECTORY, 0, 0);
  native.setXattr(fd, 'xa', 'user.k', Buffer.from('v'));
  native.close(fd);
  chmodSync(join(folder, 'suid'), 0o4755);
  chmodSync(join(folder, 'sticky'), 0o1777);
  cpSync(join(from, 'd'), join(folder, 't'), { recursive: true });
  for (const name of ['e', 'e/z', 'e/.hidden', 'none', 'x']) chownSync(join(folder, 't', name), 5, 6);
  chownSync(join(folder, 't'), 5, 6);
  return folder;
}

function selector(path: string, parts: Partial<BuildkitSelector> = {}): BuildkitSelector {
  const wildcard = /[*?[]/.test(path);
  return { path, wildcard, followLinks: true, include: [], exclude: [], ...parts };
}

const paths = (...names: string[]) => names.map((name) => selector(name));
const excluding = (path: string, ...exclude: string[]) => [selector(path, { exclude })];

const inContext: [what: string, selectors: BuildkitSelector[], record: string | undefined][] = [
  ['the whole', paths('/'), 'fd508d29f91f1d01b4e366092360320efce596950d9ba2fc33b98f222b0a095a'],
  ['a file', paths('/f'), 'd142b105bd417586822fd90a400e48e10f2a19dc95b39f3a4ab3499f24cfcbe5'],
  [
    'files with modes',
    paths('/empty', '/exec', '/suid'),
    '255c1ba8526e5f4967f5b50a5a12299d2df89dcf70c7228318d3ca6938b842f1',
  ],
  ['a link', paths('/link'), 'c1966ecfe2047db5c3cc319ead42fe8ce32ea73b19cd0f68c2c9c90c724fa886'],
  [
    'a folder by a link',
    paths('/dirlink'),
    '7780570d695f7e4cb84f1601dd6880a47f0d2be9c0a84caa16984afc1d6a22cc',
  ],
  ['below a link', paths('/dirlink/x'), 'c1966ecfe2047db5c3cc319ead42fe8ce32ea73b19cd0f68c2c9c90c724fa886'],
  ['a folder', paths('/d'), '7780570d695f7e4cb84f1601dd6880a47f0d2be9c0a84caa16984afc1d6a22cc'],
  ['d/*', paths('/d/*'), 'b8bbc92e0c8e0ad32866becf690e0b30ee09d23dc8c80946bf00400d8604d749'],
  ['a wildcard that finds a broken link', paths('/*'), undefined],
  ['a*', paths('/a*'), '589962be7a83fb40dbd7a0def0bdb86ac8c54400292a26014eb10b27a87673f3'],
  ['a sticky folder', paths('/sticky'), '988895022052866856ebac4fa13ad6b236320a249322a43f5fc896442b1a93d0'],
  ['d*/e', paths('/d*/e'), '7cfa6390712916cd6ffabdcca398653da0b6956c5d5bbfff7ab4681f28cbd337'],
  ['patterns and a broken link', excluding('/', '*.b'), undefined],
  ['without e', excluding('/d', 'e'), 'c8c9bcd9f7e323d8e5cbc534d43e35f457954923d6acafd8268b66e47f15f8a2'],
  [
    'a link to a folder, patterns or not',
    excluding('/dirlink', 'z'),
    '7780570d695f7e4cb84f1601dd6880a47f0d2be9c0a84caa16984afc1d6a22cc',
  ],
  [
    'd* without e/z',
    excluding('/d*', 'e/z'),
    'ff32a231b2ca8c357303dbdc1659958fa31faff55c817dfa686c947a7ff58d7f',
  ],
  ['nothing', paths('/none*'), 'b58f6cd83b69bbc0eba0437bb72d34b4814b12891064666e9cb8efea631847fb'],
  ['several', paths('/d', '/f'), '3af61ef690457f5a1f61d32af57818f67bda4fac9d53f90de6ed6a9f8d1e1fd0'],
  [
    'what is kept of a hidden folder',
    paths('/ig'),
    '94c434acb1b6bf2950b1e026362bb2a22256acade1b08550631805f751ef7b7a',
  ],
  [
    'attributes and hard links',
    paths('/hard', '/xa'),
    'cfb677346923e17eaa63bec3950f79dddcb7fffd76b462d027d11f951d02e785',
  ],
  ['a name in UTF-8', paths('/ümlaut'), '460d6c62ca17f49f0504b97867a12a7d93e330bff51909f86c02db79a38634f2'],
  ['[fx]*', paths('/[fx]*'), '72ccd7e66ecb0e731591ec3fc14cf5b4f26fb70397287630e9895a81528c436d'],
  ['dirlink/*', paths('/dirlink/*'), 'b8bbc92e0c8e0ad32866becf690e0b30ee09d23dc8c80946bf00400d8604d749'],
  ['two mounts', paths('/d/e', '/link'), '6dadd8a77999fd8821b45bf8506865780ede7ad7873ec0f9baa8ccc320de66dd'],
  ['what is not there', paths('/missing'), undefined],
  ['what is hidden', paths('/ignored'), undefined],
];

const inStage: [what: string, selectors: BuildkitSelector[], record: string][] = [
  ['the whole', paths('/'), 'ef48fe11efe017c9b7cb84e8f1dd905672954a2e041d16737785a1dc83308a2b'],
  ['a folder of others', paths('/t'), 'b5d6b7846afdb5e0a066be796abd889443f383dddac9effb84cf79120929a1a1'],
  ['a link', paths('/link'), 'c1966ecfe2047db5c3cc319ead42fe8ce32ea73b19cd0f68c2c9c90c724fa886'],
  ['dirlink/*', paths('/dirlink/*'), 'b8bbc92e0c8e0ad32866becf690e0b30ee09d23dc8c80946bf00400d8604d749'],
  ['f*', paths('/f*'), '60715d7550f4554a3dd6bed4c7285bf37dec8771110a8d88c55a40e7bd1643ef'],
  [
    'attributes and modes',
    paths('/sticky', '/suid', '/xa'),
    'fc6675a50dd3e80e42f18d490ca8a650de2dd8d825f58f19e3854208de34937b',
  ],
];

async function recordIn(tree: Tree, selectors: BuildkitSelector[], fromContext: boolean) {
  const hashHeaded = hashHeadedWithoutCache(tree, signal);
  const digest = await digestBuildkit(tree, selectors, { hashHeaded, fromContext }, signal);
  return digest && contentRecord(digest).slice('sha256:'.length);
}

describe('digests of a build context', () => {
  for (const [what, selectors, record] of inContext) {
    test(what, async () => assert.equal(await recordIn(context, selectors, true), record));
  }
});

describe('digests of a root file system', () => {
  for (const [what, selectors, record] of inStage) {
    test(what, async () => assert.equal(await recordIn(stage, selectors, false), record));
  }
});
