/** One repository of the distribution API (distribution-spec v1.1): manifests and blobs, read from mirrors where there are any. */
import { isDigest, mediaTypes, sha256, TsbuildError, type Descriptor } from '@tsbuild/core';
import type { RemoteRepository, TransferOptions } from '../api.js';
import { collect, digestMismatch, verified, verifyBytes } from '../content/verify.js';
import { discard, type HttpAnswer } from '../http/client.js';
import type { RetryPolicy } from '../http/retry.js';
import { download } from './download.js';
import type { RegistrySession } from './session.js';
import { uploadBlob } from './upload.js';

/** Where to read from: the repository itself, or a mirror of it. */
export interface Source {
  session: RegistrySession;
  /** Path below /v2/. */
  repository: string;
  /** A mirror may be limited to digests or to tags (`pull-from-mirror`). */
  serves: 'all' | 'digest-only' | 'tag-only';
}

export interface RepositoryOptions {
  /** `docker.io/library/alpine`, for messages. */
  name: string;
  /** Tried in this order; at least one. */
  sources: readonly Source[];
  /** Where pushes go. */
  target: Source;
  retry: RetryPolicy;
}

/** Manifests are at most 4 MiB (distribution-spec, "Pushing Manifests"). */
const manifestLimit = 4 << 20;

const accept = [
  mediaTypes.ociIndex,
  mediaTypes.dockerIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerManifest,
  '*/*',
].join(', ');

export const pullScope = (repository: string): string => `repository:${repository}:pull`;
export const pushScope = (repository: string): string => `repository:${repository}:pull,push`;

