/** RUN --mount: its text to a typed value (BuildKit's instructions/commands_runmount.go). */
import { didYouMean, goQuote } from '@tsbuild/core';
import { csvFields } from './csv.js';
import { fault } from './fault.js';

export const mountTypes = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'] as const;
export type MountType = (typeof mountTypes)[number];

export const sharingModes = ['shared', 'private', 'locked'] as const;
export type SharingMode = (typeof sharingModes)[number];

/** What is written; defaults that depend on the stage (target, id) are left to whoever lowers it. */
export interface RunMountSpec {
  type: MountType;
  from?: string;
  source?: string;
  target?: string;
  id?: string;
  /** With the type's default: true for bind, secret and ssh. */
  readonly: boolean;
  required: boolean;
  /** cache only; shared by default. */
  sharing?: SharingMode;
  /** tmpfs only, bytes. */
  size?: number;
  /** secret, ssh and cache only. */
  mode?: number;
  uid?: number;
  gid?: number;
  env?: string;
}

const keys = [
  'type',
  'from',
  'source',
  'target',
  'readonly',
  'id',
  'sharing',
  'required',
  'size',
  'mode',
  'uid',
  'gid',
  'src',
  'dst',
  'destination',
  'ro',
  'rw',
  'readwrite',
  'env',
];

/**
 * @param raw value of the flag
 * @param expand expands one value; called for values, never for keys
 * @throws TsbuildError TSB_PARSE_MOUNT, TSB_PARSE_CSV, and what `expand` throws
 */
export function parseMount(raw: string, expand: (value: string) => string): RunMountSpec {
  const spec: RunMountSpec = { type: 'bind', readonly: true, required: false };
  let explicit = false;
  for (const field of mountFields(raw)) {
    const { key, value } = splitField(field);
    if (value === undefined) explicit = applySwitch(spec, key, field) || explicit;
    else explicit = applyPair(spec, key, expand(value), field) || explicit;
  }
  if (!explicit) spec.readonly = spec.type !== 'cache' && spec.type !== 'tmpfs';
  checkSpec(spec);
  return spec;
}

/** Value of `from`, which knows no variables: it can be told before anything is expanded. */
export function mountSource(raw: string): string | undefined {
  return mountFields(raw)
    .map(splitField)
    .findLast(({ key, value }) => key === 'from' && value !== undefined)?.value;
}

/** What is wrong with a mount whatever its variables hold. Told while parsing, also for stages that aren't built. */
export function checkMount(raw: string): void {
  if (raw !== '' && !raw.includes('$') && !raw.includes('"')) return;
  for (const field of mountFields(raw)) {
    const { key, value } = splitField(field);
    if (key === 'from' && value !== undefined && /\$./.test(value)) {
      throw mountFault(
        "'from' doesn't support variable expansion, define alias stage instead",
        `Add a stage, FROM ${value} AS name, and write from=name.`,
      );
    }
  }
}

function mountFault(message: string, hint: string): Error {
  return fault('MOUNT', message, hint);
}

function mountFields(raw: string): string[] {
  try {
    return csvFields(raw);
  } catch (error) {
    if (error instanceof Error) error.message = `failed to parse csv mounts: ${error.message}`;
    throw error;
  }
}

function splitField(field: string): { key: string; value?: string } {
  const equals = field.indexOf('=');
  if (equals < 0) return { key: field.toLowerCase() };
  return { key: field.slice(0, equals).toLowerCase(), value: field.slice(equals + 1) };
}

/** @returns whether the field decides about readonly */
function applySwitch(spec: RunMountSpec, key: string, field: string): boolean {
  switch (key) {
    case 'readonly':
    case 'ro':
      spec.readonly = true;
      return true;
    case 'readwrite':
    case 'rw':
      spec.readonly = false;
      return true;
    case 'required':
      allowed(spec, key, ['secret', 'ssh']);
      spec.required = true;
      return false;
    default:
      throw mountFault(
        `invalid field '${field}' must be a key=value pair`,
        'Only readonly, readwrite and required may stand without a value.',
      );
  }
}

