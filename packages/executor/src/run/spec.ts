/**
 * A step for the sandbox helper as plain data, and its wire form: records of one byte key length, key, four bytes
 * little-endian value length, value, NUL. The reader is native/src/helper/spec.c; results come back the same way.
 */

export interface SandboxSpec {
  args: string[];
  /** In order; the last of equal names wins for PATH lookup, all are passed on. */
  env: readonly (readonly [name: string, value: string])[];
  /** Absolute. Made 0755, owned by uid:gid, where it is missing. */
  cwd: string;
  uid: number;
  gid: number;
  /** Supplementary groups, set exactly so. */
  groups: number[];
  hostname: string;
  root: RootSpec;
  /** `none` is a network namespace with only loopback. */
  network: 'host' | 'none';
  /** All capabilities, no system call filter, nothing masked. */
  insecure?: boolean;
  /** Give the step a terminal of its own, connected to standard input and output. */
  tty?: boolean;
  /** Bytes of /dev/shm; default 64 MiB, 0 for none. */
  shmSize?: number;
  rlimits?: { name: string; soft: number; hard: number }[];
  /** Device nodes of the host to show under /dev, by path. */
  devices?: string[];
  /** In the order in which they are made. */
  mounts: SandboxMount[];
}

export type RootSpec =
  | {
      /** Directories of the host, top first; may be empty. */
      lower: string[];
      /** Takes what the step writes: afterwards it is the layer. On the same file system as work. */
      upper: string;
      work: string;
    }
  | {
      /** A whole root file system that the step may change (the copying snapshotter). */
      dir: string;
    };

export type SandboxMount = BindMount | OverlayMount | TmpfsMount | FileMount;

export interface BindMount {
  type: 'bind';
  target: string;
  /** A host path of the engine's own, or a descriptor that is open in this process (O_PATH will do). */
  source: { path: string } | { fd: number };
  /** Below the source, links kept inside it. */
  subpath?: string;
  readonly: boolean;
  /** With everything mounted below the source. */
  recursive?: boolean;
}

export interface OverlayMount {
  type: 'overlay';
  target: string;
  /** Top first. */
  lower: string[];
  /** Where writes go; without it the mount is read-only. */
  upper?: string;
  work?: string;
  subpath?: string;
  readonly: boolean;
}

export interface TmpfsMount {
  type: 'tmpfs';
  target: string;
  /** Bytes; 0 is the kernel's default of half the memory. */
  size: number;
  readonly: boolean;
}

/** A read-only file whose content is only ever in memory. */
export interface FileMount {
  type: 'file';
  target: string;
  data: Uint8Array;
  mode: number;
  uid: number;
  gid: number;
}

export interface SpecContext {
  /** Process that the helper must not outlive. */
  parentPid: number;
  /** Inside of a user namespace (TSBUILD_USERNS), with one id only (TSBUILD_SINGLE_ID). */
  userns: boolean;
  singleId: boolean;
}

/** First descriptor number that the helper gets for sources given by fd. */
const firstSourceFd = 5;

/** The bytes for the helper, and the descriptors it must inherit from number 5 on. */
export function encodeSpec(spec: SandboxSpec, context: SpecContext): { data: Buffer; fds: number[] } {
  const writer = new RecordWriter();
  const fds: number[] = [];
  writer.number('parent', context.parentPid);
  writer.flag('userns', context.userns);
  writer.flag('single-id', context.singleId);
  writer.text('hostname', spec.hostname);
  writer.text('cwd', spec.cwd);
  writer.number('uid', spec.uid);
  writer.number('gid', spec.gid);
  for (const group of spec.groups) writer.number('group', group);
  for (const arg of spec.args) writer.text('arg', arg);
  for (const [name, value] of spec.env) writer.text('env', `${name}=${value}`);
  writer.flag('insecure', spec.insecure ?? false);
  writer.flag('private-network', spec.network === 'none');
  writer.flag('tty', spec.tty ?? false);
  encodeRoot(writer, spec.root);
  if (spec.shmSize !== undefined) writer.number('shm-size', spec.shmSize);
  for (const limit of spec.rlimits ?? []) {
    writer.text('rlimit', `${limit.name}:${limitText(limit.soft)}:${limitText(limit.hard)}`);
  }
  for (const device of spec.devices ?? []) writer.text('device', device);
  for (const mount of spec.mounts) encodeMount(writer, mount, fds);
  return { data: writer.finish(), fds };
}

