/** `tsbuild inspect`: an array with an object for each image. */
import { inspect } from '../../api/operations.js';
import type { ImageDetails } from '../../api/types.js';
import { storeOptions } from '../build-options.js';
import type { Io } from '../io.js';
import { noticesTo } from '../notices.js';
import type { Args } from '../parse.js';

export async function run(args: Args, io: Io): Promise<number> {
  const platform = args.string('platform');
  const found: ImageDetails[] = [];
  for (const reference of args.positionals) {
    found.push(
      await inspect({
        reference,
        ...(platform ? { platform } : {}),
        ...storeOptions(args),
        signal: io.signal,
        onEvent: noticesTo(io),
      }),
    );
  }
  io.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
  return 0;
}
