/** `tsbuild cache`: the results of steps that the store keeps, and all that is known of one. */
import { type Digest, TsbuildError } from '@tsbuild/core';
import type {
  CacheListOptions,
  CacheRecordDetails,
  CacheRecordSummary,
  CacheInspectOptions,
} from '../api/types.js';
import type { OperationContext } from '../engine/context.js';
import { makersOf } from './entries.js';
import { parseFilters } from './entry-filter.js';
import { readInUse } from './in-use.js';
import { type Inventory, type StepItem, takeInventory } from './inventory.js';
import { openStore } from './open.js';
import { allBuildTraces } from './trace-store.js';

type Call<T> = Omit<T, 'signal' | 'onEvent'>;

/** @throws TsbuildError TSB_USAGE_BAD_VALUE for a filter */
export async function cacheRecords(
  { root, filters = [] }: Call<CacheListOptions>,
  context: OperationContext,
): Promise<CacheRecordSummary[]> {
  const inUse = filters.flatMap((text) => /^inuse=(true|false)$/.exec(text)?.[1] ?? []);
  const filter = parseFilters(filters.filter((text) => !/^inuse=(?:true|false)$/.test(text)));
  const before = Date.now() - (filter.unusedForMs ?? 0);
  const { inventory, summarize } = await look(root, context);
  return inventory.steps
    .filter(({ usedAt }) => filter.unusedForMs === undefined || usedAt < before)
    .sort((a, b) => b.usedAt - a.usedAt || (a.key < b.key ? -1 : 1))
    .map(summarize)
    .filter(({ key, description }) => filter.matches({ type: 'step', id: key, description }))
    .filter((record) => inUse.every((wanted) => String(record.inUse) === wanted));
}

/** @throws TsbuildError TSB_STORE_NO_RECORD, TSB_STORE_AMBIGUOUS_RECORD */
export async function cacheRecord(
  { root, key }: Call<CacheInspectOptions>,
  context: OperationContext,
): Promise<CacheRecordDetails> {
  const { inventory, summarize, storeRoot } = await look(root, context);
  const step = findRecord(inventory.steps, key);
  const layers = step.ref.layers.map((layer) => {
    const measured = inventory.snapshots.get(layer.snapshot);
    return { ...layer, bytes: measured?.bytes ?? 0, present: measured !== undefined };
  });
  return { ...summarize(step), layers, ...madeBy(storeRoot, step.key) };
}

async function look(root: string | undefined, { emit }: OperationContext) {
  const store = await openStore({ root, warn: (message) => emit({ type: 'notice', message }) });
  const inventory = await takeInventory(store);
  return {
    inventory,
    storeRoot: store.root,
    summarize: summarizer(inventory, readInUse(store.root).snapshots),
  };
}

function summarizer(
  { steps, snapshots }: Inventory,
  held: ReadonlySet<string>,
): (step: StepItem) => CacheRecordSummary {
  const makers = makersOf(steps);
  return (step) => {
    const top = step.snapshots.at(-1) ?? '';
    const own = makers.get(top) === step ? (snapshots.get(top)?.bytes ?? 0) : 0;
    const imported = [...new Set(step.ref.layers.flatMap((layer) => layer.imported ?? []))].sort();
    return {
      key: step.key,
      description: step.description,
      bytes: own,
      createdAt: step.createdAt,
      usedAt: new Date(step.usedAt).toISOString(),
      inUse: held.has(top),
      ...(imported.length === 0 ? {} : { imported }),
    };
  };
}

/** By its key or the first digits of it. */
function findRecord(steps: readonly StepItem[], wanted: string): StepItem {
  const digits = wanted.replace(/^sha256:/, '');
  const found = /^[0-9a-f]{4,64}$/.test(digits)
    ? steps.filter(({ key }) => key.startsWith(`sha256:${digits}`))
    : [];
  const [first, ...others] = found;
  if (first === undefined) {
    throw new TsbuildError('TSB_STORE_NO_RECORD', `no record ${JSON.stringify(wanted)} in the cache`, {
      hint: 'Give a key or its first digits, four at least; "tsbuild cache ls" has them.',
    });
  }
  if (others.length > 0) {
    throw new TsbuildError('TSB_STORE_AMBIGUOUS_RECORD', `the key ${wanted} fits ${found.length} records`, {
      hint: 'Give more of its digits.',
    });
  }
  return first;
}

/** The step as the newest build had it that knew the key. */
function madeBy(root: string, key: Digest): Pick<CacheRecordDetails, 'step'> {
  for (const { trace } of allBuildTraces(root)) {
    const step = trace.steps.find((each) => each.key === key);
    if (step === undefined) continue;
    const image = trace.images.find((each) => each.key === step.base);
    const below = trace.steps.find((each) => each.key === step.base);
    const base = image?.reference ?? below?.text;
    const { dockerfile, context } = trace.origin ?? {};
    return {
      step: {
        instruction: step.text,
        stage: step.stage,
        platform: step.platform,
        ...(dockerfile === undefined ? {} : { dockerfile }),
        ...(context === undefined ? {} : { context }),
        baseKey: step.base,
        ...(base === undefined ? {} : { base }),
        parts: Object.fromEntries(
          Object.entries(step.facts).map(([name, value]) => [
            name,
            value.startsWith('hidden:') ? '(secret)' : value,
          ]),
        ),
      },
    };
  }
  return {};
}
