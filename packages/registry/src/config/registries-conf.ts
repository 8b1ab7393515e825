/**
 * Mirrors, remapped, insecure and blocked registries from the containers tools' registries.conf, version 2
 * (containers-registries.conf(5), containers-registries.conf.d(5)). Short names are docker's here: the
 * search list and the aliases are not used.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TsbuildError } from '@tsbuild/core';
import type { Environment } from '../http/proxy.js';
import { repositoryName, type Reference } from '../reference.js';
import { parseToml, type TomlTable, type TomlValue } from './toml.js';

export interface Endpoint {
  /** `host[:port]` of the location. */
  registry: string;
  /** Path in it. */
  repository: string;
  insecure: boolean;
  serves: 'all' | 'digest-only' | 'tag-only';
}

export interface RegistriesConf {
  /** Where to read an image from: mirrors in order, then the registry (or what it is remapped to). */
  endpoints(reference: Reference): Endpoint[];
  /** Whether the table for this repository says insecure; counts for pushes too, which are not remapped. */
  isInsecure(reference: Reference): boolean;
}

interface Mirror {
  location: string;
  insecure: boolean;
  serves: Endpoint['serves'];
}

interface RegistryTable {
  prefix: string;
  location: string;
  insecure: boolean;
  blocked: boolean;
  mirrors: Mirror[];
  /** Of the table, for messages. */
  file: string;
}

export interface RegistriesConfOptions {
  env: Environment;
  home: string;
  /** This file alone. Default: $CONTAINERS_REGISTRIES_CONF alone, else the user's or the system's with its drop-ins. */
  path?: string;
  /** Default: /etc/containers. */
  systemFolder?: string;
}

/** @throws TsbuildError TSB_USAGE_BAD_REGISTRIES_CONF */
export async function loadRegistriesConf(options: RegistriesConfOptions): Promise<RegistriesConf> {
  const tables = new Map<string, RegistryTable>();
  for (const file of await configFiles(options)) {
    const text = await readFile(file, 'utf8').catch((error: Error) => {
      throw fault(file, error.message);
    });
    // A table of a later file takes the place of an earlier one with the same prefix.
    for (const table of decode(parseToml(text, file), file)) tables.set(table.prefix, table);
  }
  const list = [...tables.values()];

  return {
    endpoints(reference) {
      const table = choose(list, reference);
      const own: Endpoint = {
        registry: reference.registry,
        repository: reference.repository,
        insecure: false,
        serves: 'all',
      };
      if (table === undefined) return [own];
      if (table.blocked) {
        throw new TsbuildError(
          'TSB_REGISTRY_BLOCKED',
          `${repositoryName(reference)} is blocked by ${table.file}`,
          {
            hint: `Take blocked = true for ${table.prefix} away, or use another image.`,
          },
        );
      }
      const at = (location: string, rest: Pick<Endpoint, 'insecure' | 'serves'>): Endpoint => ({
        ...split(rewrite(reference, table, location)),
        ...rest,
      });
      const primary = at(table.location, { insecure: table.insecure, serves: 'all' });
      return [
        ...table.mirrors.map(({ location, insecure, serves }) => at(location, { insecure, serves })),
        primary,
      ];
    },
    isInsecure(reference) {
      return choose(list, reference)?.insecure ?? false;
    },
  };
}

async function configFiles({
  env,
  home,
  path,
  systemFolder = '/etc/containers',
}: RegistriesConfOptions): Promise<string[]> {
  const chosen = path ?? env['CONTAINERS_REGISTRIES_CONF'];
  if (chosen) return [chosen];
  const userFolder = join(home, '.config/containers');
  const exists = async (file: string) =>
    readFile(file).then(
      () => true,
      () => false,
    );
  const dropIns = async (folder: string) => {
    const names = await readdir(join(folder, 'registries.conf.d')).catch(() => []);
    return names
      .filter((name) => name.endsWith('.conf'))
      .sort()
      .map((name) => join(folder, 'registries.conf.d', name));
  };
  const userFile = join(userFolder, 'registries.conf');
  if (await exists(userFile)) return [userFile, ...(await dropIns(userFolder))];
  const systemFile = join(systemFolder, 'registries.conf');
  const main = (await exists(systemFile)) ? [systemFile] : [];
  return [...main, ...(await dropIns(systemFolder)), ...(await dropIns(userFolder))];
}

/** Length of what the prefix covers of the name, 0 where it does not. */
function covers(prefix: string, reference: Reference): number {
  if (prefix.startsWith('*.')) {
    return reference.registry.endsWith(prefix.slice(1)) ? reference.registry.length : 0;
  }
  const name = repositoryName(reference);
  const whole = [
    name,
    reference.tag && `${name}:${reference.tag}`,
    reference.digest && `${name}@${reference.digest}`,
  ];
  if (whole.includes(prefix)) return prefix.length;
  return name.startsWith(`${prefix}/`) ? prefix.length : 0;
}

/** The longest match; a wildcard is as long as it is written. */
function choose(tables: readonly RegistryTable[], reference: Reference): RegistryTable | undefined {
  return tables
    .filter(({ prefix }) => covers(prefix, reference) > 0)
    .reduce<RegistryTable | undefined>(
      (best, table) => (best === undefined || table.prefix.length > best.prefix.length ? table : best),
      undefined,
    );
}

