/** Recorded event lists to what the views write; goldens are renewed with TSBUILD_GOLDEN=1. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { type BuildEvent, TsbuildError } from '@tsbuild/core';
import type { Output } from '../../src/cli/io.js';
import { jsonView } from '../../src/cli/progress/json.js';
import { plainView } from '../../src/cli/progress/plain.js';
import { quietView } from '../../src/cli/progress/quiet.js';
import { ttyView } from '../../src/cli/progress/tty.js';
import { screen } from './screen.js';

const start = 1_700_000_000_000;
const at = (ms: number) => start + ms;

function sink(columns = 80, rows = 24): Output & { text: string } {
  return {
    text: '',
    isTTY: true,
    columns,
    rows,
    write(chunk) {
      this.text += String(chunk);
      return true;
    },
  };
}

function golden(name: string, actual: string): void {
  // dist/test/cli → test/cli/golden
  const file = new URL(`../../../test/cli/golden/${name}.txt`, import.meta.url);
  if (process.env['TSBUILD_GOLDEN'] === '1') writeFileSync(file, actual);
  assert.equal(actual, readFileSync(file, 'utf8'));
}

const timeOf = (event: BuildEvent): number | undefined => ('at' in event ? event.at : undefined);

/** A pull, a copy beside it, a RUN with output in pieces, a cached step, a warning. */
const build: BuildEvent[] = [
  { type: 'vertex', id: 'a', name: '[base 1/2] FROM docker.io/library/busybox:latest', inputs: [] },
  { type: 'vertex', id: 'b', name: '[base 2/2] RUN make', inputs: ['a'] },
  { type: 'vertex', id: 'c', name: '[tools 1/1] COPY . /src', inputs: [] },
  { type: 'vertex', id: 'd', name: '[stage-2 1/1] COPY --from=base /x /x', inputs: ['b'] },
  { type: 'started', id: 'a', at: at(0) },
  {
    type: 'transfer',
    id: 'a',
    item: 'sha256:0123456789ab',
    action: 'downloading',
    current: 0,
    total: 2_000_000,
    at: at(10),
  },
  {
    type: 'transfer',
    id: 'a',
    item: 'sha256:0123456789ab',
    action: 'downloading',
    current: 1_040_000,
    total: 2_000_000,
    at: at(80),
  },
  { type: 'started', id: 'c', at: at(100) },
  { type: 'notice', message: 'the store is on tmpfs' },
  { type: 'completed', id: 'c', at: at(150), cached: true },
  {
    type: 'transfer',
    id: 'a',
    item: 'sha256:0123456789ab',
    action: 'done',
    current: 2_000_000,
    total: 2_000_000,
    at: at(200),
  },
  { type: 'completed', id: 'a', at: at(210), cached: false },
  { type: 'started', id: 'b', at: at(300) },
  { type: 'log', id: 'b', stream: 'stdout', text: 'hi\npart', at: at(430) },
  { type: 'log', id: 'b', stream: 'stderr', text: 'warning: \x1b[31mred\x1b[0m\r\n', at: at(500) },
  { type: 'log', id: 'b', stream: 'stdout', text: 'ial\n', at: at(1437) },
  { type: 'log', id: 'b', stream: 'stdout', text: 'no newline', at: at(1500) },
  {
    type: 'completed',
    id: 'b',
    at: at(2600),
    cached: false,
    usage: { userSeconds: 1.5, systemSeconds: 0.25, maxRssBytes: 150_000_000 },
  },
  {
    type: 'warning',
    rule: 'StageNameCasing',
    message: "Stage name 'Base' should be lowercase",
    file: 'Dockerfile',
    range: { startLine: 1, startColumn: 1, endLine: 1, endColumn: 10 },
  },
  { type: 'started', id: 'd', at: at(2610) },
  { type: 'completed', id: 'd', at: at(2640), cached: false },
];

