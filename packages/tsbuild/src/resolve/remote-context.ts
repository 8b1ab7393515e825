/** Tells http(s) and git URLs given as contexts from folders. */
import type { GitOp, HttpOp } from '@tsbuild/solver';

/**
 * A git URL is what BuildKit takes for one (util/gitutil): `git@host:path`, `git://`, `ssh://`, `github.com/…`, or
 * http(s) with a path that ends in `.git`; `#REF:SUBDIR` may follow. Other http(s) URLs are files.
 */
export function parseRemoteContext(text: string): GitOp | HttpOp | undefined {
  const hash = text.indexOf('#');
  const remote = hash < 0 ? text : text.slice(0, hash);
  if (isGit(remote)) {
    const [ref, subdir] = hash < 0 ? [] : splitFragment(text.slice(hash + 1));
    return {
      kind: 'git',
      remote: remote.startsWith('github.com/') ? `https://${remote}` : remote,
      ...(ref ? { ref } : {}),
      ...(subdir ? { subdir } : {}),
      keepGitDir: false,
      submodules: true,
    };
  }
  if (/^https?:\/\//.test(text)) return { kind: 'http', url: text, filename: 'context' };
  return undefined;
}

function isGit(remote: string): boolean {
  if (/^(git|ssh):\/\//.test(remote) || /^[\w.-]+@[\w.-]+:(?!\/\/)/.test(remote)) return true;
  if (remote.startsWith('github.com/')) return true;
  return /^https?:\/\//.test(remote) && new URL(remote).pathname.endsWith('.git');
}

function splitFragment(fragment: string): [string | undefined, string | undefined] {
  const colon = fragment.indexOf(':');
  return colon < 0 ? [fragment, undefined] : [fragment.slice(0, colon), fragment.slice(colon + 1)];
}
