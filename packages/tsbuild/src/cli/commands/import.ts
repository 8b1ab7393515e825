/** `tsbuild import`. */
import { importImage } from '../../api/operations.js';
import { storeOptions } from '../build-options.js';
import type { Io } from '../io.js';
import type { Args } from '../parse.js';
import { archiveSource } from '../stdin.js';
import { familiarName } from '../values.js';
import { withProgress } from '../with-progress.js';

export async function run(args: Args, io: Io): Promise<number> {
  const [file = '-', reference] = args.positionals;
  const source = archiveSource(file, io);
  const message = args.string('message');
  const platform = args.string('platform');
  return await withProgress(args, io, async (onEvent, quiet) => {
    const image = await importImage({
      source,
      ...(reference === undefined ? {} : { reference }),
      ...(args.has('change') ? { changes: [...args.list('change')] } : {}),
      ...(message ? { message } : {}),
      ...(platform ? { platform } : {}),
      ...storeOptions(args),
      signal: io.signal,
      onEvent,
    });
    const names = image.names.map(familiarName);
    return {
      summary:
        names.length === 0
          ? [`imported ${image.digest}`]
          : names.map((name) => `imported ${name} ${image.digest}`),
      ...(quiet ? { stdout: `${image.digest}\n` } : {}),
    };
  });
}
