import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { completionScript } from '../../src/cli/completion.js';

const has = (shell: string) => spawnSync(shell, ['-c', 'true']).status === 0;

for (const [shell, flag] of [
  ['bash', '-n'],
  ['zsh', '-n'],
  ['fish', '--no-execute'],
] as const) {
  test(`${shell} accepts its script`, { skip: has(shell) ? false : `${shell} is not installed` }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'tsbuild-completion-'));
    try {
      writeFileSync(join(folder, 'script'), completionScript(shell));
      const run = spawnSync(shell, [flag, join(folder, 'script')], { encoding: 'utf8' });
      assert.deepEqual([run.status, run.stderr], [0, '']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

/** What bash offers for the words, of which the last is being typed. */
function offers(words: string[]): string[] {
  const script = `${completionScript('bash')}
tsbuild() { printf 'app:1\\nbase:2\\n'; }
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
_tsbuild; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const run = spawnSync('bash', ['-c', script], { encoding: 'utf8', cwd: '/' });
  assert.equal(run.stderr, '');
  return run.stdout.split('\n').filter((line) => line !== '');
}

test('bash offers commands, flags, values and images', () => {
  const table: [string[], string[]][] = [
    [
      ['tsbuild', 'pu'],
      ['push', 'pull'],
    ],
    [['tsbuild', 'doctor', '--j'], ['--json']],
    [['tsbuild', 'build', '--progress', 'p'], ['plain']],
    [['tsbuild', '--progress', 't'], ['tty']],
    [
      ['tsbuild', 'run', ''],
      ['app:1', 'base:2'],
    ],
    [['tsbuild', 'rm', 'b'], ['base:2']],
    [
      ['tsbuild', 'completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['tsbuild', 'build', '--targ'], ['--target']],
    [['tsbuild', 'build', 'us'], ['usr']],
    [['tsbuild', 'tag', 'app:1', '--ro'], ['--root']],
  ];
  for (const [words, expected] of table) assert.deepEqual(offers(words), expected, words.join(' '));
});