/** A step fails while another runs, which is cancelled. */
const failing: BuildEvent[] = [
  { type: 'vertex', id: 'a', name: '[a 1/1] RUN bad', inputs: [] },
  { type: 'vertex', id: 'b', name: '[b 1/1] RUN slow', inputs: [] },
  { type: 'vertex', id: 'c', name: '[c 1/1] COPY --from=a /x /x', inputs: ['a', 'b'] },
  { type: 'started', id: 'a', at: at(0) },
  { type: 'started', id: 'b', at: at(5) },
  { type: 'log', id: 'b', stream: 'stdout', text: 'slow 1\n', at: at(20) },
  { type: 'log', id: 'a', stream: 'stdout', text: 'one\ntwo\n', at: at(30) },
  { type: 'log', id: 'a', stream: 'stderr', text: 'bad', at: at(40) },
  {
    type: 'completed',
    id: 'a',
    at: at(50),
    cached: false,
    error: 'process "/bin/sh -c bad" did not complete successfully: exit code: 3',
  },
  { type: 'completed', id: 'b', at: at(60), cached: false, canceled: true, error: 'cancelled' },
];
const failure = new TsbuildError(
  'TSB_EXEC_EXIT',
  'process "/bin/sh -c bad" did not complete successfully: exit code: 3',
);

/** Two steps that write in turns. */
const parallel: BuildEvent[] = [
  { type: 'vertex', id: 'a', name: '[a 1/1] RUN one', inputs: [] },
  { type: 'vertex', id: 'b', name: '[b 1/1] RUN two', inputs: [] },
  { type: 'started', id: 'a', at: at(0) },
  { type: 'started', id: 'b', at: at(0) },
  ...Array.from(
    { length: 20 },
    (_, i): BuildEvent => ({
      type: 'log',
      id: i % 2 === 0 ? 'a' : 'b',
      stream: 'stdout',
      text: `line ${i}\n`,
      at: at(400 * (i + 1)),
    }),
  ),
  { type: 'completed', id: 'b', at: at(8100), cached: false },
  { type: 'completed', id: 'a', at: at(8200), cached: false },
];

function runPlain(events: BuildEvent[], outcome: { error?: unknown; summary?: string[] }): string {
  const output = sink();
  let now = start;
  const view = plainView(output, { now: () => now, tickMs: 0 });
  for (const event of events) {
    now = timeOf(event) ?? now;
    view.event(event);
  }
  view.finish(outcome);
  return output.text;
}

test('plain: a build', () =>
  golden('plain-build', runPlain(build, { summary: ['built app:latest sha256:1234'] })));
test('plain: a failing build', () => golden('plain-failing', runPlain(failing, { error: failure })));
test('plain: parallel steps have the floor for five seconds', () =>
  golden('plain-parallel', runPlain(parallel, {})));

test('plain: steps found in the cache from the last to the first are printed in order', () => {
  const events: BuildEvent[] = [
    ...['a', 'b', 'c'].map((id): BuildEvent => ({ type: 'vertex', id, name: `step ${id}`, inputs: [] })),
    ...['c', 'b', 'a'].map((id): BuildEvent => ({ type: 'completed', id, at: start, cached: true })),
  ];
  assert.equal(
    runPlain(events, {}),
    '#1 step a\n#1 CACHED\n\n#2 step b\n#2 CACHED\n\n#3 step c\n#3 CACHED\n',
  );
});

test('plain: every line of output comes out, once and in order', () => {
  const text = runPlain(parallel, {});
  for (const [number, first] of [
    [1, 0],
    [2, 1],
  ] as const) {
    const lines = text.split('\n').filter((line) => line.startsWith(`#${number} `) && line.includes('line '));
    assert.deepEqual(
      lines.map((line) => Number(line.split('line ')[1])),
      Array.from({ length: 10 }, (_, i) => first + 2 * i),
    );
  }
});

