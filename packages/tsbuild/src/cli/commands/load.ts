/** `tsbuild load`. */
import { TsbuildError } from '@tsbuild/core';
import { load } from '../../api/operations.js';
import { storeOptions } from '../build-options.js';
import type { Io } from '../io.js';
import type { Args } from '../parse.js';
import { archiveSource } from '../stdin.js';
import { familiarName } from '../values.js';
import { withProgress } from '../with-progress.js';

export async function run(args: Args, io: Io): Promise<number> {
  const flag = args.string('input');
  const [positional] = args.positionals;
  if (flag !== undefined && positional !== undefined) {
    throw new TsbuildError(
      'TSB_USAGE_EXTRA_ARGUMENT',
      'the archive is named twice, by --input and as an argument',
      {
        hint: 'Give it once: tsbuild load app.tar',
      },
    );
  }
  const source = archiveSource(flag ?? positional ?? '-', io);
  return await withProgress(args, io, async (onEvent, quiet) => {
    const loaded = await load({ source, ...storeOptions(args), signal: io.signal, onEvent });
    const names = loaded.names.map(familiarName);
    return {
      summary: names.length === 0 ? [`loaded ${loaded.digest}`] : names.map((name) => `loaded ${name}`),
      ...(quiet
        ? {
            stdout: [...names, ...(names.length === 0 ? [loaded.digest] : [])]
              .map((line) => `${line}\n`)
              .join(''),
          }
        : {}),
    };
  });
}