export function createRepository(options: RepositoryOptions): RemoteRepository {
  const { name, target } = options;

  /** Tries the sources in turn. What the last one, the registry itself, says is what the user hears. */
  async function fromSources<T>(
    byDigest: boolean,
    signal: AbortSignal,
    read: (source: Source) => Promise<T>,
  ): Promise<T> {
    const fit = options.sources.filter(
      ({ serves }) => serves === 'all' || serves === (byDigest ? 'digest-only' : 'tag-only'),
    );
    const failures: string[] = [];
    for (const [index, source] of fit.entries()) {
      try {
        return await read(source);
      } catch (error) {
        signal.throwIfAborted();
        if (index < fit.length - 1) {
          failures.push((error as Error).message);
          continue;
        }
        if (TsbuildError.is(error) && failures.length > 0)
          error.message += ` (mirrors: ${failures.join('; ')})`;
        throw error;
      }
    }
    throw new Error(`no source to read ${name} from`);
  }

  async function manifestFrom(source: Source, reference: string, transfer: TransferOptions) {
    const what = describe(name, reference);
    const answer = await source.session.request({
      method: 'GET',
      target: `/v2/${source.repository}/manifests/${reference}`,
      headers: { accept },
      scopes: [pullScope(source.repository)],
      repository: source.repository,
      ok: [200],
      action: `pull ${what}`,
      signal: transfer.signal,
    });
    const bytes = await readBody(answer, what);
    const digest = sha256(bytes);
    const promised = isDigest(reference) ? reference : answer.headers['docker-content-digest'];
    if (isDigest(promised) && promised !== digest) throw digestMismatch(what, promised, digest);
    return { descriptor: { mediaType: typeOf(bytes, answer), digest, size: bytes.length }, bytes };
  }

  return {
    async manifest(reference, transfer) {
      transfer.onTransfer?.({ item: describe(name, reference), action: 'resolving', current: 0 });
      return fromSources(isDigest(reference), transfer.signal, (source) =>
        manifestFrom(source, reference, transfer),
      );
    },
    async resolve(reference, transfer) {
      transfer.onTransfer?.({ item: describe(name, reference), action: 'resolving', current: 0 });
      return fromSources(isDigest(reference), transfer.signal, async (source) => {
        const answer = await source.session.request({
          method: 'HEAD',
          target: `/v2/${source.repository}/manifests/${reference}`,
          headers: { accept },
          scopes: [pullScope(source.repository)],
          repository: source.repository,
          ok: [200, 405],
          action: `pull ${describe(name, reference)}`,
          signal: transfer.signal,
        });
        await discard(answer);
        const digest = answer.headers['docker-content-digest'];
        const size = Number(answer.headers['content-length']);
        const mediaType = bareType(answer.headers['content-type']);
        if (answer.status === 200 && isDigest(digest) && mediaType !== '' && Number.isSafeInteger(size)) {
          return { mediaType, digest, size };
        }
        return (await manifestFrom(source, reference, transfer)).descriptor;
      });
    },
    async blob(descriptor, transfer) {
      const what = `blob ${descriptor.digest} of ${name}`;
      const bytes = download({
        descriptor,
        what,
        retry: options.retry,
        transfer,
        open: (offset) =>
          fromSources(true, transfer.signal, (source) =>
            source.session.request({
              method: 'GET',
              target: `/v2/${source.repository}/blobs/${descriptor.digest}`,
              headers: {
                'accept-encoding': 'identity',
                ...(offset > 0 ? { range: `bytes=${offset}-` } : {}),
              },
              scopes: [pullScope(source.repository)],
              repository: source.repository,
              ok: offset > 0 ? [200, 206] : [200],
              action: `pull ${what}`,
              signal: transfer.signal,
            }),
          ),
      });
      return transfer.unverified === true ? bytes : verified(bytes, descriptor, what);
    },
    async hasBlob(digest, transfer) {
      const answer = await target.session.request({
        method: 'HEAD',
        target: `/v2/${target.repository}/blobs/${digest}`,
        scopes: [pullScope(target.repository)],
        repository: target.repository,
        ok: [200, 404],
        action: `look for blob ${digest} in ${name}`,
        signal: transfer.signal,
      });
      await discard(answer);
      return answer.status === 200;
    },
    async pushBlob(descriptor, open, transfer) {
      return uploadBlob({ name, target, descriptor, open, transfer, retry: options.retry });
    },
    async pushManifest(reference, mediaType, bytes, transfer) {
      const what = describe(name, reference);
      const answer = await target.session.request({
        method: 'PUT',
        target: `/v2/${target.repository}/manifests/${reference}`,
        headers: { 'content-type': mediaType, 'content-length': String(bytes.length) },
        body: () => bytes,
        scopes: [pushScope(target.repository)],
        repository: target.repository,
        ok: [200, 201, 202],
        action: `push ${what}`,
        signal: transfer.signal,
      });
      await discard(answer);
      const digest = sha256(bytes);
      const told = answer.headers['docker-content-digest'];
      if (isDigest(told) && told !== digest) throw digestMismatch(`push of ${what}`, digest, told);
      return { mediaType, digest, size: bytes.length };
    },
  };
}

function describe(name: string, reference: string): string {
  return isDigest(reference) ? `${name}@${reference}` : `${name}:${reference}`;
}

async function readBody(answer: HttpAnswer, what: string): Promise<Buffer> {
  try {
    return await collect(answer.body, manifestLimit, `manifest ${what}`);
  } finally {
    answer.body.on('error', () => undefined).destroy();
  }
}

function bareType(header: string | undefined): string {
  return (header ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** The document's own word first (it is what the digest covers), then the header. */
function typeOf(bytes: Buffer, answer: HttpAnswer): string {
  let document: { mediaType?: unknown; manifests?: unknown } = {};
  try {
    document = (JSON.parse(bytes.toString('utf8')) ?? {}) as typeof document;
  } catch {
    // decodeManifest will say what is wrong with it.
  }
  if (typeof document.mediaType === 'string') return document.mediaType;
  const told = bareType(answer.headers['content-type']);
  if (told.startsWith('application/vnd.')) return told;
  return Array.isArray(document.manifests) ? mediaTypes.ociIndex : mediaTypes.ociManifest;
}

/** Small blobs (configs) as bytes. */
export async function readRemoteBlob(
  repository: RemoteRepository,
  descriptor: Descriptor,
  limit: number,
  transfer: TransferOptions,
): Promise<Buffer> {
  const what = `blob ${descriptor.digest}`;
  const bytes = await collect(await repository.blob(descriptor, transfer), limit, what);
  verifyBytes(bytes, descriptor, what);
  return bytes;
}
