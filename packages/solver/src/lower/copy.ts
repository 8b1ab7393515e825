/** COPY and ADD: sources and heredocs to one step of file actions. */
import type { AddInstruction, CopyInstruction, Heredoc } from '@tsbuild/parser';
import type { CopyAction, FileAction, FileOp, MkfileAction, VertexId } from '../ops.js';
import { isUrl, remoteSource } from './add-remote.js';
import { parseGitUrl } from './git-url.js';
import { instructionText, stepName } from './display.js';
import { fault } from './fault.js';
import { recordLayer } from './history.js';
import { Expander, type Located, type Lowering } from './lowering.js';
import { checkMode, isNumericOwner, requireFilesFor } from './modes.js';
import { destinationPath, slashed, sourcePath } from './paths.js';
import type { StageState } from './stage-state.js';

type Files = CopyInstruction | AddInstruction;

/** The instruction's words, expanded. */
interface Words {
  sources: string[];
  heredocs: { name: string; data: string }[];
  destination: string;
  chown?: string;
  chmod?: string;
  checksum?: string;
}

export function lowerFiles(lowering: Lowering, state: StageState, located: Located<Files>): void {
  const { instruction } = located;
  const words = expandWords(new Expander(state, located), instruction);
  if (words.chmod !== undefined) checkMode(words.chmod);
  const actions = [...copyActions(lowering, state, located, words), ...heredocActions(state, words)];
  // A --chmod needs the modes of what is there already, so the layer can't be independent.
  const link = instruction.link && words.chmod === undefined;
  if (link && words.chown !== undefined && !isNumericOwner(words.chown)) {
    throw fault(
      'LINK_OWNER',
      `--link cannot look up the owner ${words.chown}: the copy is made without the base`,
      'Give --chown numbers.',
    );
  }
  if (!link && words.chown !== undefined) requireFilesFor(lowering, state.root, words.chown);
  const { platform, ignoreCache, label } = state;
  const shown = { platform, range: located.range, stage: label };
  const name = stepName(lowering, state, instructionText(located, state));
  const base = link
    ? lowering.graph.add({ op: { kind: 'scratch' }, name: 'scratch', platform, ignoreCache: false })
    : state.root;
  const op: FileOp = { kind: 'file', base, actions };
  const copied = lowering.graph.add({ op, name, ...shown, ignoreCache });
  state.root = link ? merge(lowering, state.root, copied, `${name} (merge)`, shown) : copied;
  recordLayer(state, historyText(instruction, words), state.root);
}

function merge(
  lowering: Lowering,
  lower: VertexId,
  upper: VertexId,
  name: string,
  shown: Pick<Parameters<Lowering['graph']['add']>[0], 'platform' | 'range' | 'stage'>,
): VertexId {
  return lowering.graph.add({ op: { kind: 'merge', lower, upper }, name, ...shown, ignoreCache: false });
}

function expandWords(expander: Expander, instruction: Files): Words {
  const optional = (raw: string | undefined) =>
    (raw === undefined ? undefined : expander.word(raw)) || undefined;
  const heredoc = (each: Heredoc) => ({ name: each.name, data: expander.heredoc(each) });
  const chown = optional(instruction.chown);
  const chmod = optional(instruction.chmod);
  const checksum = instruction.kind === 'add' ? optional(instruction.checksum) : undefined;
  return {
    sources: instruction.sources.map((raw) => expander.word(raw)),
    destination: expander.word(instruction.destination),
    heredocs: instruction.heredocs.map(heredoc),
    ...(chown === undefined ? {} : { chown }),
    ...(chmod === undefined ? {} : { chmod }),
    ...(checksum === undefined ? {} : { checksum }),
  };
}

function owners({ chown, chmod }: Words): { chown?: string; chmod?: string } {
  return { ...(chown === undefined ? {} : { chown }), ...(chmod === undefined ? {} : { chmod }) };
}

function copyActions(
  lowering: Lowering,
  state: StageState,
  located: Located<Files>,
  words: Words,
): FileAction[] {
  const { instruction } = located;
  const { sources, checksum } = words;
  if (checksum !== undefined && sources.length > 1) {
    throw fault(
      'CHECKSUM',
      "checksum can't be specified for multiple sources",
      'Write one ADD for each source.',
    );
  }
  const exclude = [...instruction.exclude];
  const common = { type: 'copy', ...destinationOf(state, words), ...owners(words), exclude } as const;
  return sources.map((source): CopyAction => {
    if (instruction.kind === 'copy') refuseRemote(source);
    else {
      const remote = remoteSource(lowering, state, located as Located<AddInstruction>, source, checksum);
      if (remote !== undefined)
        return { ...common, ...remote, parents: false, ownerZero: false, remote: true };
    }
    const parents = instruction.kind === 'copy' && instruction.parents;
    const from = lowering.sourceOf(state, 'copy', instruction.kind === 'copy' ? instruction.from : undefined);
    return {
      ...common,
      from: from.id,
      source: sourcePath(source, parents),
      parents,
      unpack: instruction.kind === 'copy' ? 'never' : unpackMode(instruction.unpack),
      ownerZero: from.local,
    };
  });
}

function unpackMode(written: boolean | undefined): CopyAction['unpack'] {
  if (written === undefined) return 'auto';
  return written ? 'always' : 'never';
}

function refuseRemote(source: string): void {
  if (parseGitUrl(source) !== undefined) {
    throw fault('COPY_SOURCE', "source can't be a git ref for COPY", 'Use ADD, which fetches repositories.');
  }
  if (isUrl(source))
    throw fault('COPY_SOURCE', "source can't be a URL for COPY", 'Use ADD, which downloads.');
}

function heredocActions(state: StageState, words: Words): MkfileAction[] {
  const destination = destinationOf(state, words);
  return words.heredocs.map(({ name, data }) => ({
    type: 'mkfile',
    name,
    data,
    ...destination,
    ...owners(words),
  }));
}

function destinationOf(state: StageState, words: Words): Pick<CopyAction, 'destination' | 'dotted'> {
  const written = slashed(state.imagePlatform.os, words.destination);
  return {
    destination: destinationPath(state.cwd, written),
    ...(written.endsWith('/.') ? { dotted: true } : {}),
  };
}

function historyText(instruction: Files, words: Words): string {
  const parts = [
    instruction.kind === 'copy' ? 'COPY' : 'ADD',
    ...(instruction.kind === 'copy' && instruction.parents ? ['--parents'] : []),
    ...(words.chown === undefined ? [] : [`--chown=${words.chown}`]),
    ...(words.chmod === undefined ? [] : [`--chmod=${words.chmod}`]),
    ...words.sources,
    ...words.heredocs.map(({ name }) => `<<${name}`),
    words.destination,
  ];
  return `${parts.join(' ')} # buildkit`;
}
