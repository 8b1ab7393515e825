/** ADD of a URL: one file, asked for again each build but fetched only when it changed (RFC 9110, section 13). */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { closeSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, hexOf, isDigest, sha256, TsbuildError } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { HttpOp, Ref, SnapshotId } from '@tsbuild/solver';
import type { ExecutorOptions, HttpResponse } from '../api.js';
import { FieldHash } from '../content/encode.js';
import type { Lease } from '../lease/lease.js';
import { withLock } from '../lease/lock.js';
import type { Snapshotter } from '../snapshot/index.js';
import { randomSnapshotId } from '../snapshot/index.js';
import { changeOwner } from '../rootfs/owner.js';

export interface HttpSource {
  root: string;
  lease: Lease;
  snapshotter: Snapshotter;
  fetchUrl: ExecutorOptions['fetchUrl'];
}

/** What the store knows of a URL. */
interface Known {
  etag?: string;
  lastModified?: string;
  digest: Digest;
  snapshot: SnapshotId;
}

const defaultMode = 0o600;

/** @throws TsbuildError TSB_RESOLVE_HTTP_STATUS, TSB_INTEGRITY_CHECKSUM */
export async function fetchHttp(
  op: HttpOp,
  source: HttpSource,
  signal: AbortSignal,
): Promise<{ key: Digest; ref: Ref }> {
  const folder = join(source.root, 'cache', 'http');
  await mkdir(folder, { recursive: true });
  // A snapshot holds the file with all its attributes, so they choose the record as well.
  const name = hexOf(
    new FieldHash()
      .text(op.url)
      .text(op.filename)
      .number(modeOf(op))
      .number(op.uid ?? 0)
      .number(op.gid ?? 0)
      .digest(),
  );
  return withLock(join(source.root, 'locks', `http-${name}`), 'exclusive', signal, async () => {
    const file = join(folder, name);
    const known = await usable(await readKnown(file), source);
    const found =
      known !== undefined && known.digest === op.checksum
        ? known
        : await revalidate(op, known, source, signal);
    // What cannot be kept is only asked for again.
    if (found !== known) await writeKnown(file, found).catch(() => undefined);
    return { key: keyOf(op, found), ref: { layers: [{ snapshot: found.snapshot }] } };
  });
}

function modeOf(op: HttpOp): number {
  return op.mode ?? defaultMode;
}

function keyOf(op: HttpOp, known: Known): Digest {
  return new FieldHash()
    .text('http')
    .text(op.filename)
    .number(modeOf(op))
    .number(op.uid ?? 0)
    .number(op.gid ?? 0)
    .text(known.digest)
    .number(mtimeOf(known))
    .digest();
}

/** Seconds since the epoch: Last-Modified, or the epoch where a server gives none. */
function mtimeOf({ lastModified }: { lastModified?: string }): number {
  const time = Date.parse(lastModified ?? '');
  return Number.isNaN(time) ? 0 : Math.floor(time / 1000);
}

async function revalidate(
  op: HttpOp,
  known: Known | undefined,
  source: HttpSource,
  signal: AbortSignal,
): Promise<Known> {
  const conditions: Record<string, string> = {};
  if (known?.etag !== undefined) conditions['if-none-match'] = known.etag;
  else if (known?.lastModified !== undefined) conditions['if-modified-since'] = known.lastModified;
  const response = await source.fetchUrl(op.url, conditions, signal);
  if (response.status === 304 && known !== undefined) {
    await drain(response);
    checkDigest(op, known.digest);
    return known;
  }
  if (response.status < 200 || response.status >= 300) {
    await drain(response);
    throw new TsbuildError('TSB_RESOLVE_HTTP_STATUS', `invalid response status ${response.status}`, {
      hint: `${withoutUser(op.url)} answered so; check the address, or whether it needs a login.`,
      retryable: response.status >= 500 || response.status === 429,
    });
  }
  return download(op, response, source, signal);
}

