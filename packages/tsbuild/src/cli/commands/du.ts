/** `tsbuild du`. */
import { diskUsage } from '../../api/operations.js';
import type { DiskUsage } from '../../api/types.js';
import { storeOptions } from '../build-options.js';
import { formatAge, formatBytes, shortDigest, table, truncate, visibleText } from '../format.js';
import type { Io } from '../io.js';
import { noticesTo } from '../notices.js';
import type { Args } from '../parse.js';

export async function run(args: Args, io: Io): Promise<number> {
  const usage = await diskUsage({ ...storeOptions(args), signal: io.signal, onEvent: noticesTo(io) });
  io.stdout.write(
    args.string('format') === 'json'
      ? `${JSON.stringify(usage, null, 2)}\n`
      : render(usage, args.bool('verbose'), Date.now()),
  );
  return 0;
}

export function render(usage: DiskUsage, verbose: boolean, now: number): string {
  const sums = table(
    ['KIND', 'COUNT', 'SIZE'],
    [
      ['images', String(usage.images.length), ''],
      ['blobs', String(usage.blobs.count), formatBytes(usage.blobs.bytes)],
      ['snapshots', String(usage.snapshots.count), formatBytes(usage.snapshots.bytes)],
      ['cache mounts', String(usage.cacheMounts.count), formatBytes(usage.cacheMounts.bytes)],
      ['index', String(usage.index.count), formatBytes(usage.index.bytes)],
      ['temporary', String(usage.temporary.count), formatBytes(usage.temporary.bytes)],
      ['folders, locks', '', formatBytes(usage.other)],
    ],
  );
  const total = `\ntotal ${formatBytes(usage.total)}, of which "tsbuild prune" can free ${formatBytes(usage.reclaimable)}\n`;
  if (!verbose) return sums + total;
  const entries = table(
    ['TYPE', 'ID', 'LAST USED', 'SIZE', 'IN USE', 'WHAT'],
    usage.entries.map((entry) => [
      entry.type,
      /^sha256:/.test(entry.id) ? shortDigest(entry.id) : entry.id,
      formatAge(entry.usedAt, now),
      formatBytes(entry.bytes),
      entry.inUse ? 'yes' : 'no',
      truncate(visibleText(entry.description.replace(/\s+/g, ' ')), 80),
    ]),
  );
  return `${entries}\n${sums}${total}`;
}
