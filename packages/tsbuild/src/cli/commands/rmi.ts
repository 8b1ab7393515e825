/** `tsbuild rmi`: every image is tried, the first failure is told. */
import { TsbuildError } from '@tsbuild/core';
import { remove } from '../../api/operations.js';
import { storeOptions } from '../build-options.js';
import type { Io } from '../io.js';
import { noticesTo } from '../notices.js';
import type { Args } from '../parse.js';
import { familiarName } from '../values.js';

export async function run(args: Args, io: Io): Promise<number> {
  let failed: { error: unknown } | undefined;
  for (const reference of args.positionals) {
    try {
      const removed = await remove({
        references: [reference],
        ...storeOptions(args),
        signal: io.signal,
        onEvent: noticesTo(io),
      });
      for (const image of removed) io.stdout.write(`removed ${familiarName(image.name)} ${image.digest}\n`);
    } catch (error) {
      if (args.bool('force') && TsbuildError.is(error) && error.code.startsWith('TSB_RESOLVE_')) continue;
      if (io.signal.aborted) throw error;
      failed ??= { error };
    }
  }
  if (failed !== undefined) throw failed.error;
  return 0;
}
