/** `tsbuild pull`. */
import { pull } from '../../api/operations.js';
import { registryOptions, storeOptions } from '../build-options.js';
import type { Io } from '../io.js';
import type { Args } from '../parse.js';
import { withProgress } from '../with-progress.js';

export async function run(args: Args, io: Io): Promise<number> {
  const [reference = ''] = args.positionals;
  const platform = args.string('platform');
  return await withProgress(args, io, async (onEvent, quiet) => {
    const image = await pull({
      reference,
      ...(platform ? { platform } : {}),
      ...storeOptions(args),
      ...registryOptions(args),
      signal: io.signal,
      onEvent,
    });
    return {
      summary: [`pulled ${image.familiarName} ${image.digest}`],
      ...(quiet ? { stdout: `${image.digest}\n` } : {}),
    };
  });
}
