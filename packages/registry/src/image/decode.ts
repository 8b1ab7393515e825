/**
 * Documents of the image spec from untrusted bytes: checks the members that are used, keeps the others (the raw bytes,
 * not a re-encoding, are what digests name).
 */
import {
  isDigest,
  mediaTypes,
  TsbuildError,
  type Descriptor,
  type ImageConfig,
  type ImageIndex,
  type ImageManifest,
} from '@tsbuild/core';

type Json = Record<string, unknown>;

function fault(what: string, problem: string, cause?: unknown): TsbuildError {
  return new TsbuildError('TSB_INTEGRITY_BAD_DOCUMENT', `${what}: ${problem}`, {
    hint: 'The document is not what the OCI image spec asks for; the tool that wrote it is at fault.',
    cause,
  });
}

function parseObject(bytes: Uint8Array, what: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw fault(what, `not JSON (${(error as Error).message})`, error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw fault(what, 'not a JSON object');
  return value as Json;
}

function checkDescriptor(value: unknown, what: string): Descriptor {
  if (typeof value !== 'object' || value === null) throw fault(what, 'not a descriptor');
  const { mediaType, digest, size, platform } = value as Json;
  if (typeof mediaType !== 'string') throw fault(what, 'descriptor without a mediaType');
  if (!isDigest(digest)) throw fault(what, `${JSON.stringify(digest)} is not a sha256 digest`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw fault(what, `size ${JSON.stringify(size)}`);
  if (platform !== undefined && platform !== null) {
    const { os, architecture } = platform as Json;
    if (typeof os !== 'string' || typeof architecture !== 'string')
      throw fault(what, 'platform without os or architecture');
  }
  return value as Descriptor;
}

function checkDescriptors(value: unknown, what: string): Descriptor[] {
  if (value === null) return [];
  if (!Array.isArray(value)) throw fault(what, 'not a list');
  return value.map((entry, index) => checkDescriptor(entry, `${what}[${index}]`));
}

/** @throws TsbuildError TSB_INTEGRITY_BAD_DOCUMENT */
export function decodeManifest(bytes: Uint8Array, what: string): ImageManifest {
  const value = parseObject(bytes, what);
  if (value['schemaVersion'] === 1) {
    throw new TsbuildError(
      'TSB_RESOLVE_SCHEMA1',
      `${what}: image manifests of docker schema 1 are no longer supported`,
      {
        hint: 'Push the image again with a current docker, or convert it with skopeo copy --format v2s2.',
      },
    );
  }
  if ('manifests' in value) throw fault(what, 'an index where a manifest was expected');
  checkDescriptor(value['config'], `${what}: config`);
  checkDescriptors(value['layers'], `${what}: layers`);
  return value as unknown as ImageManifest;
}

/** @throws TsbuildError TSB_INTEGRITY_BAD_DOCUMENT */
export function decodeIndex(bytes: Uint8Array, what: string): ImageIndex {
  const value = parseObject(bytes, what);
  if ('layers' in value) throw fault(what, 'a manifest where an index was expected');
  const manifests = checkDescriptors(value['manifests'], `${what}: manifests`);
  return { ...(value as unknown as ImageIndex), manifests };
}

/** @throws TsbuildError TSB_INTEGRITY_BAD_DOCUMENT */
export function decodeConfig(bytes: Uint8Array, what: string): ImageConfig {
  const value = parseObject(bytes, what);
  const rootfs = value['rootfs'] as Json | undefined;
  const diffIds = rootfs?.['diff_ids'] ?? [];
  if (!Array.isArray(diffIds) || !diffIds.every(isDigest))
    throw fault(what, 'rootfs.diff_ids is not a list of digests');
  if (value['config'] !== undefined && value['config'] !== null && typeof value['config'] !== 'object') {
    throw fault(what, 'config is not an object');
  }
  return {
    ...(value as unknown as ImageConfig),
    os: typeof value['os'] === 'string' ? value['os'] : 'linux',
    architecture: typeof value['architecture'] === 'string' ? value['architecture'] : 'amd64',
    rootfs: { type: 'layers', diff_ids: diffIds },
  };
}

const indexTypes: ReadonlySet<string> = new Set([mediaTypes.ociIndex, mediaTypes.dockerIndex]);
const manifestTypes: ReadonlySet<string> = new Set([mediaTypes.ociManifest, mediaTypes.dockerManifest]);

export function isIndexType(mediaType: string): boolean {
  return indexTypes.has(mediaType);
}

export function isManifestType(mediaType: string): boolean {
  return manifestTypes.has(mediaType);
}
