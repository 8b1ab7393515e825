/**
 * One blob to a repository: looked for, mounted from a neighbour, else uploaded by POST, one streamed PATCH, PUT
 * (distribution-spec, "Pushing blobs").
 */
import { TsbuildError, type Descriptor } from '@tsbuild/core';
import type { ByteStream, TransferOptions } from '../api.js';
import { sizeMismatch } from '../content/verify.js';
import { discard, type HttpAnswer } from '../http/client.js';
import { pause, type RetryPolicy } from '../http/retry.js';
import { progressOf } from './progress.js';
import { pullScope, pushScope, type Source } from './repository.js';

export interface Upload {
  name: string;
  target: Source;
  descriptor: Descriptor;
  /** Called for each try. */
  open: () => ByteStream;
  transfer: TransferOptions & { mountFrom?: string[] };
  retry: RetryPolicy;
}

/** Registries move a blob to its place before they answer the last request: that may take minutes. */
const commitTimeoutMs = 300_000;

export async function uploadBlob(upload: Upload): Promise<'exists' | 'mounted' | 'uploaded'> {
  const { descriptor, transfer } = upload;
  const report = progressOf(transfer, descriptor.digest, descriptor.size);

  if (await isThere(upload)) {
    report('exists', descriptor.size);
    return 'exists';
  }
  for (const from of transfer.mountFrom ?? []) {
    if (from === upload.target.repository || !(await mount(upload, from))) continue;
    report('exists', descriptor.size);
    return 'mounted';
  }
  for (let attempt = 1; ; attempt += 1) {
    try {
      await uploadOnce(upload, (sent) => report('uploading', sent));
      break;
    } catch (error) {
      transfer.signal.throwIfAborted();
      if (!TsbuildError.is(error) || !error.retryable) throw error;
      if (!(await pause(attempt, upload.retry, transfer.signal))) throw error;
      // The answer may have been lost after the registry had everything.
      if (await isThere(upload)) break;
    }
  }
  report('done', descriptor.size);
  return 'uploaded';
}

function common(upload: Upload) {
  const { target, descriptor, name, transfer } = upload;
  return {
    scopes: [pushScope(target.repository)],
    repository: target.repository,
    action: `push blob ${descriptor.digest} to ${name}`,
    signal: transfer.signal,
  };
}

async function isThere(upload: Upload): Promise<boolean> {
  const answer = await upload.target.session.request({
    ...common(upload),
    method: 'HEAD',
    target: `/v2/${upload.target.repository}/blobs/${upload.descriptor.digest}`,
    ok: [200, 404],
  });
  await discard(answer);
  return answer.status === 200;
}

/**
 * Any failure means: upload. Registries refuse mounts with whatever status they like, token servers the wider scope.
 * An upload that the registry opened instead is given back.
 */
async function mount(upload: Upload, from: string): Promise<boolean> {
  const { target, descriptor, transfer } = upload;
  try {
    const query = new URLSearchParams({ mount: descriptor.digest, from });
    const answer = await target.session.request({
      ...common(upload),
      method: 'POST',
      target: `/v2/${target.repository}/blobs/uploads/?${query}`,
      headers: { 'content-length': '0' },
      scopes: [pushScope(target.repository), pullScope(from)],
      ok: [201, 202],
      retry: false,
    });
    await discard(answer);
    if (answer.status === 201) return true;
    await cancel(upload, answer);
    return false;
  } catch {
    transfer.signal.throwIfAborted();
    return false;
  }
}

async function cancel(upload: Upload, started: HttpAnswer & { url: URL }): Promise<void> {
  const location = started.headers['location'];
  if (location === undefined) return;
  const answer = await upload.target.session.request({
    ...common(upload),
    method: 'DELETE',
    target: upload.target.session.resolveLocation(location, started.url),
    ok: [200, 202, 204, 404, 405],
    retry: false,
  });
  await discard(answer);
}

async function uploadOnce(upload: Upload, progress: (sent: number) => void): Promise<void> {
  const { target, descriptor, transfer } = upload;
  const started = await target.session.request({
    ...common(upload),
    method: 'POST',
    target: `/v2/${target.repository}/blobs/uploads/`,
    headers: { 'content-length': '0' },
    ok: [202],
  });
  await discard(started);
  let location = nextLocation(upload, started);
  // A fault of our own source must not be taken for one of the network.
  let sourceFault: unknown;
  async function* body(): ByteStream {
    let sent = 0;
    try {
      // Only the length: the registry holds the bytes against the digest, as the store did.
      for await (const chunk of upload.open()) {
        sent += chunk.length;
        if (sent > descriptor.size) break;
        yield chunk;
        progress(sent);
      }
      if (sent !== descriptor.size) throw sizeMismatch(`blob ${descriptor.digest}`, descriptor.size, sent);
    } catch (error) {
      sourceFault = error;
      throw error;
    }
  }
  let answer: HttpAnswer & { url: URL };
  try {
    answer = await target.session.request({
      ...common(upload),
      method: 'PATCH',
      target: location,
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(descriptor.size) },
      body,
      ok: [201, 202, 204],
      retry: false,
      headersTimeoutMs: commitTimeoutMs,
    });
  } catch (error) {
    throw sourceFault ?? error;
  }
  await discard(answer);
  location = nextLocation(upload, answer);
  location.searchParams.set('digest', descriptor.digest);
  const ended = await target.session.request({
    ...common(upload),
    method: 'PUT',
    target: location,
    headers: { 'content-length': '0' },
    ok: [201, 204],
    retry: false,
    headersTimeoutMs: commitTimeoutMs,
  });
  await discard(ended);
  transfer.signal.throwIfAborted();
}

function nextLocation(upload: Upload, answer: HttpAnswer & { url: URL }): URL {
  const location = answer.headers['location'];
  if (location !== undefined) return upload.target.session.resolveLocation(location, answer.url);
  throw new TsbuildError(
    'TSB_REGISTRY_BAD_ANSWER',
    `${answer.url.host} opened an upload but did not say where`,
    {
      hint: 'A proxy before the registry may drop its Location headers.',
    },
  );
}
