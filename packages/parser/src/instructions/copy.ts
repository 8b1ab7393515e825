/** COPY and ADD. */
import type { AddInstruction, CopyInstruction, Heredoc, RawWord } from '../ast.js';
import { fault } from '../fault.js';
import { flagTable, readFlags } from '../flags.js';
import { readHeredocWord } from '../heredoc.js';
import { none } from '../none.js';
import { splitList } from '../split.js';
import { countFault, type Request } from './request.js';

const fileFlags = { chown: 'string', chmod: 'string', link: 'bool', exclude: 'list' } as const;
const copyFlags = flagTable({ from: 'string', ...fileFlags, parents: 'bool' });
const addFlags = flagTable({ ...fileFlags, 'keep-git-dir': 'bool', checksum: 'string', unpack: 'bool' });

export function parseCopy(request: Request): CopyInstruction {
  const { sources, heredocs, destination, json } = filesOf(request);
  const { from, chown, chmod, link = false, exclude, parents = false } = readFlags(request.flags, copyFlags);
  if (from?.includes('$')) {
    throw fault(
      'COPY_FROM',
      'variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround',
      `Add a stage, FROM ${from} AS name, and write --from=name.`,
    );
  }
  const { keyword, original, range, comments } = request;
  const copy: CopyInstruction = {
    kind: 'copy',
    keyword,
    original,
    range,
    comments,
    sources,
    heredocs,
    destination,
    json,
    link,
    exclude,
    parents,
  };
  if (chown !== undefined) copy.chown = chown;
  if (chmod !== undefined) copy.chmod = chmod;
  if (from !== undefined) copy.from = from;
  return copy;
}

export function parseAdd(request: Request): AddInstruction {
  const { sources, heredocs, destination, json } = filesOf(request);
  const flags = readFlags(request.flags, addFlags);
  const { chown, chmod, link = false, exclude, checksum, unpack } = flags;
  const keepGitDir = flags['keep-git-dir'];
  const { keyword, original, range, comments } = request;
  const add: AddInstruction = {
    kind: 'add',
    keyword,
    original,
    range,
    comments,
    sources,
    heredocs,
    destination,
    json,
    link,
    exclude,
  };
  if (chown !== undefined) add.chown = chown;
  if (chmod !== undefined) add.chmod = chmod;
  if (checksum !== undefined) add.checksum = checksum;
  if (keepGitDir !== undefined) add.keepGitDir = keepGitDir;
  if (unpack !== undefined) add.unpack = unpack;
  return add;
}

interface Files {
  sources: RawWord[];
  heredocs: readonly Heredoc[];
  destination: RawWord;
  json: boolean;
}

function filesOf({ name, rest, heredocs }: Request): Files {
  const { items: words, json } = splitList(rest);
  const destination = words.pop();
  if (destination === undefined || words.length === 0) {
    throw countFault(
      `${name} requires at least two arguments, but only one was provided. Destination could not be determined`,
      `Write ${name} source destination; the destination may be a single dot.`,
    );
  }
  if (json) return { sources: words, heredocs: none, destination, json };
  if (heredocName(destination) !== undefined) {
    throw fault(
      'HEREDOC',
      `${name} cannot accept a heredoc as a destination`,
      'Write the destination after the heredoc words.',
    );
  }
  if (heredocs.length === 0) return { sources: words, heredocs: none, destination, json };
  const { sources, heredocs: used } = assign(words, heredocs);
  return { sources, heredocs: used, destination, json };
}

/** Each word that names a heredoc takes the first one of that name that is left: as a rule simply the next one. */
function assign(
  words: readonly RawWord[],
  heredocs: readonly Heredoc[],
): Pick<Files, 'sources' | 'heredocs'> {
  const sources: RawWord[] = [];
  let next = 0;
  for (const word of words) {
    const name = heredocs[next]?.name;
    if (!word.includes('<<')) sources.push(word);
    else if (name !== undefined && isPlainHeredoc(word, name)) next += 1;
    else return assignByName(words, heredocs);
  }
  return { sources, heredocs: next === heredocs.length ? heredocs : heredocs.slice(0, next) };
}

function assignByName(
  words: readonly RawWord[],
  heredocs: readonly Heredoc[],
): Pick<Files, 'sources' | 'heredocs'> {
  const left = new Map<string, Heredoc[]>();
  for (const heredoc of heredocs.toReversed()) {
    const others = left.get(heredoc.name);
    if (others === undefined) left.set(heredoc.name, [heredoc]);
    else others.push(heredoc);
  }
  const sources: RawWord[] = [];
  const used: Heredoc[] = [];
  for (const word of words) {
    const name = heredocName(word);
    const heredoc = name === undefined ? undefined : left.get(name)?.pop();
    if (heredoc === undefined) sources.push(word);
    else used.push(heredoc);
  }
  return { sources, heredocs: used };
}

/** `<<name` with a name that means itself. */
function isPlainHeredoc(word: string, name: string): boolean {
  return (
    word.length === name.length + 2 && word.startsWith('<<') && word.endsWith(name) && /^[\w.]+$/.test(name)
  );
}

function heredocName(word: string): string | undefined {
  if (!word.includes('<<')) return undefined;
  try {
    return readHeredocWord(word)?.name;
  } catch {
    return undefined;
  }
}
