/** `tsbuild explain`. */
import { explain } from '../../api/operations.js';
import type { ExplainOptions } from '../../api/types.js';
import { buildOptions } from '../build-options.js';
import { explainText } from '../explain-text.js';
import type { Io } from '../io.js';
import { noticesTo } from '../notices.js';
import type { Args } from '../parse.js';
import { redact } from '../redact.js';
import { inputs } from './build.js';

export async function run(args: Args, io: Io): Promise<number> {
  const options: ExplainOptions = {
    ...buildOptions(args, { env: io.env, stdoutIsTTY: io.stdout.isTTY === true }),
    ...(await inputs(args, io)),
  };
  const { steps } = await explain({ ...options, signal: io.signal, onEvent: noticesTo(io) });
  io.stdout.write(
    args.string('format') === 'json' ? `${redact(JSON.stringify({ steps }, null, 2))}\n` : explainText(steps),
  );
  return 0;
}
