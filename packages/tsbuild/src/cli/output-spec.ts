/** `--output` values, as docker buildx has them. */
import { TsbuildError } from '@tsbuild/core';
import type { Compression, ImageAttributes, OutputSpec } from '../api/types.js';
import { csvFields, csvPairs } from './csv.js';
import { nearest } from './nearest.js';

const types = ['image', 'store', 'registry', 'oci', 'docker', 'tar', 'local', 'cacheonly'] as const;
type OutputType = (typeof types)[number];

const compressions: readonly string[] = ['uncompressed', 'gzip', 'zstd'];
const imageKeys = [
  'name',
  'compression',
  'compression-level',
  'force-compression',
  'oci-mediatypes',
  'rewrite-timestamp',
  'push',
  'dest',
  'tar',
];
/** Attributes of BuildKit's exporters that ask for what is done anyway. */
const passedOver = ['store', 'unpack', 'name-canonical', 'buildinfo', 'attestation-inline'];

export interface StdoutInfo {
  isTTY: boolean;
}

/** @throws TsbuildError TSB_USAGE_BAD_OUTPUT, TSB_USAGE_OUTPUT_TO_TERMINAL */
export function parseOutput(text: string, stdout: StdoutInfo): OutputSpec {
  if (text === '-') return { type: 'tar', dest: toStdout(text, stdout) };
  const first = csvFields('output', text);
  if (first.length === 1 && !text.includes('=')) return { type: 'local', dest: text };
  const pairs = csvPairs('output', text);
  const type = pairs.get('type');
  if (type === undefined)
    throw bad(text, 'type= is missing', `Write it as type=local,dest=${pairs.get('dest') ?? 'out'}.`);
  if (!isType(type)) {
    const near = nearest(type, types);
    throw bad(
      text,
      `unknown type ${JSON.stringify(type)}${near === undefined ? '' : ` (did you mean ${near}?)`}`,
      `The types are ${types.join(', ')}.`,
    );
  }
  pairs.delete('type');
  return specOf(type, text, pairs, stdout);
}

function isType(type: string): type is OutputType {
  return (types as readonly string[]).includes(type);
}

function specOf(
  type: OutputType,
  text: string,
  pairs: Map<string, string | undefined>,
  stdout: StdoutInfo,
): OutputSpec {
  const dest = pairs.get('dest');
  switch (type) {
    case 'cacheonly':
      return { type };
    case 'local': {
      checkKeys(text, pairs, ['dest', 'platform-split']);
      if (dest === undefined || dest === '')
        throw bad(text, 'dest= is missing', 'Name the folder: type=local,dest=out.');
      return {
        type,
        dest,
        ...(pairs.has('platform-split') ? { platformSplit: flag(text, pairs, 'platform-split') } : {}),
      };
    }
    case 'tar':
      checkKeys(text, pairs, ['dest']);
      return { type, dest: dest === undefined || dest === '-' ? toStdout(text, stdout) : dest };
    case 'oci':
    case 'docker': {
      const attributes = imageAttributes(text, pairs);
      const folder = pairs.has('tar') && !flag(text, pairs, 'tar');
      if (folder && (dest === undefined || dest === '-'))
        throw bad(text, 'dest= is missing', 'Name the folder that is written.');
      return {
        type,
        dest: dest === undefined || dest === '-' ? toStdout(text, stdout) : dest,
        ...(folder ? { tar: false } : {}),
        ...attributes,
      };
    }
    case 'registry':
      return { type, ...imageAttributes(text, pairs) };
    default:
      return {
        type: 'store',
        ...(pairs.has('push') ? { push: flag(text, pairs, 'push') } : {}),
        ...imageAttributes(text, pairs),
      };
  }
}

function imageAttributes(text: string, pairs: Map<string, string | undefined>): ImageAttributes {
  checkKeys(text, pairs, imageKeys);
  const attributes: ImageAttributes = {};
  const names = pairs.get('name');
  if (names !== undefined) attributes.names = names.split(',').filter((name) => name !== '');
  const compression = pairs.get('compression');
  if (compression !== undefined) {
    if (!compressions.includes(compression)) {
      throw bad(
        text,
        `unknown compression ${JSON.stringify(compression)}`,
        `It is one of ${compressions.join(', ')}.`,
      );
    }
    attributes.compression = compression as Compression;
  }
  const level = pairs.get('compression-level');
  if (level !== undefined) {
    if (!/^\d{1,2}$/.test(level))
      throw bad(text, 'compression-level is not a number', 'Write 0 to 9 for gzip, 1 to 22 for zstd.');
    attributes.compressionLevel = Number(level);
  }
  if (pairs.has('force-compression')) attributes.forceCompression = flag(text, pairs, 'force-compression');
  if (pairs.has('oci-mediatypes')) attributes.ociMediatypes = flag(text, pairs, 'oci-mediatypes');
  if (pairs.has('rewrite-timestamp')) attributes.rewriteTimestamp = flag(text, pairs, 'rewrite-timestamp');
  for (const [key, value] of pairs) {
    // annotation.KEY, annotation-index.KEY, annotation-manifest[linux/amd64].KEY: as the prefixes of --annotation.
    const [, place, name] = /^annotation(?:-([a-z-]+(?:\[[^\]]*\])?))?\.(.+)$/.exec(key) ?? [];
    if (name !== undefined)
      attributes.annotations = {
        ...attributes.annotations,
        [place === undefined ? name : `${place}:${name}`]: value ?? '',
      };
  }
  return attributes;
}

function checkKeys(text: string, pairs: Map<string, string | undefined>, known: readonly string[]): void {
  for (const key of pairs.keys()) {
    if (known.includes(key) || passedOver.includes(key) || key.startsWith('annotation')) continue;
    const near = nearest(key, known);
    throw bad(
      text,
      `unknown attribute ${JSON.stringify(key)}${near === undefined ? '' : ` (did you mean ${near}?)`}`,
      `This type takes ${known.join(', ')}.`,
    );
  }
}

function flag(text: string, pairs: Map<string, string | undefined>, key: string): boolean {
  const value = pairs.get(key) ?? 'true';
  if (/^(true|1)$/i.test(value)) return true;
  if (/^(false|0)$/i.test(value)) return false;
  throw bad(text, `${key} is true or false`, `Write ${key}=true.`);
}

function toStdout(text: string, stdout: StdoutInfo): '-' {
  if (stdout.isTTY) {
    throw new TsbuildError(
      'TSB_USAGE_OUTPUT_TO_TERMINAL',
      `refusing to write the archive of --output ${text} to a terminal`,
      {
        hint: 'Redirect standard output to a file, or name one with dest=FILE.',
      },
    );
  }
  return '-';
}

function bad(text: string, why: string, hint: string): TsbuildError {
  return new TsbuildError(
    'TSB_USAGE_BAD_OUTPUT',
    `invalid value ${JSON.stringify(text)} for --output: ${why}`,
    { hint },
  );
}
