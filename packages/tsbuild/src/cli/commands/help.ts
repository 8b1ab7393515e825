/** `tsbuild help`. */
import { commandHelp, overview } from '../help.js';
import type { Io } from '../io.js';
import { commandNamed } from '../dispatch.js';
import type { Args } from '../parse.js';
import { commands } from '../spec/table.js';

export async function run(args: Args, io: Io): Promise<number> {
  const [name] = args.positionals;
  io.stdout.write(name === undefined ? overview(commands) : commandHelp(commandNamed(name)));
  return 0;
}
