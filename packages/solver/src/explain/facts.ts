/**
 * A step's key taken apart: the same parts that keys/op-key.ts hashes, each as a named text, so that two builds of a step
 * can be compared. Only for explanations: what a key is, is decided there.
 *
 * Names are `GROUP`, `GROUP:NAME` or `GROUP:NAME:FIELD`; the groups are in the table of causes.ts.
 */
import { type Digest, formatPlatform, type Platform, sha256 } from '@tsbuild/core';
import type { FileAction, FileOp, RunMount, RunOp } from '../ops.js';

export type Facts = Readonly<Record<string, string>>;

/** Texts up to this length are kept as they are, longer ones by their beginning and a digest. Characters. */
const wholeText = 4096;

/** @param contents digests of what mounts and copies select, by index in op.mounts or op.actions */
export function factsOf(
  op: RunOp | FileOp,
  platform: Platform,
  contents: ReadonlyMap<number, Digest>,
): Record<string, string> {
  const facts = new FactList();
  if (op.kind === 'run') runFacts(facts, op, platform, contents);
  else fileFacts(facts, op, contents);
  return facts.all;
}

class FactList {
  readonly all: Record<string, string> = {};

  set(name: string, value: string | number | boolean | undefined): void {
    if (value === undefined) return;
    const text = String(value);
    this.all[name] = text.length <= wholeText ? text : `${text.slice(0, wholeText)}… ${sha256(text)}`;
  }

  /** For texts that are compared but not shown. */
  setDigest(name: string, text: string): void {
    this.all[name] = sha256(text);
  }
}

/** The second thing of a name gets a number. */
function numbered(): (name: string) => string {
  const seen = new Map<string, number>();
  return (name) => {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return count === 1 ? name : `${name}#${count}`;
  };
}

function runFacts(
  facts: FactList,
  op: RunOp,
  platform: Platform,
  contents: ReadonlyMap<number, Digest>,
): void {
  facts.set('platform', formatPlatform(platform));
  facts.set('command', JSON.stringify(op.args));
  const variable = numbered();
  for (const [name, value] of op.env) facts.set(`variable:${variable(name)}`, value);
  facts.setDigest('variables', JSON.stringify(op.env.map(([name]) => name)));
  facts.set('workdir', op.cwd);
  facts.set('user', op.user);
  facts.set('hostname', op.hostname);
  facts.set('network', op.network);
  facts.set('security', op.security);
  facts.set('shm-size', op.shmSize);
  facts.set('cgroup-parent', op.cgroupParent);
  facts.set('add-host', op.extraHosts.map(({ name }) => name).join(', '));
  facts.set('ulimit', op.ulimits.map(({ name, soft, hard }) => `${name}=${soft}:${hard}`).join(', '));
  const script = numbered();
  for (const { path, data, mode } of op.scripts) {
    const name = script(path.slice(path.lastIndexOf('/') + 1));
    facts.setDigest(`heredoc:${name}:text`, data);
    facts.set(`heredoc:${name}:path`, path);
    facts.set(`heredoc:${name}:mode`, octal(mode));
  }
  facts.setDigest('heredocs', JSON.stringify(op.scripts.map(({ path }) => path)));
  facts.set(
    'device',
    op.devices.map(({ name, required }) => `${name}${required ? ',required' : ''}`).join(', '),
  );
  const target = numbered();
  const names = op.mounts.map((mount) => target(`${mount.type} ${targetOf(mount)}`));
  for (const [index, mount] of op.mounts.entries())
    mountFacts(facts, `mount:${names[index]}`, mount, contents.get(index));
  facts.setDigest('mounts', JSON.stringify(names));
}

function targetOf(mount: RunMount): string {
  return mount.target ?? ('env' in mount ? (mount.env ?? '') : '');
}

function mountFacts(facts: FactList, prefix: string, mount: RunMount, content: Digest | undefined): void {
  facts.set(`${prefix}:type`, mount.type);
  facts.set(`${prefix}:target`, mount.target);
  if (mount.type === 'bind' || mount.type === 'cache') facts.set(`${prefix}:content`, content);
  if (mount.type === 'secret' || mount.type === 'ssh') {
    facts.set(`${prefix}:id`, mount.id);
    facts.set(`${prefix}:required`, mount.required);
  } else {
    facts.set(`${prefix}:readonly`, mount.readonly);
  }
  if (mount.type === 'secret') facts.set(`${prefix}:env`, mount.env);
  if (mount.type === 'tmpfs') facts.set(`${prefix}:size`, mount.size);
  if (mount.type === 'cache' || mount.type === 'secret' || mount.type === 'ssh') {
    facts.set(`${prefix}:mode`, octal(mount.mode));
    facts.set(`${prefix}:owner`, `${mount.uid}:${mount.gid}`);
  }
}

function fileFacts(facts: FactList, op: FileOp, contents: ReadonlyMap<number, Digest>): void {
  const unique = numbered();
  const names = op.actions.map((action) => unique(nameOf(action)));
  for (const [index, action] of op.actions.entries())
    actionFacts(facts, names[index] as string, action, contents.get(index));
  facts.setDigest('actions', JSON.stringify(names));
}

function nameOf(action: FileAction): string {
  switch (action.type) {
    case 'copy':
      return `source:${baseName(action.source)}`;
    case 'mkfile':
      return `heredoc:${action.name}`;
    case 'mkdir':
      return 'directory:';
  }
}

/** As in the key: only the last component counts. */
function baseName(path: string): string {
  return path.slice(path.replace(/\/+$/, '').lastIndexOf('/') + 1);
}

function actionFacts(facts: FactList, prefix: string, action: FileAction, content: Digest | undefined): void {
  switch (action.type) {
    case 'copy':
      facts.set(`${prefix}:destination`, action.destination);
      facts.set(`${prefix}:chown`, action.chown);
      facts.set(`${prefix}:chmod`, action.chmod);
      if (action.exclude.length > 0) facts.set(`${prefix}:exclude`, JSON.stringify(action.exclude));
      facts.set(`${prefix}:parents`, action.parents);
      facts.set(`${prefix}:unpack`, action.unpack);
      facts.set(`${prefix}:owners`, action.ownerZero ? 'root' : 'kept');
      facts.set(`${prefix}:content`, content);
      return;
    case 'mkfile':
      facts.setDigest(`${prefix}:text`, action.data);
      facts.set(`${prefix}:destination`, action.destination);
      facts.set(`${prefix}:chown`, action.chown);
      facts.set(`${prefix}:chmod`, action.chmod);
      return;
    case 'mkdir':
      facts.set(`${prefix}:path`, action.path);
      facts.set(`${prefix}:mode`, octal(action.mode));
      facts.set(`${prefix}:chown`, action.owner);
      facts.set(`${prefix}:time`, action.mtime);
      return;
  }
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