async function drain(response: HttpResponse): Promise<void> {
  await response.body[Symbol.asyncIterator]().return?.();
}

async function download(
  op: HttpOp,
  response: HttpResponse,
  source: HttpSource,
  signal: AbortSignal,
): Promise<Known> {
  const headers = new Map(
    Object.entries(response.headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const etag = headers.get('etag');
  const lastModified = headers.get('last-modified');
  const snapshot = randomSnapshotId();
  await source.lease.use([snapshot], () => undefined);
  const draft = await source.snapshotter.draft();
  let done = false;
  try {
    const facts = {
      ...(etag !== undefined && { etag }),
      ...(lastModified !== undefined && { lastModified }),
    };
    const digest = await writeFileInto(draft.fd, op, response, mtimeOf(facts), signal);
    checkDigest(op, digest);
    done = true;
    await draft.commit(snapshot);
    return { ...facts, digest, snapshot };
  } finally {
    if (!done) await draft.discard();
  }
}

async function writeFileInto(
  directory: native.Fd,
  op: HttpOp,
  response: HttpResponse,
  mtime: number,
  signal: AbortSignal,
): Promise<Digest> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, RESOLVE_BENEATH } = native.constants;
  const name = fileNameOf(op);
  const fd = native.openat2(
    directory,
    name,
    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
    0o600,
    RESOLVE_BENEATH,
  );
  const hash = createHash('sha256');
  try {
    for await (const chunk of response.body) {
      signal.throwIfAborted();
      hash.update(chunk);
      for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at);
    }
    changeOwner(fd, '', op.uid ?? 0, op.gid ?? 0);
    native.chmodat(fd, '', modeOf(op));
    const time = BigInt(mtime) * 1_000_000_000n;
    native.utimesat(fd, '', time, time);
  } finally {
    closeSync(fd);
  }
  return `sha256:${hash.digest('hex')}` as Digest;
}

/** Last path segment of the URL, as the reference says; `__unnamed__` where there is none. */
export function fileNameOf(op: { url: string; filename: string }): string {
  const wanted = op.filename !== '' ? op.filename : (new URL(op.url).pathname.split('/').at(-1) ?? '');
  return wanted === '' || wanted === '.' || wanted === '..' || wanted.includes('/') ? '__unnamed__' : wanted;
}

function checkDigest(op: HttpOp, got: Digest): void {
  if (op.checksum === undefined || op.checksum === got) return;
  throw new TsbuildError('TSB_INTEGRITY_CHECKSUM', `digest mismatch ${got}: ${op.checksum}`, {
    hint: `${withoutUser(op.url)} holds other content than --checksum says; trust it only if you know why.`,
  });
}

/** A URL without its user name and password. */
function withoutUser(url: string): string {
  const parsed = new URL(url);
  parsed.username = '';
  parsed.password = '';
  return parsed.href;
}

/** The record if its snapshot is still there. */
async function usable(known: Known | undefined, source: HttpSource): Promise<Known | undefined> {
  if (known === undefined) return undefined;
  const there = await source.lease.use([known.snapshot], () => source.snapshotter.exists(known.snapshot));
  return there ? known : undefined;
}

/** A damaged record is none. */
async function readKnown(file: string): Promise<Known | undefined> {
  try {
    const { sum, known } = JSON.parse(await readFile(file, 'utf8')) as { sum: string; known: Known };
    return sum === sha256(JSON.stringify(known)) && isDigest(known.digest) ? known : undefined;
  } catch {
    return undefined;
  }
}

async function writeKnown(file: string, known: Known): Promise<void> {
  const temporary = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`;
  try {
    await writeFile(temporary, JSON.stringify({ sum: sha256(JSON.stringify(known)), known }), { flag: 'wx' });
    await rename(temporary, file);
  } finally {
    await rm(temporary, { force: true });
  }
}