/** Key and value pairs of a result; an incomplete last record is dropped. */
export function decodeRecords(data: Buffer): [key: string, value: string][] {
  const records: [string, string][] = [];
  for (let offset = 0; offset < data.length; ) {
    const keyEnd = offset + 1 + data.readUInt8(offset);
    if (keyEnd + 4 > data.length) break;
    const valueEnd = keyEnd + 4 + data.readUInt32LE(keyEnd);
    if (valueEnd + 1 > data.length) break;
    records.push([data.toString('latin1', offset + 1, keyEnd), data.toString('utf8', keyEnd + 4, valueEnd)]);
    offset = valueEnd + 1;
  }
  return records;
}

class RecordWriter {
  private readonly parts: Uint8Array[] = [];

  bytes(key: string, value: Uint8Array): void {
    const header = Buffer.alloc(1 + key.length + 4);
    header.writeUInt8(key.length, 0);
    header.write(key, 1, 'latin1');
    header.writeUInt32LE(value.length, 1 + key.length);
    this.parts.push(header, value, Buffer.alloc(1));
  }

  text(key: string, value: string): void {
    if (value.includes('\0')) throw new Error(`${key} of a step holds a NUL character`);
    this.bytes(key, Buffer.from(value));
  }

  number(key: string, value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${key} of a step is ${value}`);
    this.text(key, String(value));
  }

  flag(key: string, value: boolean): void {
    this.number(key, value ? 1 : 0);
  }

  finish(): Buffer {
    return Buffer.concat(this.parts);
  }
}

/** RLIM_INFINITY is all ones. */
function limitText(value: number): string {
  return value < 0 || !Number.isFinite(value) ? '18446744073709551615' : String(Math.trunc(value));
}

function encodeRoot(writer: RecordWriter, root: RootSpec): void {
  if ('dir' in root) {
    writer.text('root.dir', root.dir);
    return;
  }
  for (const directory of root.lower) writer.text('root.lower', directory);
  writer.text('root.upper', root.upper);
  writer.text('root.work', root.work);
}

function encodeMount(writer: RecordWriter, mount: SandboxMount, fds: number[]): void {
  writer.text('mount', mount.type);
  writer.text('mount.target', mount.target);
  switch (mount.type) {
    case 'bind':
      if ('fd' in mount.source) writer.number('mount.fd', firstSourceFd - 1 + fds.push(mount.source.fd));
      else writer.text('mount.source', mount.source.path);
      if (mount.subpath !== undefined) writer.text('mount.subpath', mount.subpath);
      writer.flag('mount.readonly', mount.readonly);
      writer.flag('mount.recursive', mount.recursive ?? false);
      return;
    case 'overlay':
      for (const directory of mount.lower) writer.text('mount.lower', directory);
      if (mount.upper !== undefined) writer.text('mount.upper', mount.upper);
      if (mount.work !== undefined) writer.text('mount.work', mount.work);
      if (mount.subpath !== undefined) writer.text('mount.subpath', mount.subpath);
      writer.flag('mount.readonly', mount.readonly);
      return;
    case 'tmpfs':
      writer.number('mount.size', mount.size);
      writer.flag('mount.readonly', mount.readonly);
      return;
    case 'file':
      writer.number('mount.mode', mount.mode);
      writer.number('mount.uid', mount.uid);
      writer.number('mount.gid', mount.gid);
      writer.flag('mount.executable', (mount.mode & 0o111) !== 0);
      writer.bytes('mount.data', mount.data);
  }
}
