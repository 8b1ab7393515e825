/**
 * Traces of earlier builds, for explanations: one record file each under cache/traces. Its name says what is needed to choose
 * among them without reading: which Dockerfile and context, with which settings, and a digest of all steps' keys. A build
 * that comes to the same keys again only touches its file.
 */
import { type Digest, hexOf, sha256 } from '@tsbuild/core';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { alignedShare, type BuildTrace, type TraceLine, traceVersion } from '@tsbuild/solver';
import { dropRecord, listRecords, readRecord, writeRecord } from './record-file.js';

export interface TraceName {
  /** Which Dockerfile and context. */
  project: Digest;
  /** Target, arguments, platforms. */
  settings: Digest;
  /** All steps with their keys. */
  steps: Digest;
}

/** Traces that are kept at most, and the bytes they may take. */
const mostTraces = 256;
const allTraces = 32 * 2 ** 20;

/** Traces that are read for one explanation. */
const mostRead = 8;
/** Of another project: at least so much of the Dockerfile is to be the same. */
const alike = 0.5;

const folderOf = (root: string) => join(root, 'cache/traces');

const part = (digest: Digest) => hexOf(digest).slice(0, 16);

/** Keeps the trace of a build, newest of all; a fault costs no more than the trace. */
export function keepTrace(
  root: string,
  { project, settings, steps }: TraceName,
  trace: () => BuildTrace,
): void {
  const folder = folderOf(root);
  const path = join(folder, [project, settings, steps].map(part).join('-'));
  try {
    const now = new Date();
    fs.utimesSync(path, now, now);
    return;
  } catch {
    // Not there yet.
  }
  try {
    writeRecord(path, trace());
    trim(root);
  } catch {
    // The next build can explain less.
  }
}

interface TraceFile {
  path: string;
  size: number;
  /** Milliseconds since the epoch. */
  usedAt: number;
}

/** Newest first. */
function listTraces(root: string): TraceFile[] {
  return listRecords(folderOf(root))
    .flatMap((path) => {
      const stat = fs.statSync(path, { throwIfNoEntry: false });
      return stat === undefined ? [] : [{ path, size: stat.size, usedAt: stat.mtimeMs }];
    })
    .sort((a, b) => b.usedAt - a.usedAt);
}

function trim(root: string): void {
  let bytes = 0;
  for (const [index, { path, size }] of listTraces(root).entries()) {
    bytes += size;
    if (index >= mostTraces || bytes > allTraces) dropRecord(path);
  }
}

/**
 * Traces to compare a build with, the best first: of the same project and settings, of the same project, or, where there is
 * none (a fresh checkout elsewhere), those whose Dockerfile is most like this one.
 */
export function findTraces(
  root: string,
  { project, settings }: Omit<TraceName, 'steps'>,
  lines: readonly TraceLine[],
): BuildTrace[] {
  const files = listTraces(root);
  const starts = (prefix: string) => (file: TraceFile) =>
    file.path.slice(folderOf(root).length + 1).startsWith(`${prefix}-`);
  const same = files.filter(starts(`${part(project)}-${part(settings)}`));
  const other = files.filter(starts(part(project))).filter((file) => !same.includes(file));
  const own = read([...same.slice(0, mostRead / 2), ...other.slice(0, mostRead / 2)]);
  if (own.length > 0) return own;
  return read(files.slice(0, 4 * mostRead))
    .map((trace) => ({ trace, share: alignedShare(trace.steps, lines) }))
    .filter(({ share }) => share >= alike)
    .sort((a, b) => b.share - a.share)
    .map(({ trace }) => trace)
    .slice(0, 1);
}

/** All traces that can be read, newest first, with when they were last used (milliseconds since the epoch). */
export function allBuildTraces(root: string): { trace: BuildTrace; usedAt: number }[] {
  return listTraces(root).flatMap(({ path, usedAt }) =>
    read([{ path, size: 0, usedAt }]).map((trace) => ({ trace, usedAt })),
  );
}

function read(files: readonly TraceFile[]): BuildTrace[] {
  return files.flatMap(({ path }) => {
    const value = readRecord(path, () => {}) as BuildTrace | undefined;
    return value?.version === traceVersion ? [value] : [];
  });
}

/** A name for what is not text. */
export const nameOf = (value: unknown): Digest => sha256(JSON.stringify(value));
