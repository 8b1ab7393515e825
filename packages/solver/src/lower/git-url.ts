/** Git URLs of ADD and of contexts: what BuildKit's util/gitutil and dfgitutil take for one. */
import type { GitOp } from '../ops.js';
import { fault } from './fault.js';

/** A repository of a URL; what the URL leaves open is not set. */
export type GitUrl = Omit<GitOp, 'keepGitDir'> & { keepGitDir?: boolean };

/**
 * Repositories over http(s) are told from files by a path that ends in `.git`.
 * @returns undefined where the text is something else
 * @throws TsbuildError TSB_GRAPH_GIT_URL
 */
export function parseGitUrl(text: string): GitUrl | undefined {
  const [, remote = '', query, fragment] = /^([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(text) ?? [];
  const isRemote =
    /^(?:git|ssh):\/\/./.test(remote) ||
    /^[\w.-]+@[\w.-]+:(?!\/\/)./.test(remote) ||
    (/^https?:\/\//.test(remote) && remote.endsWith('.git'));
  if (!isRemote) return undefined;
  const url: GitUrl = { kind: 'git', remote, submodules: true };
  if (fragment !== undefined) addFragment(url, fragment);
  if (query !== undefined) addQuery(url, query);
  if (url.ref !== undefined) checkRef(url.ref);
  if (url.checksum !== undefined) checkCommit(url.checksum);
  return url;
}

/** @throws TsbuildError TSB_GRAPH_GIT_URL */
export function checkCommit(checksum: string): void {
  if (/^[0-9a-fA-F]+$/.test(checksum)) return;
  throw fault(
    'GIT_URL',
    `invalid checksum ${checksum} for Git URL, expected hex commit hash`,
    'Give the id of the commit, or its first digits.',
  );
}

/** What git would take for an option is none. */
function checkRef(ref: string): void {
  if (!ref.startsWith('-')) return;
  throw fault('GIT_URL', `invalid git ref ${JSON.stringify(ref)}`, 'Name a branch, a tag or a commit.');
}

/** `REF[:SUBDIR]` */
function addFragment(url: GitUrl, fragment: string): void {
  const colon = fragment.indexOf(':');
  const ref = colon < 0 ? fragment : fragment.slice(0, colon);
  const subdir = colon < 0 ? '' : fragment.slice(colon + 1);
  if (ref !== '') url.ref = ref;
  if (subdir !== '') url.subdir = subdir;
}

const switches = ['keep-git-dir', 'submodules'];
const known = ['ref', 'branch', 'tag', 'commit', 'checksum', 'subdir', ...switches];

function addQuery(url: GitUrl, query: string): void {
  for (const [name, value] of new URLSearchParams(query)) {
    if (value === '' && !switches.includes(name) && known.includes(name)) {
      throw fault('GIT_URL', `query "${name}" has no value`, `Write ${name}=VALUE, or leave it out.`);
    }
    switch (name) {
      case 'ref':
      case 'branch':
      case 'tag':
        setOnce(
          url,
          'ref',
          name === 'branch' ? `refs/heads/${value}` : name === 'tag' ? `refs/tags/${value}` : value,
        );
        break;
      case 'checksum':
      case 'commit':
        setOnce(url, 'checksum', value);
        break;
      case 'subdir':
        setOnce(url, 'subdir', value);
        break;
      case 'keep-git-dir':
        url.keepGitDir = flag(name, value);
        break;
      case 'submodules':
        url.submodules = flag(name, value);
        break;
      default:
        throw fault('GIT_URL', `unexpected query "${name}" in git URL`, `Use ${known.join(', ')}.`);
    }
  }
}

function setOnce(url: GitUrl, member: 'ref' | 'checksum' | 'subdir', value: string): void {
  if (url[member] !== undefined && url[member] !== value) {
    throw fault('GIT_URL', `${member} conflicts in git URL: ${url[member]} and ${value}`, 'Give it once.');
  }
  url[member] = value;
}

/** A flag without a value is on. */
function flag(name: string, value: string): boolean {
  if (value === '' || value === '1' || value === 'true') return true;
  if (value === '0' || value === 'false') return false;
  throw fault('GIT_URL', `invalid value for ${name} in git URL: ${value}`, 'Write true or false.');
}
