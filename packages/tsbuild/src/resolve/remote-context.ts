/** Tells http(s) and git URLs given as contexts from folders. */
import { type GitOp, type HttpOp, parseGitUrl } from '@tsbuild/solver';

/**
 * Git URLs are those of ADD, and `github.com/…` (BuildKit, util/dfgitutil); other http(s) URLs are files.
 * @throws TsbuildError TSB_GRAPH_GIT_URL
 */
export function parseRemoteContext(text: string): GitOp | HttpOp | undefined {
  const git = text.startsWith('github.com/') ? parseGitUrl(githubUrl(text)) : parseGitUrl(text);
  if (git !== undefined) return { ...git, keepGitDir: git.keepGitDir ?? false };
  if (/^https?:\/\//.test(text)) return { kind: 'http', url: text, filename: 'context' };
  return undefined;
}

function githubUrl(text: string): string {
  const [, path = '', rest = ''] = /^([^?#]*)(.*)$/s.exec(text) ?? [];
  return `https://${path}${path.endsWith('.git') ? '' : '.git'}${rest}`;
}
