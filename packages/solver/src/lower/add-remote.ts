/** ADD of a URL or a git repository: the source as a vertex of its own. */
import { type Digest, parseDigest } from '@tsbuild/core';
import type { AddInstruction } from '@tsbuild/parser';
import type { CopyAction, GitOp, HttpOp } from '../ops.js';
import { fault } from './fault.js';
import { parseGitUrl } from './git-url.js';
import type { Located, Lowering } from './lowering.js';
import type { StageState } from './stage-state.js';

export function isUrl(source: string): boolean {
  return /^https?:\/\//.test(source);
}

export function parseAddGit(source: string): ReturnType<typeof parseGitUrl> {
  return parseGitUrl(source);
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
  const git = parseAddGit(source);
  if (git !== undefined) {
    const op: GitOp = {
      ...git,
      keepGitDir: instruction.keepGitDir ?? git.keepGitDir,
      ...(checksum === undefined ? {} : { checksum }),
    };
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
