/** `tsbuild history`: newest step first, as docker shows it. */
import { history } from '../../api/operations.js';
import type { HistoryLine } from '../../api/types.js';
import { storeOptions } from '../build-options.js';
import { formatAge, formatBytes, shortDigest, table, truncate } from '../format.js';
import type { Io } from '../io.js';
import { noticesTo } from '../notices.js';
import type { Args } from '../parse.js';

export async function run(args: Args, io: Io): Promise<number> {
  const [reference = ''] = args.positionals;
  const platform = args.string('platform');
  const lines = await history({
    reference,
    ...(platform ? { platform } : {}),
    ...storeOptions(args),
    signal: io.signal,
    onEvent: noticesTo(io),
  });
  io.stdout.write(render(lines, args, Date.now()));
  return 0;
}

export function render(lines: readonly HistoryLine[], args: Args, now: number): string {
  if (args.bool('quiet')) {
    return lines.flatMap((line) => (line.diffId === undefined ? [] : [`${line.diffId}\n`])).join('');
  }
  if (args.string('format') === 'json') return `${JSON.stringify(lines, null, 2)}\n`;
  const whole = args.bool('no-trunc');
  return table(
    ['LAYER', 'CREATED', 'CREATED BY', 'SIZE', 'COMMENT'],
    lines.map((line) => {
      const by = line.createdBy.replace(/\s+/g, ' ').trim();
      return [
        line.diffId === undefined ? '-' : whole ? line.diffId : shortDigest(line.diffId),
        formatAge(line.created, now),
        whole ? by : truncate(by, 45),
        formatBytes(line.size),
        line.comment ?? '',
      ];
    }),
  );
}
