/** Which step of an earlier build is the same step. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { alignedShare, alignSteps, type TraceLine } from '../../src/explain/align.js';

/** `stage: instruction`, one a line; `stage@platform:` for another platform. */
function lines(text: string): TraceLine[] {
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [, stage = '', platform = 'linux/amd64', instruction = ''] =
        /^ *([^:@]*)(?:@([^:]*))?: (.*)$/.exec(line) ?? [];
      return { stage, platform, text: instruction };
    });
}

const cases: [name: string, before: string, after: string, pairs: [after: number, before: number][]][] = [
  [
    'the same',
    's: RUN a\ns: RUN b',
    's: RUN a\ns: RUN b',
    [
      [0, 0],
      [1, 1],
    ],
  ],
  [
    'an edited line',
    's: RUN a\ns: RUN b\ns: RUN c',
    's: RUN a\ns: RUN x\ns: RUN c',
    [
      [0, 0],
      [1, 1],
      [2, 2],
    ],
  ],
  [
    'an inserted line',
    's: RUN a\ns: RUN b',
    's: RUN a\ns: RUN new\ns: RUN b',
    [
      [0, 0],
      [2, 1],
    ],
  ],
  [
    'a removed line',
    's: RUN a\ns: RUN b\ns: RUN c',
    's: RUN a\ns: RUN c',
    [
      [0, 0],
      [1, 2],
    ],
  ],
  ['another instruction in its place', 's: RUN a', 's: COPY a a', []],
  ['case of the keyword', 's: RUN make x', 's: run make y', [[0, 0]]],
  ['the likest of several', 's: RUN npm ci\ns: RUN make all', 's: RUN make all -j', [[0, 1]]],
  ['swapped lines keep one', 's: RUN a\ns: RUN b', 's: RUN b\ns: RUN a', [[1, 0]]],
  [
    'stages by name',
    'a: RUN x\nb: RUN y',
    'b: RUN y\na: RUN x',
    [
      [0, 1],
      [1, 0],
    ],
  ],
  [
    'a renamed stage by what is in it',
    'a: RUN x\na: RUN y',
    'b: RUN x\nb: RUN z',
    [
      [0, 0],
      [1, 1],
    ],
  ],
  [
    'a stage that moved',
    'stage-0: RUN x\nstage-1: RUN y',
    'stage-0: RUN new\nstage-1: RUN x\nstage-2: RUN y',
    [
      [1, 0],
      [2, 1],
    ],
  ],
  ['the same number where all is edited', 'stage-0: RUN x', 'stage-0: RUN y', [[0, 0]]],
  ['a name that a numbered stage got', 'stage-0: RUN x', 'a: RUN x', [[0, 0]]],
  [
    'platforms apart',
    's@linux/amd64: RUN x\ns@linux/arm64: RUN x',
    's@linux/arm64: RUN x\ns@linux/amd64: RUN x',
    [
      [0, 1],
      [1, 0],
    ],
  ],
  ['another platform', 's@linux/amd64: RUN x', 's@linux/arm64: RUN x', [[0, 0]]],
  [
    'equal lines in order',
    's: RUN a\ns: RUN a',
    's: RUN a\ns: RUN a\ns: RUN a',
    [
      [0, 0],
      [1, 1],
    ],
  ],
];

describe('the same step', () => {
  for (const [name, before, after, pairs] of cases)
    it(name, () => {
      const [old, present] = [lines(before), lines(after)];
      const found = [...alignSteps(old, present)].map(([is, was]) => [present.indexOf(is), old.indexOf(was)]);
      assert.deepEqual(found.sort(), pairs);
    });

  it('in files of thousands of lines takes no time to speak of', () => {
    const many = Array.from({ length: 3000 }, (_, index) => ({
      stage: 's',
      platform: 'p',
      text: `RUN step ${index}`,
    }));
    const edited = many.map((line, index) =>
      index % 1000 === 500 ? { ...line, text: `${line.text} x` } : line,
    );
    const begun = process.cpuUsage();
    const aligned = alignSteps(many, edited);
    assert.equal(aligned.size, 3000);
    const { user } = process.cpuUsage(begun);
    assert.ok(user < 20_000_000, `${user} µs`);
  });

  it('how much is the same', () => {
    assert.equal(alignedShare(lines('s: RUN a\ns: RUN b'), lines('t: RUN b\nt: RUN c')), 0.5);
    assert.equal(alignedShare([], []), 0);
  });
});
