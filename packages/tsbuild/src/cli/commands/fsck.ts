/** `tsbuild fsck`. */
import { fsck } from '../../api/operations.js';
import type { FsckResult } from '../../api/types.js';
import { storeOptions } from '../build-options.js';
import { formatBytes } from '../format.js';
import type { Io } from '../io.js';
import { noticesTo } from '../notices.js';
import type { Args } from '../parse.js';

export async function run(args: Args, io: Io): Promise<number> {
  const result = await fsck({
    ...storeOptions(args),
    ...(args.bool('repair') ? { repair: true } : {}),
    signal: io.signal,
    onEvent: noticesTo(io),
  });
  io.stdout.write(args.string('format') === 'json' ? `${JSON.stringify(result, null, 2)}\n` : render(result));
  return result.clean ? 0 : 1;
}

export function render({ checked, findings }: FsckResult): string {
  const lines = findings.flatMap(({ severity, path, message, meaning, repaired }) => [
    `${severity}: ${path}`,
    `  ${message}`,
    `  ${repaired ? 'repaired: ' : ''}${meaning}`,
  ]);
  const faults = findings.filter(({ severity }) => severity === 'fault');
  const open = faults.filter(({ repaired }) => !repaired);
  const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? '' : 's'}`;
  const { blobs, blobBytes, images, snapshots, snapshotsCompared, snapshotsRead, records, mounts } = checked;
  lines.push(
    `checked ${count(blobs, 'blob')} (${formatBytes(blobBytes)}), ${count(images, 'image')}, ${count(snapshots, 'snapshot')} (metadata of ${snapshotsCompared}, all data of ${snapshotsRead}), ${count(records, 'index file')}, ${count(mounts, 'cache mount')}`,
  );
  const leftovers = count(findings.length - faults.length, 'leftover');
  const repaired = count(findings.filter((each) => each.repaired).length, 'repair');
  if (faults.length === 0) lines.push(`no fault; ${leftovers}, ${repaired}`);
  else lines.push(`${count(faults.length, 'fault')}, ${leftovers}, ${repaired}`);
  if (open.length > 0) {
    lines.push('"tsbuild fsck --repair" removes what is broken; builds and pulls make or fetch it again.');
  }
  return lines.map((line) => `${line}\n`).join('');
}
