/** What commands make of their flags, and how they print results. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { Digest } from '@tsbuild/core';
import type { DiskUsage, HistoryLine, ImageSummary } from '../../src/api/types.js';
import { checkText } from '../../src/cli/describe-text.js';
import { render as renderDu } from '../../src/cli/commands/du.js';
import { render as renderHistory } from '../../src/cli/commands/history.js';
import { render as renderImages } from '../../src/cli/commands/images.js';
import { pruneOptions } from '../../src/cli/commands/prune.js';
import { parseVolume, runOptions } from '../../src/cli/commands/run.js';
import { commandNamed } from '../../src/cli/dispatch.js';
import {
  displayWidth,
  formatAge,
  formatBytes,
  formatDuration,
  truncate,
  visibleText,
} from '../../src/cli/format.js';
import { parseArgs } from '../../src/cli/parse.js';

const args = (command: string, words: string[]) => parseArgs(commandNamed(command), words, {});
const now = Date.parse('2026-01-31T12:00:00Z');
const digest = (n: number) => `sha256:${String(n).repeat(64)}` as Digest;

test('run: flags become options', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsbuild-env-'));
  try {
    writeFileSync(join(folder, 'env'), '# comment\nA=file\nB=file\r\nHOME\n\n');
    const io = {
      env: { HOME: '/h', C: 'c' },
      cwd: folder,
      stdin: new PassThrough(),
      stdout: { write: () => true },
    };
    const words = [
      '--env-file',
      'env',
      '-e',
      'B=flag',
      '-e',
      'C',
      '-e',
      'NONE',
      '-v',
      './x:/x:ro',
      '-w',
      '/w',
      '-u',
      '1:2',
      '-i',
    ];
    assert.deepEqual(
      runOptions(
        args('run', [...words, '--network', 'none', '--entrypoint', '', 'app', 'sh', '-c', 'x']),
        io,
      ),
      {
        reference: 'app',
        command: ['sh', '-c', 'x'],
        entrypoint: [],
        env: { A: 'file', B: 'flag', HOME: '/h', C: 'c' },
        volumes: [{ source: `${folder}/x`, target: '/x', readonly: true }],
        workdir: '/w',
        user: '1:2',
        network: 'none',
        interactive: true,
      },
    );
    assert.throws(() => runOptions(args('run', ['-t', 'app']), io), { code: 'TSB_USAGE_NO_TERMINAL' });
    assert.throws(() => runOptions(args('run', ['--env-file', 'none', 'app']), io), {
      code: 'TSB_USAGE_CANNOT_READ',
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('run: volumes', () => {
  assert.deepEqual(parseVolume('/a:/b', '/c'), { source: '/a', target: '/b' });
  assert.deepEqual(parseVolume('a:/b:rw', '/c'), { source: '/c/a', target: '/b' });
  assert.deepEqual(parseVolume('/a:/b:ro,z', '/c'), { source: '/a', target: '/b', readonly: true });
  for (const text of ['/a', '/a:b', ':/b', '/a:/b:x', '/a:/b:ro:x']) {
    assert.throws(() => parseVolume(text, '/c'), { code: 'TSB_USAGE_BAD_VALUE' }, text);
  }
});

test('prune: flags become options', () => {
  assert.deepEqual(
    pruneOptions(args('prune', ['-a', '--filter', 'until=24h', '--keep-storage', '1GB', '--dry-run'])),
    {
      all: true,
      dryRun: true,
      filters: ['until=24h'],
      keepBytes: 2 ** 30,
    },
  );
  assert.throws(() => pruneOptions(args('prune', ['--filter', 'label=x'])), { code: 'TSB_USAGE_BAD_VALUE' });
});

const list: ImageSummary[] = [
  {
    name: 'docker.io/library/app:1',
    familiarName: 'app:1',
    digest: digest(1),
    platforms: ['linux/amd64', 'linux/arm64'],
    created: '2026-01-31T11:00:00Z',
    size: 1_234_567,
  },
  { name: 'r:5000/x/app:2', familiarName: 'r:5000/x/app:2', digest: digest(1), platforms: [], size: 0 },
];

test('images: every format', () => {
  assert.equal(
    renderImages(list, args('images', []), now),
    'NAME           TAG   DIGEST         PLATFORM                  CREATED          SIZE\n' +
      'app            1     111111111111   linux/amd64,linux/arm64   60 minutes ago   1.23MB\n' +
      'r:5000/x/app   2     111111111111                             N/A              0B\n',
  );
});

test('images: names and digests for scripts', () => {
  assert.equal(renderImages(list, args('images', ['--format', 'name']), now), 'app:1\nr:5000/x/app:2\n');
  assert.equal(renderImages(list, args('images', ['-q']), now), `${digest(1)}\n`);
  assert.deepEqual(JSON.parse(renderImages(list, args('images', ['--format', 'json']), now)), list);
  assert.equal(
    renderImages([], args('images', []), now),
    'NAME   TAG   DIGEST   PLATFORM   CREATED   SIZE\n',
  );
});

test('history: shortened, whole, digests', () => {
  const lines: HistoryLine[] = [
    { createdBy: 'CMD ["sh"]', size: 0, created: '2026-01-01T00:00:00Z', comment: 'buildkit.dockerfile.v0' },
    { createdBy: `RUN /bin/sh -c ${'x'.repeat(60)} # buildkit`, size: 5000, diffId: digest(2) },
  ];
  assert.equal(
    renderHistory(lines, args('history', ['app']), now),
    'LAYER          CREATED       CREATED BY                                      SIZE   COMMENT\n' +
      '-              4 weeks ago   CMD ["sh"]                                      0B     buildkit.dockerfile.v0\n' +
      `222222222222   N/A           RUN /bin/sh -c ${'x'.repeat(29)}…   5kB\n`,
  );
  assert.match(renderHistory(lines, args('history', ['--no-trunc', 'app']), now), /x{60} # buildkit/);
  assert.equal(renderHistory(lines, args('history', ['-q', 'app']), now), `${digest(2)}\n`);
});

test('du', () => {
  const usage: DiskUsage = {
    total: 3000,
    reclaimable: 1000,
    images: [],
    blobs: { count: 2, bytes: 2000 },
    snapshots: { count: 1, bytes: 1000 },
    cacheMounts: { count: 0, bytes: 0 },
    index: { count: 0, bytes: 0 },
    temporary: { count: 0, bytes: 0 },
    other: 0,
    entries: [
      {
        type: 'step',
        id: digest(3),
        description: '[a 1/1] RUN x',
        bytes: 1000,
        usedAt: '2026-01-31T11:58:00Z',
        inUse: false,
      },
    ],
    records: [
      {
        key: digest(3),
        description: '[a 1/1] RUN x',
        createdAt: '',
        usedAt: '2026-01-31T11:58:00Z',
        bytes: 1000,
        inUse: false,
      },
    ],
  };
  assert.match(
    renderDu(usage, false, now),
    /^KIND +COUNT +SIZE\nimages +0\nblobs +2 +2kB\n[\s\S]*total 3kB, of which "tsbuild prune" can free 1kB\n$/,
  );
  assert.match(
    renderDu(usage, true, now),
    /^TYPE .*\nstep +333333333333 +2 minutes ago +1kB +no +\[a 1\/1\] RUN x\n/,
  );
});

test('check: text as buildx has it', () => {
  assert.equal(
    checkText({ file: { name: 'Dockerfile', text: '' }, warnings: [] }),
    'Check complete, no warnings found.\n',
  );
  const text = 'FROM busybox AS Base\n';
  const range = { startLine: 1, startColumn: 1, endLine: 1, endColumn: 21 };
  const lint = {
    rule: 'StageNameCasing',
    message: "Stage name 'Base' should be lowercase",
    description: 'Stage names should be lowercase',
    url: 'https://x/y/',
    line: 1,
    range,
  };
  assert.equal(
    checkText({ file: { name: 'Dockerfile', text }, warnings: [lint, lint] }),
    `Check complete, 2 warnings have been found!

WARNING: StageNameCasing - https://x/y/
Stage name 'Base' should be lowercase
Dockerfile:1
--------------------
   1 | >>> FROM busybox AS Base
   2 |     \n--------------------

WARNING: StageNameCasing - https://x/y/
Stage name 'Base' should be lowercase
Dockerfile:1
--------------------
   1 | >>> FROM busybox AS Base
   2 |     \n--------------------
`,
  );
});

test('sizes, times and ages', () => {
  assert.deepEqual([0, 299, 999, 1000, 1_040_000, 999_499, 999_950, 12_345_678, 5e12].map(formatBytes), [
    '0B',
    '299B',
    '999B',
    '1kB',
    '1.04MB',
    '999kB',
    '1MB',
    '12.3MB',
    '5TB',
  ]);
  assert.deepEqual([0, 99, 1234, 99_940, 99_960, 123_000, 3_720_000].map(formatDuration), [
    '0.0s',
    '0.1s',
    '1.2s',
    '99.9s',
    '1m40s',
    '2m03s',
    '1h02m',
  ]);
  const ago = (seconds: number) => formatAge(new Date(now - seconds * 1000).toISOString(), now);
  assert.deepEqual([1, 59, 60, 7199, 7200, 172_800, 14 * 86_400, 90 * 86_400, 800 * 86_400].map(ago), [
    '1 second ago',
    '59 seconds ago',
    '1 minute ago',
    '119 minutes ago',
    '2 hours ago',
    '2 days ago',
    '2 weeks ago',
    '3 months ago',
    '2 years ago',
  ]);
});

test('text for a terminal: width, cuts, escape sequences', () => {
  assert.deepEqual(['abc', '漢字', 'e\u0301', '\x1b[31mred\x1b[0m', '👍'].map(displayWidth), [3, 4, 1, 3, 2]);
  assert.deepEqual(
    [truncate('abcdef', 4), truncate('漢字漢字', 5), truncate('abc', 3), truncate('abc', 0)],
    ['abc…', '漢字…', 'abc', ''],
  );
  assert.equal(visibleText('\x1b[2K\x1b]0;title\x07 50%\r100%\x1b[0m\x07'), '100%');
  assert.equal(visibleText('a\tb'), 'a        b');
});
