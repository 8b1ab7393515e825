/** COPY and ADD. */
import type { AddInstruction, CopyInstruction, Heredoc, RawWord } from '../ast.js';
import { fault } from '../fault.js';
import { none } from '../none.js';
import { readHeredocWord } from '../heredoc.js';
import { splitList } from '../split.js';
import { countFault, flagsOf, type Request } from './request.js';

const fileFlags = { chown: 'string', chmod: 'string', link: 'bool', exclude: 'list' } as const;
const copyFlags = { from: 'string', ...fileFlags, parents: 'bool' } as const;
const addFlags = { ...fileFlags, 'keep-git-dir': 'bool', checksum: 'string', unpack: 'bool' } as const;

export function parseCopy(request: Request): CopyInstruction {
  const files = filesOf(request);
  const flags = flagsOf(request, copyFlags);
  const { from } = flags;
  if (from?.includes('$')) {
    throw fault(
      'COPY_FROM',
      'variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround',
      `Add a stage, FROM ${from} AS name, and write --from=name.`,
    );
  }
  return {
    kind: 'copy',
    ...request.base,
    ...files,
    ...common(flags),
    ...(from === undefined ? {} : { from }),
    parents: flags.parents ?? false,
  };
}

export function parseAdd(request: Request): AddInstruction {
  const files = filesOf(request);
  const flags = flagsOf(request, addFlags);
  const { checksum, unpack } = flags;
  const keepGitDir = flags['keep-git-dir'];
  return {
    kind: 'add',
    ...request.base,
    ...files,
    ...common(flags),
    ...(checksum === undefined ? {} : { checksum }),
    ...(keepGitDir === undefined ? {} : { keepGitDir }),
    ...(unpack === undefined ? {} : { unpack }),
  };
}

interface CommonFlags {
  chown: string | undefined;
  chmod: string | undefined;
  link: boolean | undefined;
  exclude: readonly string[];
}

function common({ chown, chmod, link, exclude }: CommonFlags) {
  return {
    ...(chown === undefined ? {} : { chown }),
    ...(chmod === undefined ? {} : { chmod }),
    link: link ?? false,
    exclude,
  };
}

function filesOf(request: Request): {
  sources: RawWord[];
  heredocs: readonly Heredoc[];
  destination: RawWord;
  json: boolean;
} {
  const { items, json } = splitList(request.rest);
  const words = [...items];
  const destination = words.pop();
  if (destination === undefined || words.length === 0) {
    throw countFault(
      `${request.name} requires at least two arguments, but only one was provided. Destination could not be determined`,
      `Write ${request.name} source destination; the destination may be a single dot.`,
    );
  }
  if (json) return { sources: words, heredocs: none, destination, json };
  if (asHeredoc(destination) !== undefined) {
    throw fault(
      'HEREDOC',
      `${request.name} cannot accept a heredoc as a destination`,
      'Write the destination after the heredoc words.',
    );
  }
  if (request.heredocs.length === 0) return { sources: words, heredocs: none, destination, json };
  const heredocs = [...request.heredocs];
  const sources: RawWord[] = [];
  const used: Heredoc[] = [];
  for (const word of words) {
    const name = asHeredoc(word)?.name;
    const at = name === undefined ? -1 : heredocs.findIndex((heredoc) => heredoc.name === name);
    if (at < 0) sources.push(word);
    else used.push(...heredocs.splice(at, 1));
  }
  return { sources, heredocs: used, destination, json };
}

function asHeredoc(word: string): ReturnType<typeof readHeredocWord> {
  try {
    return readHeredocWord(word);
  } catch {
    return undefined;
  }
}
