/**
 * BuildKit's cache config (its cache/remotecache/v1): records named by a digest of what a step does, linked to the
 * records of the step's inputs, with the layers of the results. It comes from outside, so everything in it is checked.
 */
import { type Digest, isDigest, TsbuildError } from '@tsbuild/core';

export interface BuildkitConfig {
  layers: BuildkitLayer[];
  records: BuildkitRecord[];
}

/** A blob on top of another; the chain to the bottom is a root file system. */
export interface BuildkitLayer {
  blob: Digest;
  /** Index of the layer below, anywhere in the list; unset at the bottom. */
  parent?: number;
}

export interface BuildkitRecord {
  digest: Digest;
  /** For each input what may stand for it. */
  inputs: BuildkitLink[][];
  results: BuildkitResult[];
}

export interface BuildkitLink {
  /** Index of the record. */
  record: number;
  /** A digest, or '' for none. */
  selector: string;
}

/** Layers by index: the top of a chain, or all of them, bottom first. */
export type BuildkitResult = { createdAt: string } & ({ top: number } | { list: number[] });

/** @throws TsbuildError TSB_CACHE_DOCUMENT */
export function decodeBuildkitConfig(bytes: Uint8Array): BuildkitConfig {
  const value = parse(bytes);
  if (!isObject(value)) throw bad('it is no object');
  const layers = list(value['layers'], 'layers').map((layer, at, all) => decodeLayer(layer, at, all.length));
  refuseLoops(layers);
  return { layers, records: decodeRecords(value['records'], layers.length) };
}

/**
 * Records in the config of an image, whose layers are the image's.
 * @throws TsbuildError TSB_CACHE_DOCUMENT
 */
export function decodeInlineRecords(bytes: Uint8Array, blobs: readonly Digest[]): BuildkitConfig {
  const layers = blobs.map((blob, at) => (at === 0 ? { blob } : { blob, parent: at - 1 }));
  return { layers, records: decodeRecords(parse(bytes), layers.length) };
}

/** The layers of a result, bottom first. */
export function layersOf({ layers }: BuildkitConfig, result: BuildkitResult): BuildkitLayer[] {
  if ('list' in result) return result.list.map((at) => layers[at] as BuildkitLayer);
  const chain: BuildkitLayer[] = [];
  for (let at: number | undefined = result.top; at !== undefined; at = layers[at]?.parent) {
    chain.push(layers[at] as BuildkitLayer);
  }
  return chain.reverse();
}

/** As BuildKit writes it, in an order that only depends on the content, so that the same cache has the same digest. */
export function encodeBuildkitConfig(config: BuildkitConfig): Buffer {
  const { layers, records } = sorted(config);
  return Buffer.from(
    JSON.stringify({
      ...(layers.length === 0
        ? {}
        : {
            layers: layers.map(({ blob, parent = -1 }) => ({ blob, ...(parent === 0 ? {} : { parent }) })),
          }),
      ...(records.length === 0 ? {} : { records: records.map(recordJson) }),
    }),
  );
}

/** For the config of an image. */
export function encodeInlineRecords(config: BuildkitConfig): Buffer {
  return Buffer.from(JSON.stringify(config.records.map(recordJson)));
}

function recordJson({ digest, inputs, results }: BuildkitRecord) {
  const tops = results.flatMap((result) =>
    'top' in result ? [{ layer: result.top, createdAt: result.createdAt }] : [],
  );
  const chains = results.flatMap((result) =>
    'list' in result ? [{ layers: result.list, createdAt: result.createdAt }] : [],
  );
  return {
    ...(tops.length === 0 ? {} : { layers: tops }),
    ...(chains.length === 0 ? {} : { chains }),
    digest,
    ...(inputs.length === 0
      ? {}
      : {
          inputs: inputs.map((links) =>
            links.map(({ record, selector }) => ({ ...(selector === '' ? {} : { selector }), link: record })),
          ),
        }),
  };
}

function sorted({ layers, records }: BuildkitConfig): BuildkitConfig {
  const chainNames = layers.map((_, top) =>
    layersOf({ layers, records: [] }, { createdAt: '', top })
      .map(({ blob }) => blob)
      .join(),
  );
  const layerAt = orderOf(layers.map(({ blob }, at) => `${blob} ${chainNames[at]}`));
  const recordAt = orderOf(recordNames(records));
  const layerResult = (result: BuildkitResult): BuildkitResult =>
    'top' in result
      ? { ...result, top: layerAt(result.top) }
      : { ...result, list: result.list.map((at) => layerAt(at)) };
  return {
    layers: placed(
      layers.map(({ blob, parent }) => (parent === undefined ? { blob } : { blob, parent: layerAt(parent) })),
      layerAt,
    ),
    records: placed(
      records.map(({ digest, inputs, results }) => ({
        digest,
        inputs: inputs.map((links) =>
          links
            .map(({ record, selector }) => ({ record: recordAt(record), selector }))
            .sort((a, b) => a.record - b.record || (a.selector < b.selector ? -1 : 1)),
        ),
        results: results.map(layerResult),
      })),
      recordAt,
    ),
  };
}

