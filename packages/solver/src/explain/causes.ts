/** What differs between two builds of a step, in words. */
import type { CacheCause, CacheCauseKind, Digest } from '@tsbuild/core';
import { type FileDifference, filesText } from './files-text.js';
import { hideSecrets, isHidden, type TraceStep } from './trace.js';
import { commandChange, quoted } from './words.js';

/** The files of which two digests of content differ; undefined where one of them has no list. */
export type FilesBetween = (before: Digest, after: Digest) => Promise<FileDifference | undefined>;

interface Difference {
  group: string;
  /** Of a variable, a mount, a source or a heredoc; its number after the second of that name. */
  name: string;
  field: string;
  before: string | undefined;
  after: string | undefined;
}

interface Told {
  kind: CacheCauseKind;
  text: string;
}

/**
 * What of the step's own has changed: all but what it stands on.
 * @param before from a trace, its secrets hidden with the salt
 * @param after with its secrets, which are not in what this returns
 */
export async function ownCauses(
  before: TraceStep,
  after: TraceStep,
  salt: string,
  filesBetween: FilesBetween,
): Promise<CacheCause[]> {
  const differences = differencesOf(before, { ...after, facts: hideSecrets(after.facts, salt) });
  const causes: CacheCause[] = [];
  const said = new Set<string>();
  for (const item of groupsOf(differences)) {
    const told = await causeOf(item, before, after, filesBetween);
    if (told === undefined || said.has(told.text)) continue;
    said.add(told.text);
    causes.push(told);
  }
  return causes;
}

function differencesOf(before: TraceStep, after: TraceStep): Difference[] {
  const names = new Set([...Object.keys(after.facts), ...Object.keys(before.facts)]);
  return [...names].flatMap((fact) => {
    const [was, is] = [before.facts[fact], after.facts[fact]];
    if (was === is) return [];
    const { group, name, field } = parseName(fact);
    return [{ group, name, field, before: was, after: is }];
  });
}

/** Names of files and mounts may have colons of their own: the field is what follows the last one. */
function parseName(fact: string): Pick<Difference, 'group' | 'name' | 'field'> {
  const first = fact.indexOf(':');
  if (first < 0) return { group: fact, name: '', field: '' };
  const group = fact.slice(0, first);
  if (group === 'variable') return { group, name: fact.slice(first + 1), field: '' };
  const last = fact.lastIndexOf(':');
  return { group, name: fact.slice(first + 1, last), field: fact.slice(last + 1) };
}

interface Group {
  difference: Difference;
  /** The whole mount, source or heredoc came or went: one thing to say for all its fields. */
  whole?: 'added' | 'removed';
}

/** The order in which causes are told: what the user wrote, then what came in with it. */
const order = ['platform', 'command', 'heredoc', 'source', 'directory', 'mount', 'variable'];

function groupsOf(differences: readonly Difference[]): Group[] {
  const groups: Group[] = [];
  const wholes = new Set<string>();
  const listsChanged = new Set<string>();
  for (const difference of differences) {
    const { group, name, field, before, after } = difference;
    // Each has a fact that is always there.
    const marker = { mount: 'type', source: 'unpack', heredoc: 'text' }[group];
    if (marker !== field || (before !== undefined && after !== undefined)) continue;
    wholes.add(`${group}:${name}`);
    listsChanged.add(group);
    groups.push({ difference, whole: before === undefined ? 'added' : 'removed' });
  }
  for (const difference of differences) {
    const { group, name, before, after } = difference;
    if (wholes.has(`${group}:${name}`)) continue;
    if (group === 'variable' && (before === undefined || after === undefined)) listsChanged.add(group);
    groups.push({ difference });
  }
  const isOrder = ({ difference: { group } }: Group) => lists[group] !== undefined;
  const place = ({ difference: { group } }: Group) => {
    const index = order.indexOf(group);
    return index < 0 ? order.length : index;
  };
  return groups
    .filter((each) => !isOrder(each) || !lists[each.difference.group]?.some((list) => listsChanged.has(list)))
    .sort((a, b) => place(a) - place(b));
}

/** Facts that say in which order things stand: only worth a word where nothing came or went. */
const lists: Readonly<Record<string, readonly string[]>> = {
  variables: ['variable'],
  mounts: ['mount'],
  heredocs: ['heredoc'],
  actions: ['source', 'heredoc'],
};

