/** `tsbuild save`. */
import { TsbuildError } from '@tsbuild/core';
import { save } from '../../api/operations.js';
import { storeOptions } from '../build-options.js';
import type { Io } from '../io.js';
import type { Args } from '../parse.js';
import { withProgress } from '../with-progress.js';

export async function run(args: Args, io: Io): Promise<number> {
  const dest = args.string('output') || '-';
  if (dest === '-' && io.stdout.isTTY) {
    throw new TsbuildError('TSB_USAGE_OUTPUT_TO_TERMINAL', 'refusing to write an archive to a terminal', {
      hint: 'Name a file with -o FILE, or redirect standard output.',
    });
  }
  const format = args.string('format');
  return await withProgress(args, io, async (onEvent) => {
    await save({
      references: [...args.positionals],
      dest,
      format: format === 'oci' ? 'oci' : 'docker',
      ...storeOptions(args),
      signal: io.signal,
      onEvent,
    });
    return { summary: dest === '-' ? [] : [`wrote ${dest}`] };
  });
}
