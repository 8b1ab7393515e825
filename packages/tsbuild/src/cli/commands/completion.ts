/** `tsbuild completion`. */
import { TsbuildError } from '@tsbuild/core';
import { type Shell, completionScript } from '../completion.js';
import type { Io } from '../io.js';
import type { Args } from '../parse.js';

const shells: readonly string[] = ['bash', 'zsh', 'fish'] satisfies Shell[];

export async function run(args: Args, io: Io): Promise<number> {
  const [shell = ''] = args.positionals;
  if (!shells.includes(shell)) {
    throw new TsbuildError(
      'TSB_USAGE_BAD_VALUE',
      `there is no completion for the shell ${JSON.stringify(shell)}`,
      {
        hint: `The shells are ${shells.join(', ')}.`,
      },
    );
  }
  io.stdout.write(completionScript(shell as Shell));
  return 0;
}