async function causeOf(
  { difference, whole }: Group,
  before: TraceStep,
  after: TraceStep,
  filesBetween: FilesBetween,
): Promise<CacheCause | undefined> {
  const { group, name, field } = difference;
  if (field === 'content' && whole === undefined) {
    if (difference.before === undefined || difference.after === undefined)
      return { kind: 'files', text: `what ${labelOf(group, name)} reads changed` };
    const files = await filesBetween(difference.before as Digest, difference.after as Digest);
    return { kind: 'files', ...filesText(files, labelOf(group, name)) };
  }
  if (whole !== undefined) {
    const what = whole === 'added' ? 'is new' : 'is gone';
    return { kind: 'instruction', text: `${labelOf(group, name)} ${what}` };
  }
  return tell(difference, before, after);
}

/** How messages call a mount, a source or a heredoc. */
function labelOf(group: string, numberedName: string): string {
  const name = numberedName.replace(/#\d+$/, '');
  if (group === 'heredoc') return `heredoc ${name}`;
  if (group === 'source') return name === '' ? 'the source' : `source ${name}`;
  const [type = '', target = ''] = name.split(' ', 2);
  return `--mount=type=${type}${target === '' ? '' : `,target=${target}`}`;
}

function tell(difference: Difference, before: TraceStep, after: TraceStep): Told | undefined {
  const { group, name, field } = difference;
  switch (group) {
    case 'command':
      return { kind: 'instruction', text: commandChange(difference.before, difference.after) };
    case 'variable':
      return { kind: 'variable', text: variableChange(difference, before, after) };
    case 'variables':
      return { kind: 'variable', text: 'the order of ENV and ARG changed' };
    case 'actions':
      return { kind: 'instruction', text: 'the order of the sources changed' };
    case 'mounts':
    case 'heredocs':
      return { kind: 'instruction', text: `the order of the ${group} changed` };
    case 'mount':
      return { kind: 'instruction', text: `${labelOf(group, name)}: ${change(field, difference)}` };
    case 'heredoc':
      if (field === 'text') return { kind: 'instruction', text: `${labelOf(group, name)} changed` };
      return { kind: 'instruction', text: change(fieldNames[field] ?? field, difference) };
    case 'source':
      if (field === 'owners') {
        const local = difference.after === 'root';
        const [now, then] = local ? ['a context', 'a stage'] : ['a stage or an image', 'a context'];
        return { kind: 'instruction', text: `its files come from ${now} now, not from ${then}` };
      }
      return { kind: 'instruction', text: change(fieldNames[field] ?? field, difference) };
    case 'directory':
      if (field === 'time') return { kind: 'option', text: change('SOURCE_DATE_EPOCH', difference) };
      return { kind: 'instruction', text: change(fieldNames[field] ?? `the ${field}`, difference) };
    default: {
      const known = single[group];
      return known === undefined ? undefined : { kind: known.kind, text: change(known.name, difference) };
    }
  }
}

const fieldNames: Readonly<Record<string, string>> = {
  destination: 'the destination',
  chown: '--chown',
  chmod: '--chmod',
  exclude: '--exclude',
  parents: '--parents',
  unpack: '--unpack',
  path: 'the path',
  mode: 'the mode',
};

const single: Readonly<Record<string, { name: string; kind: CacheCauseKind }>> = {
  platform: { name: 'the platform', kind: 'option' },
  workdir: { name: 'the working directory', kind: 'instruction' },
  user: { name: 'USER', kind: 'instruction' },
  hostname: { name: 'the host name', kind: 'option' },
  network: { name: 'the network', kind: 'instruction' },
  security: { name: '--security', kind: 'instruction' },
  device: { name: '--device', kind: 'instruction' },
  'shm-size': { name: '--shm-size', kind: 'option' },
  'cgroup-parent': { name: '--cgroup-parent', kind: 'option' },
  'add-host': { name: '--add-host', kind: 'option' },
  ulimit: { name: '--ulimit', kind: 'option' },
};

function change(what: string, { before, after }: Pick<Difference, 'before' | 'after'>): string {
  if (before === undefined || before === '') return `${what} is new: ${quoted(after)}`;
  if (after === undefined || after === '') return `${what} is gone (it was ${quoted(before)})`;
  return `${what} changed from ${quoted(before)} to ${quoted(after)}`;
}

function variableChange(
  { name: numbered, before: was, after: is }: Difference,
  before: TraceStep,
  after: TraceStep,
): string {
  const name = numbered.replace(/#\d+$/, '');
  const step = is === undefined ? before : after;
  const what = `${step.args.includes(name) ? 'ARG' : 'ENV'} ${name}`;
  if ([was, is].some((value) => value !== undefined && isHidden(value))) {
    const how = was === undefined ? 'is new' : is === undefined ? 'is gone' : 'changed';
    return `${what} ${how} (its value is not shown)`;
  }
  if (was === undefined) return `${what} is new: ${quoted(is)}`;
  if (is === undefined) return `${what} is gone (it was ${quoted(was)})`;
  return `${what} changed from ${quoted(was)} to ${quoted(is)}`;
}
