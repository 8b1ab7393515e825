/** The view for `--progress`. */
import { type Io, wantsColor } from '../io.js';
import { jsonView } from './json.js';
import { plainView } from './plain.js';
import { quietView } from './quiet.js';
import { ttyView } from './tty.js';
import type { ProgressView } from './view.js';

export const progressModes = ['auto', 'plain', 'tty', 'quiet', 'rawjson', 'none'] as const;

/** `auto` is tty where standard error is a terminal; `none` is another name for quiet. */
export function createView(mode: string, io: Io): ProgressView {
  const now = () => Date.now();
  switch (mode) {
    case 'quiet':
    case 'none':
      return quietView(io.stderr);
    case 'rawjson':
      return jsonView(io.stderr);
    case 'plain':
      return plainView(io.stderr, { now, tickMs: 250 });
    case 'tty':
      return ttyView(io.stderr, { now, frameMs: 100, color: wantsColor(io.stderr, io.env) });
    default:
      return createView(io.stderr.isTTY && io.env['TERM'] !== 'dumb' ? 'tty' : 'plain', io);
  }
}