/** @returns whether the field decides about readonly */
function applyPair(spec: RunMountSpec, key: string, value: string, field: string): boolean {
  switch (key) {
    case 'type':
      spec.type = oneOf(mountTypes, value.toLowerCase(), value, 'unsupported mount type');
      break;
    case 'from':
      spec.from = value;
      break;
    case 'source':
    case 'src':
      spec.source = value;
      break;
    case 'target':
    case 'dst':
    case 'destination':
      spec.target = value;
      break;
    case 'readonly':
    case 'ro':
      spec.readonly = bool(key, value);
      return true;
    case 'readwrite':
    case 'rw':
      spec.readonly = !bool(key, value);
      return true;
    case 'required':
      allowed(spec, key, ['secret', 'ssh']);
      spec.required = bool(key, value);
      break;
    case 'size':
      allowed(spec, key, ['tmpfs']);
      spec.size = ramBytes(key, value);
      break;
    case 'id':
      spec.id = value;
      break;
    case 'sharing':
      spec.sharing = oneOf(sharingModes, value.toLowerCase(), value, 'unsupported sharing value');
      break;
    case 'mode':
      spec.mode = unsigned(key, value, 8);
      break;
    case 'uid':
    case 'gid':
      spec[key] = unsigned(key, value, 10);
      break;
    case 'env':
      spec.env = value;
      break;
    default:
      throw mountFault(
        `unexpected key '${key}' in '${field}'${didYouMean(key, keys, true)}`,
        `Keys of --mount are ${keys.join(', ')}.`,
      );
  }
  return false;
}

function checkSpec(spec: RunMountSpec): void {
  if (spec.type === 'bind' || spec.type === 'tmpfs') {
    for (const key of ['mode', 'uid', 'gid'] as const) {
      if (spec[key] === undefined) continue;
      throw mountFault(
        `${key} not allowed for ${goQuote(spec.type)} type mounts`,
        'Only secret, ssh and cache mounts have it.',
      );
    }
  }
  if (spec.sharing !== undefined && spec.type === 'secret') {
    throw mountFault('secret mount should not define sharing', 'Only cache mounts have sharing=.');
  }
  if (spec.sharing !== undefined && spec.type !== 'cache') {
    throw mountFault(`invalid cache sharing set for ${spec.type} mount`, 'Only cache mounts have sharing=.');
  }
  if (spec.type !== 'secret') return;
  if (spec.from)
    throw mountFault('secret mount should not have a from', 'Secrets come from --secret; leave out from=.');
  if (!spec.source && !spec.target && !spec.id) {
    throw mountFault('invalid secret mount. one of source, target required', 'Name the secret with id=.');
  }
  if (spec.source && spec.id) throw mountFault("both source and id can't be set", 'Leave out source=.');
}

function allowed(spec: RunMountSpec, key: string, types: MountType[]): void {
  if (types.includes(spec.type)) return;
  throw mountFault(
    `unexpected key '${key}' for mount type '${spec.type}'`,
    `Only ${types.join(' and ')} mounts have ${key}; write type= before it.`,
  );
}

function oneOf<T extends string>(options: readonly T[], value: string, written: string, what: string): T {
  const found = options.find((option) => option === value);
  if (found !== undefined) return found;
  throw mountFault(
    `${what} ${goQuote(written)}${didYouMean(written, options, true)}`,
    `Use one of ${options.join(', ')}.`,
  );
}

/** Go's strconv.ParseBool. */
function bool(key: string, value: string): boolean {
  if (/^(?:1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(?:0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw mountFault(`invalid value for ${key}: ${value}`, 'Write true or false.');
}

function unsigned(key: string, value: string, base: 8 | 10): number {
  const number = (base === 8 ? /^[0-7]+$/ : /^[0-9]+$/).test(value)
    ? Number.parseInt(value, base)
    : Number.NaN;
  if (number <= 0xffffffff) return number;
  throw mountFault(
    `invalid value ${value} for ${key}`,
    base === 8 ? 'Write octal digits, as 0600.' : 'Write a number.',
  );
}

/** go-units' RAMInBytes: `64m`, `1.5GiB`, 1024-based. */
function ramBytes(key: string, value: string): number {
  const match = /^\+?(\d+\.?\d*|\.\d+) ?(?:b|([kmgtpe])(?:i?b)?)?$/i.exec(value);
  if (match === null) throw mountFault(`invalid value for ${key}: ${value}`, 'Write a size as 64m or 1g.');
  const unit = match[2]?.toLowerCase();
  return Math.trunc(Number(match[1]) * 1024 ** (unit === undefined ? 0 : 'kmgtpe'.indexOf(unit) + 1));
}
