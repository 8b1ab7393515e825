/** `tsbuild images`. */
import { images } from '../../api/operations.js';
import type { ImageSummary } from '../../api/types.js';
import { storeOptions } from '../build-options.js';
import { formatAge, formatBytes, shortDigest, table } from '../format.js';
import type { Io } from '../io.js';
import { noticesTo } from '../notices.js';
import type { Args } from '../parse.js';
import { splitName } from '../values.js';

export async function run(args: Args, io: Io): Promise<number> {
  const wanted = args.positionals[0];
  const all = await images({ ...storeOptions(args), signal: io.signal, onEvent: noticesTo(io) });
  const list = wanted === undefined ? all : all.filter((image) => matches(image, wanted));
  io.stdout.write(render(list, args, Date.now()));
  return 0;
}

/** By full or short name, with or without the tag. */
function matches(image: ImageSummary, wanted: string): boolean {
  return [image.name, image.familiarName].some(
    (name) => name === wanted || splitName(name).repository === wanted,
  );
}

export function render(list: readonly ImageSummary[], args: Args, now: number): string {
  if (args.bool('quiet')) return [...new Set(list.map((image) => `${image.digest}\n`))].join('');
  const format = args.string('format') ?? 'table';
  if (format === 'json') return `${JSON.stringify(list, null, 2)}\n`;
  if (format === 'name') return list.map((image) => `${image.familiarName}\n`).join('');
  const whole = args.bool('no-trunc');
  return table(
    ['NAME', 'TAG', 'DIGEST', 'PLATFORM', 'CREATED', 'SIZE'],
    list.map((image) => {
      const { repository, tag } = splitName(image.familiarName);
      return [
        repository,
        tag,
        whole ? image.digest : shortDigest(image.digest),
        image.platforms.join(','),
        formatAge(image.created, now),
        formatBytes(image.size),
      ];
    }),
  );
}
