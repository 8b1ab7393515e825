/** Flags that several commands share. */
import type { FlagSpec } from './types.js';

export const rootFlag: FlagSpec = {
  name: 'root',
  type: 'string',
  value: 'DIR',
  summary: 'Store of images and cache (default /var/lib/tsbuild as root, else ~/.local/share/tsbuild)',
  env: ['TSBUILD_ROOT'],
  completes: 'directory',
};

export const debugFlag: FlagSpec = {
  name: 'debug',
  short: 'D',
  type: 'boolean',
  summary: 'Print stack traces with errors',
  env: ['TSBUILD_DEBUG'],
};

export const progressFlag: FlagSpec = {
  name: 'progress',
  type: 'string',
  value: 'MODE',
  summary: 'How progress is shown; auto is tty on a terminal, else plain',
  env: ['TSBUILD_PROGRESS', 'BUILDKIT_PROGRESS'],
  choices: ['auto', 'plain', 'tty', 'quiet', 'none', 'rawjson'],
};

export const registryFlags: readonly FlagSpec[] = [
  {
    name: 'insecure-registry',
    type: 'csv',
    value: 'HOST[:PORT]',
    summary: 'Registry that may use plain HTTP or an unknown certificate (loopback always may use HTTP)',
    env: ['TSBUILD_INSECURE_REGISTRY'],
  },
  {
    name: 'registries-conf',
    type: 'string',
    value: 'FILE',
    summary: 'registries.conf (version 2) with mirrors, as podman and buildah have it',
    env: ['TSBUILD_REGISTRIES_CONF', 'CONTAINERS_REGISTRIES_CONF'],
    completes: 'file',
  },
];

export const formatFlag: FlagSpec = {
  name: 'format',
  type: 'string',
  value: 'FORMAT',
  summary: 'table or json',
  choices: ['table', 'json'],
};

export const noTruncFlag: FlagSpec = {
  name: 'no-trunc',
  type: 'boolean',
  summary: 'Do not shorten digests and commands',
};

/** How much of the disk the store may take, in the words of docker buildx and its older ones. */
export const limitFlags: readonly FlagSpec[] = [
  {
    name: 'cache-max-size',
    type: 'string',
    value: 'SIZE',
    summary: 'Bring the store down to this size, least recently used cache first, for example 20GB',
  },
  { name: 'max-used-space', type: 'string', value: 'SIZE', summary: 'The same as --cache-max-size' },
  {
    name: 'min-free',
    type: 'string',
    value: 'SIZE',
    summary: 'Remove cache until this much of the disk is free',
  },
  { name: 'min-free-space', type: 'string', value: 'SIZE', summary: 'The same as --min-free' },
  {
    name: 'keep-storage',
    type: 'string',
    value: 'SIZE',
    summary: 'With the other two: never go below this size; alone: the same as --cache-max-size',
  },
  { name: 'reserved-space', type: 'string', value: 'SIZE', summary: 'The same as --keep-storage' },
];

export const storeFlags: readonly FlagSpec[] = [rootFlag, debugFlag];
