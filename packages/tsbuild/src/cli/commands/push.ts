/** `tsbuild push`. */
import { push } from '../../api/operations.js';
import { registryOptions, storeOptions } from '../build-options.js';
import type { Io } from '../io.js';
import type { Args } from '../parse.js';
import { familiarName } from '../values.js';
import { withProgress } from '../with-progress.js';

export async function run(args: Args, io: Io): Promise<number> {
  const [reference = '', destination] = args.positionals;
  return await withProgress(args, io, async (onEvent, quiet) => {
    const pushed = await push({
      reference,
      ...(destination === undefined ? {} : { destination }),
      ...storeOptions(args),
      ...registryOptions(args),
      signal: io.signal,
      onEvent,
    });
    return {
      summary: [`pushed ${familiarName(pushed.name)} ${pushed.digest}`],
      ...(quiet ? { stdout: `${pushed.digest}\n` } : {}),
    };
  });
}