test('plain: a step that is still running at the end is said to be cancelled, its output kept', () => {
  const text = runPlain(build.slice(0, 17), { error: failure });
  assert.match(text, /#3 1\.200 no newline\n#3 CANCELED\n/);
});

/** The screens that a terminal shows after each drawn frame. */
function runTty(
  events: BuildEvent[],
  frames: number[],
  outcome: { error?: unknown; summary?: string[] },
  columns = 80,
  rows = 24,
) {
  const output = sink(columns, rows);
  let now = start;
  const view = ttyView(output, { now: () => now, frameMs: 0, color: false });
  const shots: string[] = [];
  let next = 0;
  for (const event of events) {
    const time = timeOf(event) ?? now;
    for (let frame = frames[next]; frame !== undefined && at(frame) < time; frame = frames[++next]) {
      now = at(frame);
      view.draw();
      shots.push(`--- ${frame} ms\n${screen(output.text, columns)}`);
    }
    now = time;
    view.event(event);
  }
  view.finish(outcome);
  shots.push(`--- end\n${screen(output.text, columns)}`);
  return shots.join('\n');
}

test('tty: a build', () =>
  golden(
    'tty-build',
    runTty(build, [50, 90, 120, 220, 440, 1480, 1550, 2620], { summary: ['built app:latest sha256:1234'] }),
  ));
test('tty: a failing build shows the whole output of the step', () =>
  golden('tty-failing', runTty(failing, [10, 35, 55], { error: failure })));
test('tty: a small terminal', () =>
  golden(
    'tty-small',
    runTty(
      build.filter((event) => event.type !== 'warning'),
      [90, 440, 1550, 2620],
      {},
      40,
      6,
    ),
  ));

test('tty: no line is wider than the terminal, no frame higher', () => {
  const many: BuildEvent[] = Array.from({ length: 40 }, (_, i): BuildEvent[] => [
    { type: 'vertex', id: `v${i}`, name: `[s ${i}/40] RUN ${'漢字 long '.repeat(20)}`, inputs: [] },
    { type: 'started', id: `v${i}`, at: at(i * 10) },
    { type: 'log', id: `v${i}`, stream: 'stdout', text: 'x'.repeat(500), at: at(i * 10 + 1) },
    ...(i % 3 === 0 ? [{ type: 'completed', id: `v${i}`, at: at(i * 10 + 2), cached: false } as const] : []),
  ]).flat();
  const output = sink(50, 12);
  let now = start;
  const view = ttyView(output, { now: () => now, frameMs: 0, color: false });
  for (const event of many) {
    now = timeOf(event) ?? now;
    view.event(event);
    const before = output.text.length;
    view.draw();
    const frame = output.text.slice(before);
    assert.ok(frame.split('\n').length - 1 <= 11, 'frame height');
  }
  const shown = screen(output.text, 50).split('\n');
  assert.ok(shown.length <= 12, `${shown.length} lines`);
});

test('tty: a terminal that became narrower is redrawn from the right row', () => {
  const output = sink(80, 24);
  const view = ttyView(output, { now: () => start, frameMs: 0, color: false });
  view.event({ type: 'vertex', id: 'a', name: `RUN ${'x'.repeat(100)}`, inputs: [] });
  view.event({ type: 'started', id: 'a', at: start });
  view.draw();
  const before = output.text.length;
  (output as { columns: number }).columns = 40;
  view.draw();
  // Two full lines of 79 cells, one of them the header of fewer: the step's line now takes two rows.
  assert.match(output.text.slice(before), /\x1b\[3A/);
});

test('tty: colours only where asked for', () => {
  for (const [color, expected] of [
    [true, true],
    [false, false],
  ] as const) {
    const output = sink();
    const view = ttyView(output, { now: () => start, frameMs: 0, color });
    for (const event of build) view.event(event);
    view.finish({});
    assert.equal(/\x1b\[\d+m/.test(output.text), expected);
  }
});

test('rawjson: one event a line, the failure last', () => {
  const output = sink();
  const view = jsonView(output);
  for (const event of failing) view.event(event);
  view.finish({ error: failure });
  const lines = output.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  assert.deepEqual(lines.slice(0, -1), failing);
  assert.deepEqual(lines.at(-1), {
    type: 'error',
    message: failure.message,
    exitCode: 1,
    code: 'TSB_EXEC_EXIT',
  });
});

test('quiet: nothing but the output of a failed step', () => {
  const good = sink();
  const view = quietView(good);
  for (const event of build) view.event(event);
  view.finish({});
  assert.equal(good.text, '');
  const bad = sink();
  const second = quietView(bad);
  for (const event of failing) second.event(event);
  second.finish({ error: failure });
  assert.equal(bad.text, '------\n > [a 1/1] RUN bad:\n0.030 one\n0.030 two\n0.040 bad\n------\n');
});

/** Misses are found from the last step to the first, before either begins. */
const explained: BuildEvent[] = [
  { type: 'vertex', id: 'a', name: '[1/3] COPY . .', inputs: [] },
  { type: 'vertex', id: 'b', name: '[2/3] RUN make', inputs: ['a'] },
  { type: 'vertex', id: 'c', name: '[3/3] RUN test', inputs: ['b'] },
  {
    type: 'explained',
    id: 'b',
    outcome: 'miss',
    causes: [{ kind: 'below', text: 'the step below it changed: [1/3] COPY . .' }],
  },
  {
    type: 'explained',
    id: 'a',
    outcome: 'miss',
    causes: [
      { kind: 'instruction', text: '--chown is new: "1"' },
      { kind: 'files', text: 'a https://user:hunter2@host/ and \x1b[31mred' },
    ],
  },
  { type: 'started', id: 'a', at: at(0) },
  { type: 'completed', id: 'a', at: at(100), cached: false },
  { type: 'started', id: 'b', at: at(100) },
  { type: 'completed', id: 'b', at: at(200), cached: false },
  { type: 'completed', id: 'c', at: at(200), cached: true },
  { type: 'explained', id: 'c', outcome: 'hit', causes: [] },
];

const explainedSummary = `1 of 3 steps in the cache, 2 not:
 - [1/3] COPY . .
     --chown is new: "1"
     a https://***@host/ and red
 - [2/3] RUN make
     the step below it changed: [1/3] COPY . .
`;

test('plain: a miss is told where the step begins, and all of them at the end', () => {
  const output = sink();
  const view = plainView(output, { now: () => at(0), tickMs: 0 });
  for (const event of explained) view.event(event);
  view.finish({});
  assert.equal(
    output.text,
    `#1 [1/3] COPY . .
#1 MISSED: --chown is new: "1"; a https://***@host/ and red
#1 DONE 0.1s

#2 [2/3] RUN make
#2 MISSED: the step below it changed: [1/3] COPY . .
#2 DONE 0.1s

#3 [3/3] RUN test
#3 CACHED

${explainedSummary}`,
  );
});

test('tty: a miss is shown while the step runs, and at the end', () => {
  const output = sink(80, 24);
  const view = ttyView(output, { now: () => at(50), frameMs: 0, color: false });
  for (const event of explained.slice(0, 6)) view.event(event);
  view.draw();
  assert.match(output.text, / => => missed: --chown is new: "1"; a https:\/\/\*\*\*@host\/ and red/);
  for (const event of explained.slice(6)) view.event(event);
  view.finish({});
  assert.ok(output.text.endsWith(`\n${explainedSummary}`));
});

test('all views: of a first build, and of one that ran nothing, there is one thing to say', () => {
  const steps = (outcome: 'hit' | 'miss'): BuildEvent[] =>
    ['a', 'b'].flatMap((id): BuildEvent[] => [
      { type: 'vertex', id, name: id, inputs: [] },
      { type: 'explained', id, outcome, causes: outcome === 'hit' ? [] : [{ kind: 'new', text: 'new' }] },
    ]);
  for (const [outcome, text] of [
    ['hit', 'all 2 steps in the cache\n'],
    ['miss', 'none of 2 steps in the cache: no build of them is on record\n'],
  ] as const) {
    const output = sink();
    const view = plainView(output, { now: () => at(0), tickMs: 0 });
    for (const event of steps(outcome)) view.event(event);
    view.finish({});
    assert.equal(output.text, text);
  }
});
