/** What prune decides to remove. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '@tsbuild/core';
import { parseFilters } from '../../src/store/entry-filter.js';
import type { InUse } from '../../src/store/in-use.js';
import type { Inventory } from '../../src/store/inventory.js';
import { bytesToKeep, type PlanRequest, planPrune } from '../../src/store/prune-plan.js';

const digest = (digit: string): Digest => `sha256:${digit.repeat(64)}` as Digest;

/** Sizes: 1 for each file of the index, 10 for each snapshot, 100 for each blob and cache mount. */
function inventory(facts: {
  /** Time of use, then the snapshots of the result. */
  steps?: [number, ...string[]][];
  snapshots?: Record<string, number>;
  blobs?: Record<string, number>;
  images?: Record<string, [number, ...string[]]>;
  names?: Record<string, [number, ...string[]]>;
  encodings?: Record<string, string>;
  mounts?: Record<string, number>;
  temporary?: Record<string, number>;
}): Inventory {
  const digests = (letters: string[]) => new Set(letters.map(digest));
  const entries = <T>(record: Record<string, T> = {}) => Object.entries(record);
  const result: Inventory = {
    steps: (facts.steps ?? []).map(([usedAt, ...snapshots], index) => ({
      key: digest(String(index)),
      description: `step ${index}`,
      createdAt: new Date(index).toISOString(),
      ref: { layers: snapshots.map((snapshot) => ({ snapshot: snapshot as never })) },
      path: `/s/cache/steps/${index}`,
      bytes: 1,
      usedAt,
      snapshots,
    })),
    downloads: [],
    names: entries(facts.names).map(([name, [usedAt, ...blobs]]) => ({
      ...{ name, usedAt, bytes: 1, path: `/s/cache/names/${name}` },
      blobs: digests(blobs),
    })),
    encodings: entries(facts.encodings).map(([name, blob]) => ({
      ...{ path: `/s/cache/layers/${name}`, bytes: 1, usedAt: 0 },
      blob: digest(blob),
    })),
    memos: [],
    snapshots: new Map(entries(facts.snapshots).map(([id, usedAt]) => [id, { bytes: 10, usedAt }])),
    blobs: new Map(entries(facts.blobs).map(([id, usedAt]) => [digest(id), { bytes: 100, usedAt }])),
    images: entries(facts.images).map(([name, [usedAt, ...blobs]]) => ({
      ...{ name, usedAt, digest: digest(blobs[0] ?? '') },
      blobs: digests(blobs),
    })),
    mounts: new Map(entries(facts.mounts).map(([id, usedAt]) => [id, { bytes: 100, usedAt, id }])),
    temporary: entries(facts.temporary).map(([path, usedAt]) => ({ path: `/s/${path}`, bytes: 7, usedAt })),
    rest: 0,
    total: 0,
  };
  const { steps, names, encodings, snapshots, blobs, mounts, temporary } = result;
  for (const group of [
    steps,
    names,
    encodings,
    snapshots.values(),
    blobs.values(),
    mounts.values(),
    temporary,
  ])
    for (const { bytes } of group) result.total += bytes;
  return result;
}

const idle: InUse = { snapshots: new Set(), live: new Set(), dead: [], since: Infinity };
const request: PlanRequest = {
  root: '/s',
  filter: parseFilters([]),
  all: false,
  limit: undefined,
  now: 1000,
};

/** What goes, shortly: files and folders by their last name, blobs by their letter. */
function plan(stock: Inventory, more: Partial<PlanRequest> = {}, inUse: Partial<InUse> = {}): string[] {
  return planPrune(stock, { ...idle, ...inUse }, { ...request, ...more }).flatMap((removal) => [
    ...removal.tags.map((tag) => `tag ${tag}`),
    ...removal.files.map((path) => path.slice('/s/cache/'.length)),
    ...removal.snapshots,
    ...removal.blobs.map((blob) => `blob ${blob.at(-1)}`),
    ...removal.mounts.map((mount) => `mount ${mount}`),
    ...removal.leftovers.map((path) => path.slice('/s/'.length)),
  ]);
}

const chain = inventory({
  steps: [
    [10, 'c-base', 's-1'],
    [20, 'c-base', 's-1', 's-2'],
    [5, 'c-base', 's-3'],
  ],
  snapshots: { 'c-base': 1, 's-1': 2, 's-2': 3, 's-3': 4, 's-lost': 50 },
});

