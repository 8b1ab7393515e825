/** `tsbuild cache ls` and `tsbuild cache inspect KEY`. */
import { TsbuildError } from '@tsbuild/core';
import { cacheRecord, cacheRecords } from '../../api/operations.js';
import type { CacheRecordDetails, CacheRecordSummary } from '../../api/types.js';
import { storeOptions } from '../build-options.js';
import { formatAge, formatBytes, shortDigest, table, truncate, visibleText } from '../format.js';
import type { Io } from '../io.js';
import { nearest } from '../nearest.js';
import { noticesTo } from '../notices.js';
import type { Args } from '../parse.js';
import { redact } from '../redact.js';

const actions = ['ls', 'inspect'];

/** Parts that say in which order the others stand: digests, of no use to a reader. */
const orders = ['variables', 'mounts', 'heredocs', 'actions'];

export async function run(args: Args, io: Io): Promise<number> {
  const [action = '', key] = args.positionals;
  const call = { ...storeOptions(args), signal: io.signal, onEvent: noticesTo(io) };
  const json = args.string('format') === 'json';
  if (action === 'ls') {
    if (key !== undefined) throw usage('cache ls takes no argument', 'Choose with --filter.');
    const records = await cacheRecords({ ...call, filters: [...args.list('filter')] });
    io.stdout.write(json ? document(records) : listText(records, args.bool('no-trunc'), Date.now()));
    return 0;
  }
  if (action !== 'inspect') {
    const near = nearest(action, actions);
    const hint = near === undefined ? 'It is ls or inspect.' : `Did you mean "tsbuild cache ${near}"?`;
    throw usage(`unknown action ${JSON.stringify(action)} of cache`, hint);
  }
  if (key === undefined) throw usage('cache inspect needs a key', '"tsbuild cache ls" has the keys.');
  const record = await cacheRecord({ ...call, key });
  io.stdout.write(json ? document(record) : detailsText(record, Date.now()));
  return 0;
}

function usage(message: string, hint: string): TsbuildError {
  return new TsbuildError('TSB_USAGE_CACHE', message, { hint });
}

function document(value: unknown): string {
  return `${redact(JSON.stringify(value, null, 2))}\n`;
}

export function listText(records: readonly CacheRecordSummary[], whole: boolean, now: number): string {
  return table(
    ['KEY', 'STEP', 'SIZE', 'CREATED', 'LAST USED', 'IN USE'],
    records.map((record) => {
      const step = visibleText(redact(record.description.replace(/\s+/g, ' ')));
      return [
        whole ? record.key : shortDigest(record.key),
        whole ? step : truncate(step, 60),
        formatBytes(record.bytes),
        formatAge(record.createdAt, now),
        formatAge(record.usedAt, now),
        record.inUse ? 'yes' : 'no',
      ];
    }),
  );
}

export function detailsText(record: CacheRecordDetails, now: number): string {
  const { step } = record;
  const rows: [string, string | undefined][] = [
    ['key', record.key],
    ['step', record.description],
    ['size', formatBytes(record.bytes)],
    ['created', `${record.createdAt} (${formatAge(record.createdAt, now)})`],
    ['last used', `${record.usedAt} (${formatAge(record.usedAt, now)})`],
    ['in use', record.inUse ? 'yes' : 'no'],
    ['imported from', record.imported?.join(', ')],
    ['stage', step?.stage],
    ['platform', step?.platform],
    ['Dockerfile', step?.dockerfile],
    ['context', step?.context],
    ['stands on', step && `${step.base?.split('\n', 1)[0] ?? ''} ${shortDigest(step.baseKey)}`.trim()],
  ];
  const line = (text: string) => visibleText(redact(text.replace(/\n/g, ' ')));
  const known = rows.flatMap(([name, value]) =>
    value === undefined ? [] : [`${`${name}:`.padEnd(15)}${line(value)}`],
  );
  const parts = step
    ? Object.entries(step.parts)
        .filter(([name, value]) => value !== '' && !orders.includes(name))
        .map(([name, value]) => `  ${line(`${name} = ${value}`)}`)
    : ['  not known: no build on record had this step'];
  const layers = table(
    ['LAYER', 'SIZE', 'CREATED', 'DIFF ID'],
    record.layers.map((layer) => [
      layer.snapshot.slice(0, 20),
      layer.present ? formatBytes(layer.bytes) : 'gone',
      formatAge(layer.createdAt, now),
      layer.diffId === undefined ? '' : shortDigest(layer.diffId),
    ]),
  );
  return `${[...known, '', 'parts of the key:', ...parts, '', layers].join('\n')}`;
}