/** A text for each record that tells it from all others: its own digest, and those of what it links to. */
function recordNames(records: readonly BuildkitRecord[]): string[] {
  return records.map(({ digest, inputs }) =>
    JSON.stringify([
      digest,
      inputs.map((links) =>
        links.map(({ record, selector }) => [selector, records[record]?.digest ?? '']).sort(),
      ),
    ]),
  );
}

/** From an index to the one in the order of names. */
function orderOf(names: readonly string[]): (index: number) => number {
  const order = names
    .map((name, index) => ({ name, index }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.index - b.index));
  const places: number[] = [];
  for (const [place, { index }] of order.entries()) places[index] = place;
  return (index) => places[index] as number;
}

function placed<T>(items: readonly T[], placeOf: (index: number) => number): T[] {
  const result: T[] = [];
  for (const [index, item] of items.entries()) result[placeOf(index)] = item;
  return result;
}

function decodeLayer(layer: unknown, at: number, count: number): BuildkitLayer {
  if (!isObject(layer) || !isDigest(layer['blob'])) throw bad(`layer ${at} has no digest`);
  const { blob, parent = 0 } = layer;
  if (parent === -1) return { blob };
  if (!isIndex(parent, count)) throw bad(`layer ${at} has a wrong parent`);
  return { blob, parent };
}

/** Each layer's way down must end. */
function refuseLoops(layers: readonly BuildkitLayer[]): void {
  const ends = new Set<number>();
  for (const start of layers.keys()) {
    const way: number[] = [];
    const seen = new Set<number>();
    for (let at: number | undefined = start; at !== undefined && !ends.has(at); at = layers[at]?.parent) {
      if (seen.has(at)) throw bad(`layer ${at} lies on itself`);
      seen.add(at);
      way.push(at);
    }
    for (const at of way) ends.add(at);
  }
}

function decodeRecords(value: unknown, layerCount: number): BuildkitRecord[] {
  return list(value, 'records').map((record, at, all) => decodeRecord(record, at, all.length, layerCount));
}

function decodeRecord(record: unknown, at: number, recordCount: number, layerCount: number): BuildkitRecord {
  if (!isObject(record) || !isDigest(record['digest'])) throw bad(`record ${at} has no digest`);
  const { digest } = record;
  const inputs = list(record['inputs'], 'inputs').map((links) =>
    list(links, 'links').map((link): BuildkitLink => {
      if (!isObject(link)) throw bad(`record ${at} has a wrong link`);
      const { link: target = 0, selector = '' } = link;
      if (!isIndex(target, recordCount) || typeof selector !== 'string') {
        throw bad(`record ${at} links to nothing`);
      }
      return { record: target, selector };
    }),
  );
  const tops = list(record['layers'], 'layers').map((result): BuildkitResult => {
    const { layer = 0 } = isObject(result) ? result : { layer: undefined };
    if (!isIndex(layer, layerCount)) throw bad(`record ${at} has a wrong layer`);
    return { top: layer, createdAt: timeOf(result) };
  });
  const chains = list(record['chains'], 'chains').map((result): BuildkitResult => {
    const indexes = list(isObject(result) ? result['layers'] : undefined, 'layers');
    if (!indexes.every((each) => isIndex(each, layerCount))) throw bad(`record ${at} has a wrong layer`);
    return { list: indexes as number[], createdAt: timeOf(result) };
  });
  return { digest, inputs, results: [...tops, ...chains] };
}

/** Go's zero time where there is none that can be read. */
function timeOf(result: unknown): string {
  const time = isObject(result) ? result['createdAt'] : undefined;
  const isTime = typeof time === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(time);
  return isTime ? time : '0001-01-01T00:00:00Z';
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw bad('it is no JSON', error);
  }
}

/** Go writes an empty list as null or not at all. */
function list(value: unknown, what: string): unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw bad(`its ${what} are no list`);
  return value as unknown[];
}

function isIndex(value: unknown, end: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < end;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function bad(why: string, cause?: unknown): TsbuildError {
  return new TsbuildError('TSB_CACHE_DOCUMENT', `the cache's config cannot be used: ${why}`, {
    hint: 'Write the cache again with --cache-to.',
    ...(cause === undefined ? {} : { cause }),
  });
}