const cases: [string, string[], string[]][] = [
  [
    'all of the cache, leaves before what they stand on',
    plan(chain),
    ['s-lost', 'steps/2', 's-3', 'steps/1', 's-2', 'steps/0', 's-1', 'c-base'],
  ],
  [
    'what nothing refers to first, then the oldest result',
    plan(chain, { limit: 32 }),
    ['s-lost', 'steps/2', 's-3'],
  ],
  ['nothing but that where the limit is not reached', plan(chain, { limit: 52 }), ['s-lost']],
  [
    'what is below a newer result is as new as that',
    plan(chain, { filter: { unusedForMs: 985, matches: () => true } }),
    ['s-lost', 'steps/2', 's-3'],
  ],
  [
    'a held snapshot stays, and the record of a held result; others on the same base go',
    plan(chain, {}, { snapshots: new Set(['c-base', 's-1', 's-2']) }),
    ['s-lost', 'steps/2', 's-3'],
  ],
  ['one type', plan(chain, { filter: parseFilters(['type=source']) }), []],
  [
    'one step by its text',
    plan(chain, { filter: parseFilters(['description~=^step 1$']) }),
    ['steps/1', 's-2'],
  ],
];

const images = inventory({
  blobs: { a: 1, b: 2, c: 3, d: 4, e: 500 },
  images: { one: [1, 'a', 'b'] },
  names: { base: [6, 'b', 'c'] },
  encodings: { x: 'd', y: 'f' },
  mounts: { npm: 700, apt: 2 },
  temporary: { 'oci/ingest/1': 100, 'tmp/dead': 1, 'tmp/live': 1, 'tmp/other': 1 },
});

cases.push(
  [
    'blobs that no image needs, with the records about them',
    plan(images),
    [
      ...['oci/ingest/1', 'tmp/dead', 'tmp/live', 'tmp/other'],
      ...['layers/y', 'mount apt', 'layers/x', 'blob d', 'names/base', 'blob c', 'blob e', 'mount npm'],
    ],
  ],
  [
    'with --all images too',
    plan(images, { all: true, filter: parseFilters(['type!=mount']) }),
    [
      ...['oci/ingest/1', 'tmp/dead', 'tmp/live', 'tmp/other'],
      ...['layers/y', 'tag one', 'blob a', 'layers/x', 'blob d', 'names/base', 'blob b', 'blob c', 'blob e'],
    ],
  ],
  [
    'what a running build may have found stays: newer blobs and mounts, its folder, unnamed folders',
    plan(images, { all: true }, { since: 50, live: new Set(['live']), dead: ['dead'] }),
    [
      'tmp/dead',
      'layers/y',
      'tag one',
      'blob a',
      'mount apt',
      'layers/x',
      'blob d',
      'names/base',
      'blob b',
      'blob c',
    ],
  ],
);

for (const [title, found, expected] of cases) test(title, () => assert.deepEqual(found, expected));

test('the bytes of what goes are those of the things', () => {
  const total = planPrune(images, idle, { ...request, all: true }).reduce((sum, { bytes }) => sum + bytes, 0);
  assert.equal(total, images.total);
});

test('how much may stay', () => {
  const table: [Parameters<typeof bytesToKeep>[0], number | undefined][] = [
    [{}, undefined],
    [{ maxUsedBytes: 60 }, 60],
    [{ keepBytes: 40 }, 40],
    [{ keepBytes: 70, maxUsedBytes: 60 }, 70],
    [{ minFreeBytes: 10 }, Infinity],
    [{ minFreeBytes: 25 }, 95],
    [{ minFreeBytes: 80, maxUsedBytes: 60 }, 40],
    [{ minFreeBytes: 80, maxUsedBytes: 60, keepBytes: 50 }, 50],
  ];
  for (const [limits, expected] of table)
    assert.equal(bytesToKeep(limits, 100, 20), expected, JSON.stringify(limits));
});

test('filters', () => {
  const entry = { type: 'step', id: digest('a'), description: 'RUN make' } as const;
  const table: [string[], boolean][] = [
    [['type=step'], true],
    [['type=regular'], true],
    [['type=exec.cachemount'], false],
    [['type!=mount'], true],
    [['id=aaaaaaaaaaaa'], true],
    [['id=sha256:aaaaaaaaaaaaa'], true],
    [['id=aaaa'], false],
    [['id~=^sha256:a'], true],
    [['description~=make$', 'type=step'], true],
    [['description~=make$', 'type=blob'], false],
    [['description!=RUN make'], false],
  ];
  for (const [texts, expected] of table)
    assert.equal(parseFilters(texts).matches(entry), expected, texts.join());
  const mount = { type: 'mount', id: '/npm', description: '' } as const;
  assert.ok(parseFilters(['id=npm']).matches(mount) && parseFilters(['id=/npm']).matches(mount));
  assert.equal(parseFilters(['until=1h', 'unused-for=2h']).unusedForMs, 7_200_000);
  for (const wrong of ['until', 'until=x', 'until!=1h', 'type=x', 'size=1', 'id~=(', ''])
    assert.throws(() => parseFilters([wrong]), { code: 'TSB_USAGE_BAD_VALUE' }, wrong);
});
