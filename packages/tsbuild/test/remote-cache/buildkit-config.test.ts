/** BuildKit's cache config: what it writes is read, what nobody writes is refused. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Digest, sha256, TsbuildError } from '@tsbuild/core';
import {
  type BuildkitConfig,
  decodeBuildkitConfig,
  decodeInlineRecords,
  encodeBuildkitConfig,
  encodeInlineRecords,
  layersOf,
} from '../../src/remote-cache/buildkit-config.js';

const [a, b, c] = ['a', 'b', 'c'].map((text) => sha256(text)) as [Digest, Digest, Digest];
const createdAt = '2026-01-02T03:04:05.678Z';
const decode = (value: unknown) => decodeBuildkitConfig(Buffer.from(JSON.stringify(value)));

describe('reading', () => {
  it('takes what Go leaves out as zero', () => {
    const config = decode({
      layers: [{ blob: a, parent: -1 }, { blob: b }],
      records: [
        { digest: a },
        { digest: b, layers: [{ layer: 1, createdAt }], inputs: [[{ link: 0, selector: c }], [{}]] },
      ],
    });
    assert.deepEqual(config, {
      layers: [{ blob: a }, { blob: b, parent: 0 }],
      records: [
        { digest: a, inputs: [], results: [] },
        {
          digest: b,
          inputs: [[{ record: 0, selector: c }], [{ record: 0, selector: '' }]],
          results: [{ top: 1, createdAt }],
        },
      ],
    });
    assert.deepEqual(layersOf(config, { top: 1, createdAt }), [{ blob: a }, { blob: b, parent: 0 }]);
  });

  it('takes an empty config', () => assert.deepEqual(decode({ layers: null }), { layers: [], records: [] }));

  it('takes an unreadable time as none', () => {
    const config = decode({
      layers: [{ blob: a, parent: -1 }],
      records: [{ digest: a, layers: [{ createdAt: 'x' }] }],
    });
    assert.deepEqual(config.records[0]?.results, [{ top: 0, createdAt: '0001-01-01T00:00:00Z' }]);
  });

  it('takes the records of an image, whose layers are the chain', () => {
    const records = [
      { digest: a, layers: [{ layer: 1, createdAt }] },
      { digest: b, chains: [{ layers: [1], createdAt }] },
    ];
    const config = decodeInlineRecords(Buffer.from(JSON.stringify(records)), [b, c]);
    const blobs = config.records.map(({ results: [result] }) =>
      result === undefined ? [] : layersOf(config, result).map(({ blob }) => blob),
    );
    assert.deepEqual(blobs, [[b, c], [c]]);
  });

  const refused: [what: string, value: unknown][] = [
    ['a text', 'x'],
    ['null', null],
    ['layers that are no list', { layers: {} }],
    ['a layer without a blob', { layers: [{ parent: -1 }] }],
    ['a blob that is no digest', { layers: [{ blob: '../x', parent: -1 }] }],
    ['a parent out of range', { layers: [{ blob: a, parent: 1 }] }],
    ['a parent that is no index', { layers: [{ blob: a, parent: 0.5 }] }],
    ['a layer on itself', { layers: [{ blob: a }] }],
    [
      'layers on each other',
      {
        layers: [
          { blob: a, parent: 1 },
          { blob: b, parent: 2 },
          { blob: c, parent: 1 },
        ],
      },
    ],
    ['a record without a digest', { records: [{}] }],
    ['a record with a digest of another kind', { records: [{ digest: 'random:abc' }] }],
    ['a link out of range', { records: [{ digest: a, inputs: [[{ link: 1 }]] }] }],
    ['a link that is no object', { records: [{ digest: a, inputs: [[0]] }] }],
    ['a selector that is no text', { records: [{ digest: a, inputs: [[{ link: 0, selector: 1 }]] }] }],
    ['a result without its layer', { records: [{ digest: a, layers: [{ layer: 0 }] }] }],
    ['a negative layer', { records: [{ digest: a, layers: [{ layer: -1 }] }] }],
    ['a chain without its layer', { records: [{ digest: a, chains: [{ layers: [0] }] }] }],
  ];
  for (const [what, value] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => decode(value),
        (error) => TsbuildError.is(error) && error.code === 'TSB_CACHE_DOCUMENT',
      );
    });
  }

  it('refuses what is no JSON', () => {
    assert.throws(() => decodeBuildkitConfig(Buffer.from([0x7b, 0xff])), TsbuildError);
  });

  it('reads a long chain in time', () => {
    const count = 20_000;
    const layers = Array.from({ length: count }, (_, at) => ({
      blob: a,
      parent: at + 1 < count ? at + 1 : -1,
    }));
    assert.equal(decode({ layers }).layers.length, count);
  });
});

describe('writing', () => {
  const config: BuildkitConfig = {
    layers: [{ blob: a }, { blob: b, parent: 0 }],
    records: [
      { digest: a, inputs: [], results: [] },
      {
        digest: b,
        inputs: [
          [
            { record: 0, selector: c },
            { record: 2, selector: '' },
          ],
        ],
        results: [{ top: 1, createdAt }],
      },
      { digest: c, inputs: [], results: [{ list: [1], createdAt }] },
    ],
  };

  it('is read as it was', () => {
    const read = decodeBuildkitConfig(encodeBuildkitConfig(config));
    const step = read.records.find(({ digest }) => digest === b);
    assert.deepEqual(
      step?.inputs[0]?.map(({ record, selector }) => [read.records[record]?.digest, selector]).sort(),
      [
        [a, c],
        [c, ''],
      ].sort(),
    );
    const [result] = step?.results ?? [];
    assert.deepEqual(result && layersOf(read, result).map(({ blob }) => blob), [a, b]);
  });

  it('does not depend on the order in which things were added', () => {
    const turned: BuildkitConfig = {
      layers: [{ blob: b, parent: 1 }, { blob: a }],
      records: [
        { digest: c, inputs: [], results: [{ list: [0], createdAt }] },
        {
          digest: b,
          inputs: [
            [
              { record: 0, selector: '' },
              { record: 2, selector: c },
            ],
          ],
          results: [{ top: 0, createdAt }],
        },
        { digest: a, inputs: [], results: [] },
      ],
    };
    assert.equal(encodeBuildkitConfig(turned).toString(), encodeBuildkitConfig(config).toString());
  });

  it('is empty without anything', () => {
    assert.equal(encodeBuildkitConfig({ layers: [], records: [] }).toString(), '{}');
  });

  it('of an image is the list of records', () => {
    assert.equal(
      encodeInlineRecords({
        layers: [],
        records: [{ digest: a, inputs: [], results: [{ top: 0, createdAt }] }],
      }).toString(),
      `[{"layers":[{"layer":0,"createdAt":"${createdAt}"}],"digest":"${a}"}]`,
    );
  });
});