/** The repository's name with the prefix replaced by the location. */
function rewrite(reference: Reference, table: RegistryTable, location: string): string {
  const name = repositoryName(reference);
  if (location === '') return name;
  // A prefix may end with a tag or digest, and its location then does: those are the reference's own business.
  const bare = location.includes('/') ? location.replace(/(:[^/]*)?(@.*)?$/, '') : location;
  return `${bare}${name.slice(covers(table.prefix, reference))}`;
}

function split(name: string): Pick<Endpoint, 'registry' | 'repository'> {
  const slash = name.indexOf('/');
  return { registry: name.slice(0, slash), repository: name.slice(slash + 1) };
}

function decode(document: TomlTable, file: string): RegistryTable[] {
  if (document['registries'] !== undefined) return decodeVersion1(document['registries'], file);
  const list = document['registry'] ?? [];
  if (!Array.isArray(list)) throw fault(file, 'registry is not an array of tables: write [[registry]]');
  const tables = list.map((value) => decodeTable(asTable(value, file), file));
  const twice = tables.find(
    ({ prefix }, index) => tables.findIndex((other) => other.prefix === prefix) !== index,
  );
  if (twice !== undefined) throw fault(file, `there are several [[registry]] for ${twice.prefix}`);
  return tables;
}

function decodeTable(table: TomlTable, file: string): RegistryTable {
  const location = trimLocation(text(table, 'location', file));
  const prefix = trimLocation(text(table, 'prefix', file)) || location;
  if (prefix === '') throw fault(file, 'a [[registry]] has neither prefix nor location');
  if (prefix.includes('*') && !/^\*\.[^*/:@]+$/.test(prefix))
    throw fault(file, `the prefix ${prefix}: * may only stand as *.HOST`);
  if (location === '' && !prefix.startsWith('*.') && text(table, 'prefix', file) === '')
    throw fault(file, `${prefix} has no location`);
  const byDigestOnly = flag(table, 'mirror-by-digest-only', file);
  const mirrors = table['mirror'] ?? [];
  if (!Array.isArray(mirrors))
    throw fault(file, 'mirror is not an array of tables: write [[registry.mirror]]');
  return {
    prefix,
    location: location || (prefix.startsWith('*.') ? '' : prefix),
    insecure: flag(table, 'insecure', file),
    blocked: flag(table, 'blocked', file),
    mirrors: mirrors.map((value) => decodeMirror(asTable(value, file), byDigestOnly, file)),
    file,
  };
}

function decodeMirror(table: TomlTable, byDigestOnly: boolean, file: string): Mirror {
  const location = trimLocation(text(table, 'location', file));
  if (location === '') throw fault(file, 'a mirror has no location');
  const serves = text(table, 'pull-from-mirror', file) || 'all';
  if (serves !== 'all' && serves !== 'digest-only' && serves !== 'tag-only') {
    throw fault(file, `pull-from-mirror = ${JSON.stringify(serves)}: it is all, digest-only or tag-only`);
  }
  if (byDigestOnly && table['pull-from-mirror'] !== undefined) {
    throw fault(file, `mirror ${location}: pull-from-mirror cannot be set where mirror-by-digest-only is`);
  }
  return { location, insecure: flag(table, 'insecure', file), serves: byDigestOnly ? 'digest-only' : serves };
}

/** The old format: lists of insecure and of blocked hosts. */
function decodeVersion1(value: TomlValue, file: string): RegistryTable[] {
  const listed = (name: string): string[] => {
    const part = asTable(value, file)[name];
    const list = part === undefined ? [] : (asTable(part, file)['registries'] ?? []);
    if (!Array.isArray(list) || !list.every((entry) => typeof entry === 'string'))
      throw fault(file, `registries.${name} is not a list`);
    return list as string[];
  };
  const [insecure, blocked] = [listed('insecure'), listed('block')];
  return [...new Set([...insecure, ...blocked])].map((host) => ({
    prefix: host,
    location: host,
    insecure: insecure.includes(host),
    blocked: blocked.includes(host),
    mirrors: [],
    file,
  }));
}

function trimLocation(value: string): string {
  return value.replace(/\/+$/, '');
}

function asTable(value: TomlValue, file: string): TomlTable {
  if (typeof value !== 'object' || Array.isArray(value)) throw fault(file, 'expected a table');
  return value;
}

function text(table: TomlTable, key: string, file: string): string {
  const value = table[key] ?? '';
  if (typeof value !== 'string') throw fault(file, `${key} is not a string`);
  if (/^[a-z]+:\/\//.test(value))
    throw fault(file, `${key} = ${JSON.stringify(value)}: leave out the scheme`);
  return value;
}

function flag(table: TomlTable, key: string, file: string): boolean {
  const value = table[key] ?? false;
  if (typeof value !== 'boolean') throw fault(file, `${key} is not true or false`);
  return value;
}

function fault(file: string, message: string): TsbuildError {
  return new TsbuildError('TSB_USAGE_BAD_REGISTRIES_CONF', `${file}: ${message}`, {
    hint: 'The format is described in containers-registries.conf(5), version 2.',
  });
}
