/** `tsbuild prune`. */
import { TsbuildError } from '@tsbuild/core';
import { prune } from '../../api/operations.js';
import type { PruneOptions } from '../../api/types.js';
import { storeOptions } from '../build-options.js';
import { formatBytes } from '../format.js';
import type { Io } from '../io.js';
import { noticesTo } from '../notices.js';
import type { Args } from '../parse.js';
import { ask } from '../prompt.js';
import { parseDuration, parseSize } from '../values.js';

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
    const counts = `${result.records} cache records, ${result.snapshots} snapshots, ${result.blobs} blobs`;
    io.stdout.write(`${options.dryRun ? 'would free' : 'freed'} ${formatBytes(result.bytes)} (${counts})\n`);
  }
  return 0;
}

export function pruneOptions(args: Args): PruneOptions {
  const options: PruneOptions = {};
  if (args.bool('all')) options.all = true;
  if (args.bool('dry-run')) options.dryRun = true;
  for (const filter of args.list('filter')) {
    const [name, value] = filter.split('=', 2);
    if (name !== 'until' && name !== 'unused-for') {
      throw new TsbuildError('TSB_USAGE_BAD_VALUE', `invalid value ${JSON.stringify(filter)} for --filter`, {
        hint: 'Write it as until=DURATION, for example until=24h.',
      });
    }
    options.unusedForMs = parseDuration('filter', value ?? '');
  }
  const keep = args.string('keep-storage');
  if (keep) options.keepBytes = parseSize('keep-storage', keep);
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
