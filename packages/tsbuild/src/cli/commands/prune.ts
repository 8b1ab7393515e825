/** `tsbuild prune`. */
import { TsbuildError } from '@tsbuild/core';
import { prune } from '../../api/operations.js';
import type { PruneOptions, PruneResult } from '../../api/types.js';
import { parseFilters } from '../../store/entry-filter.js';
import { limitOptions, storeOptions } from '../build-options.js';
import { formatBytes, shortDigest, table, truncate, visibleText } from '../format.js';
import type { Io } from '../io.js';
import { noticesTo } from '../notices.js';
import type { Args } from '../parse.js';
import { ask } from '../prompt.js';

export async function run(args: Args, io: Io): Promise<number> {
  const options = pruneOptions(args);
  if (!args.bool('force') && options.dryRun !== true && !(await confirmed(io, options))) return 1;
  const result = await prune({
    ...options,
    ...storeOptions(args),
    signal: io.signal,
    onEvent: noticesTo(io),
  });
  if (args.string('format') === 'json') {
    io.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  } else {
    if (args.bool('verbose')) io.stdout.write(removedTable(result));
    const counts = `${result.records} cache records, ${result.snapshots} snapshots, ${result.blobs} blobs`;
    io.stdout.write(`${options.dryRun ? 'would free' : 'freed'} ${formatBytes(result.bytes)} (${counts})\n`);
    if (result.limit !== undefined && result.total > result.limit) {
      const size = formatBytes(result.total);
      io.stderr.write(
        `The store takes ${size}: the rest is what images and running builds need${options.filters ? ', or what the filter does not select' : ''}.\n`,
      );
    }
  }
  return 0;
}

function removedTable({ removed }: PruneResult): string {
  if (removed.length === 0) return '';
  const rows = removed.map(({ type, id, bytes, description }) => [
    type,
    /^sha256:/.test(id) ? shortDigest(id) : id,
    formatBytes(bytes),
    truncate(visibleText(description.replace(/\s+/g, ' ')), 80),
  ]);
  return `${table(['TYPE', 'ID', 'SIZE', 'WHAT'], rows)}\n`;
}

export function pruneOptions(args: Args): PruneOptions {
  const options: PruneOptions = {};
  if (args.bool('all')) options.all = true;
  if (args.bool('dry-run')) options.dryRun = true;
  if (args.has('filter')) options.filters = [...args.list('filter')];
  parseFilters(options.filters ?? []);
  Object.assign(options, limitOptions(args));
  return options;
}

async function confirmed(io: Io, options: PruneOptions): Promise<boolean> {
  if (!io.stdin.isTTY) {
    throw new TsbuildError(
      'TSB_USAGE_NO_TERMINAL',
      'prune asks before it removes anything, and standard input is no terminal',
      {
        hint: 'Say --force to remove without asking, or --dry-run to look only.',
      },
    );
  }
  const what = options.all ? 'all images and all build cache' : 'build cache and blobs that no image needs';
  const answer = await ask(io, `This removes ${what}. Continue? [y/N] `, false);
  return /^y(es)?$/i.test(answer.trim());
}
