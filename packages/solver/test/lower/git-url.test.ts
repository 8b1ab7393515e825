/** Which URLs are repositories, and what they say of them. Answers are those of docker buildx 0.29. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type GitUrl, parseGitUrl } from '../../src/lower/git-url.js';

const remote = 'https://h/r.git';
const sha = '98708ea5bb1cc6e362a91cfb23993434bad7861c';

const read: [url: string, said: Partial<GitUrl>][] = [
  [remote, {}],
  [`${remote}#`, {}],
  [`${remote}#:`, {}],
  [`${remote}#main`, { ref: 'main' }],
  [`${remote}#main:dir`, { ref: 'main', subdir: 'dir' }],
  [`${remote}#:a/b:c`, { subdir: 'a/b:c' }],
  [`${remote}?ref=v1`, { ref: 'v1' }],
  [`${remote}?branch=b`, { ref: 'refs/heads/b' }],
  [`${remote}?tag=t&subdir=d`, { ref: 'refs/tags/t', subdir: 'd' }],
  [`${remote}?subdir=d#:d`, { subdir: 'd' }],
  [`${remote}?checksum=${sha}`, { checksum: sha }],
  [`${remote}?tag=t&commit=${sha}`, { ref: 'refs/tags/t', checksum: sha }],
  [`${remote}?keep-git-dir=1&submodules=false`, { keepGitDir: true, submodules: false }],
  [`${remote}?keep-git-dir`, { keepGitDir: true }],
  ['git://h/r', { remote: 'git://h/r' }],
  ['ssh://git@h:22/r', { remote: 'ssh://git@h:22/r' }],
  ['git@h:r/s.git#main', { remote: 'git@h:r/s.git', ref: 'main' }],
];
for (const [url, said] of read)
  test(`${url} is a repository`, () =>
    assert.deepEqual(parseGitUrl(url), { kind: 'git', remote, submodules: true, ...said }));

for (const url of [
  'https://h/r',
  'https://h/r.git/',
  'https://h/x.tar.gz',
  './r.git',
  'r.git',
  'a:b',
  'github.com/a/b',
])
  test(`${url} is none`, () => assert.equal(parseGitUrl(url), undefined));

const refused: [url: string, message: string][] = [
  [`${remote}?what=1`, 'unexpected query "what" in git URL'],
  [`${remote}?ref=`, 'query "ref" has no value'],
  [`${remote}?branch=other#main`, 'ref conflicts in git URL: main and refs/heads/other'],
  [`${remote}?tag=t&branch=b`, 'ref conflicts in git URL: refs/tags/t and refs/heads/b'],
  [`${remote}?subdir=a#:b`, 'subdir conflicts in git URL: b and a'],
  [`${remote}?submodules=maybe`, 'invalid value for submodules in git URL: maybe'],
  [`${remote}#--upload-pack=x`, 'invalid git ref "--upload-pack=x"'],
  [`${remote}?ref=-x`, 'invalid git ref "-x"'],
  [`${remote}?checksum=sha256:ab`, 'invalid checksum sha256:ab for Git URL, expected hex commit hash'],
];
for (const [url, message] of refused)
  test(`${url} is refused`, () =>
    assert.throws(() => parseGitUrl(url), { code: 'TSB_GRAPH_GIT_URL', message }));
