/** ADD of a URL or a git repository: the source as a vertex of its own. */
import { type Digest, parseDigest } from '@tsbuild/core';
import type { AddInstruction } from '@tsbuild/parser';
import type { CopyAction, GitOp, HttpOp } from '../ops.js';
import { fault } from './fault.js';
import { checkCommit, type GitUrl, parseGitUrl } from './git-url.js';
import type { Located, Lowering } from './lowering.js';
import type { StageState } from './stage-state.js';

export function isUrl(source: string): boolean {
  return /^https?:\/\//.test(source);
}

/** @returns undefined for a path of the build context */
export function remoteSource(
  lowering: Lowering,
  state: StageState,
  { instruction, range }: Located<AddInstruction>,
  source: string,
  checksum: string | undefined,
): Pick<CopyAction, 'from' | 'source' | 'unpack'> | undefined {
  const add = (op: GitOp | HttpOp, name: string) =>
    lowering.graph.add({ op, name, stage: state.label, platform: state.platform, range, ignoreCache: false });
  const git = parseGitUrl(source);
  if (git !== undefined) {
    const op = withFlags(git, instruction.keepGitDir, checksum);
    return { from: add(op, source), source: '/', unpack: 'never' };
  }
  if (isUrl(source)) {
    const filename = fileNameOf(source);
    const op: HttpOp = {
      kind: 'http',
      url: source,
      filename,
      ...(checksum === undefined ? {} : { checksum: digestOf(checksum) }),
    };
    return { from: add(op, source), source: `/${filename}`, unpack: instruction.unpack ? 'always' : 'never' };
  }
  if (checksum === undefined) return undefined;
  throw fault(
    'CHECKSUM',
    'checksum requires HTTP(S) or Git sources',
    'Leave out --checksum: files of the context are always compared by content.',
  );
}

/** What flag and URL both say must be the same. */
function withFlags(git: GitUrl, keepGitDir: boolean | undefined, checksum: string | undefined): GitOp {
  if (checksum !== undefined) checkCommit(checksum);
  if (checksum !== undefined && git.checksum !== undefined && checksum !== git.checksum) {
    throw fault('GIT_URL', `checksum mismatch "${checksum}" != "${git.checksum}"`, 'Give it once.');
  }
  if (keepGitDir !== undefined && git.keepGitDir !== undefined && keepGitDir !== git.keepGitDir) {
    throw fault('GIT_URL', 'inconsistent keep-git-dir configuration', 'Give it once.');
  }
  return {
    ...git,
    keepGitDir: keepGitDir ?? git.keepGitDir ?? false,
    ...(checksum === undefined ? {} : { checksum }),
  };
}

/** The last segment of the URL's path. */
function fileNameOf(url: string): string {
  let path: string;
  try {
    path = decodeURIComponent(new URL(url).pathname);
  } catch {
    throw fault('URL', `invalid URL: ${url}`, 'Write it as https://host/path.');
  }
  const name = path.split('/').findLast((segment) => segment !== '') ?? '';
  return name === '' || name === '.' || name === '..' ? '__unnamed__' : name;
}

function digestOf(checksum: string): Digest {
  try {
    return parseDigest(checksum);
  } catch {
    throw fault(
      'CHECKSUM',
      `invalid checksum digest format: ${JSON.stringify(checksum)}`,
      'Write it as sha256: and 64 hexadecimal digits, as sha256sum prints them.',
    );
  }
}
