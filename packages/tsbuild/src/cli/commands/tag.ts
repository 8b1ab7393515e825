/** `tsbuild tag`. */
import { tag } from '../../api/operations.js';
import { storeOptions } from '../build-options.js';
import type { Io } from '../io.js';
import { noticesTo } from '../notices.js';
import type { Args } from '../parse.js';

export async function run(args: Args, io: Io): Promise<number> {
  const [source = '', name = ''] = args.positionals;
  await tag({ source, name, ...storeOptions(args), signal: io.signal, onEvent: noticesTo(io) });
  return 0;
}
