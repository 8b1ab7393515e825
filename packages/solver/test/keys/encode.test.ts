import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Encodable, encode } from '../../src/keys/encode.js';

const { value } = fc.letrec<{ value: Encodable }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.string({ unit: 'binary' }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string({ maxLength: 3 }), tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
}));

/** Equality of what the encoding means: the order of members does not count. */
function canonical(data: Encodable): string {
  if (Array.isArray(data)) return `[${data.map(canonical).join()}]`;
  if (typeof data === 'object' && data !== null) {
    const members = Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join()}}`;
  }
  return JSON.stringify(Object.is(data, -0) ? 0 : data);
}

describe('the encoding of keys', () => {
  it('two values have the same bytes only if they are equal', () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        assert.equal(encode(a).equals(encode(b)), canonical(a) === canonical(b));
      }),
      { numRuns: 2000 },
    );
  });

  it('no prefix of an encoding is an encoding', () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        const [short, long] = [encode(a), encode(b)].sort((x, y) => x.length - y.length) as [Buffer, Buffer];
        assert.ok(short.equals(long) || !long.subarray(0, short.length).equals(short));
      }),
      { numRuns: 2000 },
    );
  });

  const pairs: [string, Encodable, Encodable][] = [
    ['words moved between neighbours', ['ab', 'c'], ['a', 'bc']],
    ['a list and its text', ['a', 'b'], 'a,b'],
    ['a number and its digits', 1, '1'],
    ['nested and flat', [['a'], 'b'], ['a', 'b']],
    ['an empty list and an empty object', [], {}],
    ['a name and its value', { a: 'b' }, { b: 'a' }],
    ['false and nothing', false, null],
    ['text that looks like an encoding', 's1:a', ['s1:a']],
    ['broken surrogates', '\ud800', '\ufffd'],
    ['two broken surrogates', '\ud800', '\ud801'],
  ];
  for (const [name, a, b] of pairs) {
    it(`tells apart ${name}`, () => assert.notDeepEqual(encode(a), encode(b)));
  }

  it('members count by name, not by order, and absent ones do not count', () => {
    assert.deepEqual(encode({ a: 1, b: 2, c: undefined }), encode({ b: 2, a: 1 }));
  });
});
