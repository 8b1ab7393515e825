/**
 * Digests of a context's files by what stat says of them, so that an unchanged file is read once only. Follows
 * git's racy-clean rule (https://git-scm.com/docs/racy-git): a file that changed so shortly before it was read that
 * a later change could carry the same times is not remembered.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Stat } from '@tsbuild/native';
import createXxhash from 'xxhash-wasm';
import type { RawPath } from '../rootfs/raw-path.js';
import type { HashFiles } from './digest.js';

/** Coarsest tick of the kernel's clock for file times (CONFIG_HZ=100), doubled. Nanoseconds. */
const kernelGrain = 20_000_000n;
/** For file systems that keep whole or even seconds only. Nanoseconds. */
const secondsGrain = 2_000_000_000n;
const magic = Buffer.from('tsbuild-stat-1\n');

interface Known {
  fingerprint: bigint;
  /** 32 bytes. */
  digest: Buffer;
}

export class StatCache {
  readonly #file: string;
  readonly #known: Map<RawPath, Known>;
  readonly #fingerprint: (stat: Stat) => bigint;
  readonly #seen = new Set<RawPath>();
  #changed = false;

  private constructor(
    file: string,
    known: Map<RawPath, Known>,
    fingerprint: (stat: Stat) => bigint,
    private readonly warn: (message: string) => void,
  ) {
    this.#file = file;
    this.#known = known;
    this.#fingerprint = fingerprint;
  }

  /**
   * @param folder of the caches, made where missing
   * @param contextRoot absolute path of the context; its name in the folder
   * @param warn told about a damaged cache, and one that cannot be kept: files are read again then
   */
  static async open(
    folder: string,
    contextRoot: string,
    warn: (message: string) => void,
  ): Promise<StatCache> {
    const { h64Raw } = await createXxhash();
    const buffer = Buffer.alloc(48);
    const fingerprint = (stat: Stat): bigint => {
      buffer.writeBigInt64LE(stat.mtimeNs, 0);
      buffer.writeBigInt64LE(stat.ctimeNs, 8);
      buffer.writeBigUInt64LE(BigInt.asUintN(64, stat.ino), 16);
      buffer.writeBigUInt64LE(BigInt(stat.size), 24);
      buffer.writeUInt32LE(stat.devMajor, 32);
      buffer.writeUInt32LE(stat.devMinor, 36);
      return h64Raw(buffer);
    };
    const file = join(folder, createHash('sha256').update(contextRoot).digest('hex'));
    return new StatCache(file, await load(file, warn), fingerprint, warn);
  }

  /** Wraps a hasher: only files that are not known are given to it. */
  around(hashFiles: HashFiles): HashFiles {
    return async (files) => {
      const results: (Buffer | undefined)[] = files.map(({ path, stat }) => {
        this.#seen.add(path);
        const known = this.#known.get(path);
        return known !== undefined && known.fingerprint === this.#fingerprint(stat)
          ? known.digest
          : undefined;
      });
      const misses = files.filter((_, index) => results[index] === undefined);
      if (misses.length === 0) return results as Buffer[];
      const startedNs = BigInt(Date.now()) * 1_000_000n;
      const digests = (await hashFiles(misses)).values();
      return results.map((result, index) => {
        if (result !== undefined) return result;
        const digest = digests.next().value as Buffer;
        const { path, stat } = files[index] as (typeof files)[number];
        this.#remember(path, stat, digest, startedNs);
        return digest;
      });
    };
  }

  #remember(path: RawPath, stat: Stat, digest: Buffer, readAtNs: bigint): void {
    const wholeSeconds = stat.mtimeNs % 1_000_000_000n === 0n && stat.ctimeNs % 1_000_000_000n === 0n;
    const grain = wholeSeconds ? secondsGrain : kernelGrain;
    const newest = stat.mtimeNs > stat.ctimeNs ? stat.mtimeNs : stat.ctimeNs;
    if (newest + grain >= readAtNs) this.#known.delete(path);
    else this.#known.set(path, { fingerprint: this.#fingerprint(stat), digest: Buffer.from(digest) });
    this.#changed = true;
  }

  /** Publishes what was learnt. Two processes may do so: one of them wins, which loses nothing but time. */
  async save(): Promise<void> {
    if (!this.#changed) return;
    this.#changed = false;
    const chunks: Buffer[] = [magic];
    // Files come and go; when most of the file would be about what no build asks for, that part is dropped.
    const seenOnly = this.#known.size > 10_000 && this.#known.size > 2 * this.#seen.size;
    for (const [path, { fingerprint, digest }] of this.#known) {
      if (seenOnly && !this.#seen.has(path)) continue;
      const head = Buffer.alloc(12);
      head.writeUInt32LE(path.length, 0);
      head.writeBigUInt64LE(fingerprint, 4);
      chunks.push(head, digest, Buffer.from(path, 'latin1'));
    }
    const body = Buffer.concat(chunks);
    const temporary = `${this.#file}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`;
    try {
      await mkdir(dirname(this.#file), { recursive: true });
      try {
        await writeFile(temporary, [body, createHash('sha256').update(body).digest()], { flag: 'wx' });
        await rename(temporary, this.#file);
      } finally {
        await rm(temporary, { force: true });
      }
    } catch (error) {
      this.warn(`cache: the digests of files could not be kept: ${(error as Error).message}`);
    }
  }
}

/** A missing, torn or foreign file is an empty cache. */
async function load(file: string, warn: (message: string) => void): Promise<Map<RawPath, Known>> {
  const known = new Map<RawPath, Known>();
  let content: Buffer;
  try {
    content = await readFile(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') warn(`cache: ${message}; the files of the context are read again`);
    return known;
  }
  if (!isWholeStatCache(content)) {
    warn(`cache: ${file} is damaged; the files of the context are read again`);
    return known;
  }
  // Only the order of pruning suffers where this fails.
  await utimes(file, new Date(), new Date()).catch(() => {});
  const body = content.subarray(0, content.length - 32);
  for (let at = magic.length; at < body.length; ) {
    const length = body.readUInt32LE(at);
    const end = at + 44 + length;
    known.set(body.toString('latin1', at + 44, end) as RawPath, {
      fingerprint: body.readBigUInt64LE(at + 4),
      digest: body.subarray(at + 12, at + 44),
    });
    at = end;
  }
  return known;
}

export function isWholeStatCache(content: Buffer): boolean {
  const body = content.subarray(0, Math.max(0, content.length - 32));
  const sum = content.subarray(body.length);
  return (
    body.subarray(0, magic.length).equals(magic) && createHash('sha256').update(body).digest().equals(sum)
  );
}
