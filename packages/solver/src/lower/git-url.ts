/** Git URLs of ADD: what BuildKit's util/gitutil and dfgitutil take for one. */
import type { GitOp } from '../ops.js';
import { fault } from './fault.js';

/** Repositories over http(s) are told from files by a path that ends in `.git`. */
export function parseGitUrl(text: string): GitOp | undefined {
  const [, remote = '', query, fragment] = /^([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(text) ?? [];
  const isRemote =
    /^(?:git|ssh):\/\/./.test(remote) ||
    /^[\w.-]+@[\w.-]+:(?!\/\/)./.test(remote) ||
    (/^https?:\/\//.test(remote) && /\.git\/?$/.test(remote));
  if (!isRemote) return undefined;
  const op: GitOp = { kind: 'git', remote, keepGitDir: false, submodules: true };
  if (fragment !== undefined) addFragment(op, fragment);
  if (query !== undefined) addQuery(op, query);
  return op;
}

/** `REF[:SUBDIR]` */
function addFragment(op: GitOp, fragment: string): void {
  const colon = fragment.indexOf(':');
  const ref = colon < 0 ? fragment : fragment.slice(0, colon);
  const subdir = colon < 0 ? '' : fragment.slice(colon + 1);
  if (ref !== '') op.ref = ref;
  if (subdir !== '') op.subdir = subdir;
}

function addQuery(op: GitOp, query: string): void {
  for (const [name, value] of new URLSearchParams(query)) {
    switch (name) {
      case 'ref':
      case 'branch':
      case 'tag':
      case 'commit':
        setOnce(
          op,
          'ref',
          name === 'branch' ? `refs/heads/${value}` : name === 'tag' ? `refs/tags/${value}` : value,
        );
        break;
      case 'checksum':
        setOnce(op, 'checksum', value);
        break;
      case 'subdir':
        setOnce(op, 'subdir', value);
        break;
      case 'keep-git-dir':
        op.keepGitDir = flag(name, value);
        break;
      case 'submodules':
        op.submodules = flag(name, value);
        break;
      default:
        throw fault(
          'GIT_URL',
          `unexpected query "${name}" in git URL`,
          'Use ref, branch, tag, commit, checksum, subdir, keep-git-dir or submodules.',
        );
    }
  }
}

function setOnce(op: GitOp, member: 'ref' | 'checksum' | 'subdir', value: string): void {
  if (op[member] !== undefined && op[member] !== value) {
    throw fault('GIT_URL', `${member} conflicts in git URL: ${op[member]} and ${value}`, 'Give it once.');
  }
  op[member] = value;
}

/** A flag without a value is on. */
function flag(name: string, value: string): boolean {
  if (value === '' || value === '1' || value === 'true') return true;
  if (value === '0' || value === 'false') return false;
  throw fault('GIT_URL', `invalid value for ${name} in git URL: ${value}`, 'Write true or false.');
}
