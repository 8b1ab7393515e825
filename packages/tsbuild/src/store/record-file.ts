/**
 * Small JSON documents of the cache index, each in a file of its own: a checksum line, then the JSON. Published by
 * one rename, so a reader sees a whole document or none; what was damaged on the disk fails its checksum and counts
 * as missing.
 */
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname } from 'node:path';

const digits = 64;

/**
 * @param damaged is told about a file that is there but unusable (it is removed)
 * @returns undefined where there is no usable document
 */
export function readRecord(path: string, damaged: (message: string) => void): unknown {
  let text: string;
  try {
    text = fs.readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      damaged(`cannot read ${path}: ${(error as Error).message}`);
    return undefined;
  }
  const value = parseRecord(text);
  if (value !== undefined) return value;
  damaged(`${path} is damaged`);
  dropRecord(path);
  return undefined;
}

/** The document of a record's text; undefined for a damaged one. */
export function parseRecord(text: string): unknown {
  const body = text.slice(digits + 1);
  if (text[digits] !== '\n' || checksum(body) !== text.slice(0, digits)) return undefined;
  return JSON.parse(body);
}

export function writeRecord(path: string, value: unknown): void {
  const body = JSON.stringify(value);
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const data = `${checksum(body)}\n${body}`;
  try {
    try {
      fs.writeFileSync(temporary, data, { flag: 'wx', mode: 0o600 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      fs.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      fs.writeFileSync(temporary, data, { flag: 'wx', mode: 0o600 });
    }
    // No fsync: a record lost in a power cut is a cache miss, a torn one fails its checksum.
    fs.renameSync(temporary, path);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
}

/** Writes what is only good to have. */
export function keepRecord(path: string, value: unknown, warn: (message: string) => void): void {
  try {
    writeRecord(path, value);
  } catch (error) {
    warn(`cache: ${path} could not be written: ${(error as Error).message}`);
  }
}

/** Marks the record as used now; missing is fine. */
export function touchRecord(path: string, now: Date): void {
  try {
    fs.utimesSync(path, now, now);
  } catch {
    // Only the order of pruning suffers.
  }
}

export function dropRecord(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch {
    // Already gone, or not ours to remove: it keeps failing its checksum.
  }
}

/** Full paths of the records in a folder of record files. */
export function listRecords(folder: string): string[] {
  try {
    return fs
      .readdirSync(folder)
      .filter((name) => !name.endsWith('.tmp'))
      .sort()
      .map((name) => `${folder}/${name}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function checksum(body: string): string {
  return createHash('sha256').update(body).digest('hex');
}
