/** Content digests: always sha256, always in the form `sha256:<64 hex>`, as a type of their own. */
import { createHash } from 'node:crypto';
import { TsbuildError } from './errors.js';

export type Digest = `sha256:${string}` & { readonly __digest: true };

const pattern = /^sha256:[0-9a-f]{64}$/;

export function isDigest(value: unknown): value is Digest {
  return typeof value === 'string' && pattern.test(value);
}

/** @throws TsbuildError TSB_INTEGRITY_BAD_DIGEST when the text is no sha256 digest. */
export function parseDigest(value: string): Digest {
  if (!isDigest(value)) {
    throw new TsbuildError('TSB_INTEGRITY_BAD_DIGEST', `${JSON.stringify(value)} is not a sha256 digest`);
  }
  return value;
}

/** The 64 hexadecimal digits of a digest. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

export function sha256(data: Uint8Array | string): Digest {
  return `sha256:${createHash('sha256').update(data).digest('hex')}` as Digest;
}

/**
 * ChainID of layers, bottom first (image-spec config.md, "Layer ChainID").
 * @throws RangeError for no layers: the empty chain has no id.
 */
export function chainId(diffIds: readonly Digest[]): Digest {
  const [first, ...rest] = diffIds;
  if (first === undefined) throw new RangeError('chainId of no layers');
  return rest.reduce((chain, diffId) => sha256(`${chain} ${diffId}`), first);
}
