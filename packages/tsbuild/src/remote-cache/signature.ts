/**
 * Signed caches. What is signed is a statement that names the cache's config and its list of blobs by sha256. Blobs are
 * read by their digest, so that the signature covers all that an import uses. It does not cover names: a signed cache
 * may be copied to another place, and an old one be put back; both are still what the key's holder built.
 */
import { sign, verify } from 'node:crypto';
import { type Descriptor, type Digest, sha256, TsbuildError } from '@tsbuild/core';
import type { CacheDocument, CacheMedium } from './medium.js';
import type { Keys, SigningKey, VerifyingKey } from './signing-keys.js';

const statementName = 'dev.tsbuild.cache.statement';
const signatureName = 'dev.tsbuild.cache.signature';
const keyName = 'dev.tsbuild.cache.key';
/** Before the statement in what is signed: no signature that the key made for another purpose fits. */
const purpose = 'tsbuild-cache-signature-v1\n';

interface Statement {
  config: Digest;
  blobs: Digest;
  annotations: Digest;
  /** When it was signed, RFC 3339; told in messages, and decides nothing. */
  time: string;
}

/** The same medium, whose documents are signed on their way in and verified on their way out. */
export function signed(medium: CacheMedium, keys: Partial<Keys>): CacheMedium {
  const { sign: own, verify: trusted } = keys;
  // Results are kept under the name of the cache they came from. What came unverified, or by another key, is another's.
  const ids = trusted?.map(({ id }) => id.slice('sha256:'.length, 'sha256:'.length + 32)).sort();
  return {
    name: ids === undefined ? medium.name : `${medium.name} (key ${ids.join(' or ')})`,
    async load(signal) {
      const document = await medium.load(signal);
      if (document !== undefined && trusted !== undefined) verifyDocument(document, trusted);
      return document;
    },
    open: (blob, options) => medium.open(blob, options),
    put: (blob, open, options) => medium.put(blob, open, options),
    publish: (document, options) =>
      medium.publish(
        own === undefined ? document : signDocument(document, own, new Date().toISOString()),
        options,
      ),
  };
}

/** @param time RFC 3339 */
export function signDocument(document: CacheDocument, key: SigningKey, time: string): CacheDocument {
  const statement: Statement = {
    config: sha256(document.config),
    blobs: blobsDigest(document.blobs),
    annotations: annotationsDigest(document.annotations),
    time,
  };
  const text = JSON.stringify(statement);
  const signature = sign(algorithm(key), Buffer.from(purpose + text), key.privateKey);
  return {
    ...document,
    annotations: {
      ...document.annotations,
      [statementName]: text,
      [keyName]: key.id,
      [signatureName]: signature.toString('base64'),
    },
  };
}

/** @throws TsbuildError TSB_INTEGRITY_CACHE_SIGNATURE, which says why */
export function verifyDocument(document: CacheDocument, keys: readonly VerifyingKey[]): void {
  const { [statementName]: text, [signatureName]: signature, [keyName]: signer } = document.annotations;
  const refuse = (why: string) =>
    new TsbuildError('TSB_INTEGRITY_CACHE_SIGNATURE', why, {
      hint: 'Have the cache written with --cache-sign and a key whose public part --cache-verify names.',
    });
  if (text === undefined || signature === undefined || signer === undefined)
    throw refuse('it is not signed, and --cache-verify asks for a signature');
  const key = keys.find(({ id }) => id === signer);
  if (key === undefined) {
    const known = keys.map(({ path, id }) => `${path} (${short(id)})`).join(', ');
    throw refuse(`it is signed by key ${short(signer)}, which is none of ${known}`);
  }
  const bytes = Buffer.from(signature, 'base64');
  if (!verify(algorithm(key), Buffer.from(purpose + text), key.publicKey, bytes))
    throw refuse(`its signature by ${key.path} does not hold`);
  const statement = JSON.parse(text) as Statement;
  if (statement.config !== sha256(document.config))
    throw refuse(`its config was changed after it was signed at ${statement.time}`);
  if (statement.blobs !== blobsDigest(document.blobs))
    throw refuse(`its list of blobs was changed after it was signed at ${statement.time}`);
  if (statement.annotations !== annotationsDigest(document.annotations))
    throw refuse(`its annotations were changed after it was signed at ${statement.time}`);
}

/** Ed25519 hashes by itself. */
function algorithm({ publicKey }: VerifyingKey): 'sha256' | null {
  return publicKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
}

/** The same for the same set, in whatever order a medium gives it back. */
function blobsDigest(blobs: readonly Descriptor[]): Digest {
  const lines = blobs.map(({ digest, mediaType, size, annotations = {} }) =>
    JSON.stringify([digest, mediaType, size, sorted(annotations)]),
  );
  return sha256(lines.sort().join('\n'));
}

/** A medium may add annotations of its own, which nobody here reads. */
function annotationsDigest(annotations: CacheDocument['annotations']): Digest {
  const own = sorted(annotations).filter(
    ([name]) => name.startsWith('dev.tsbuild.') && ![statementName, signatureName, keyName].includes(name),
  );
  return sha256(JSON.stringify(own));
}

function sorted(annotations: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(annotations).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** For messages: what a stranger wrote there is not printed as it is. */
function short(id: string): string {
  return id.replace(/[^\w:]/g, '?').slice(0, 'sha256:'.length + 12);
}
