/**
 * What the program says of wrong contexts, beside what docker buildx says (context-errors.json). UPDATE_GOLDEN=1 writes what is
 * said now.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

interface Case {
  name: string;
  /** In the folder that makeFolder makes. */
  args: string[];
  /** Standard input. */
  input?: string;
  buildkit: string;
  tsbuild: string;
}

const golden = fileURLToPath(new URL('../../../test/cli/context-errors.json', import.meta.url));
const cases = JSON.parse(readFileSync(golden, 'utf8')) as Case[];
const update = process.env['UPDATE_GOLDEN'] === '1';
const bin = fileURLToPath(new URL('../../../bin/tsbuild', import.meta.url));
const bundle = fileURLToPath(new URL('../../bundle/cli.mjs', import.meta.url));

/** No terminal's colours, and no agent of whoever runs the tests. */
const { SSH_AUTH_SOCK: _, ...inherited } = process.env;
const env = { ...inherited, NO_COLOR: '1' };

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tsbuild-contexts-'));
  const files = {
    'app/Dockerfile': 'FROM scratch\nCOPY src/main.js /\n',
    'app/src/main.ts': '',
    'empty/other': '',
    'ignored/Dockerfile': 'FROM scratch\nCOPY a.log /\n',
    'ignored/a.log': '',
    'ignored/.dockerignore': '# logs\n*.log\n',
    'pattern/Dockerfile': 'FROM scratch\nCOPY . /\n',
    'pattern/.dockerignore': 'a\n[b\n',
    'loop/Dockerfile': 'FROM scratch\nCOPY a/x /\n',
    'star/Dockerfile': 'FROM scratch\nCOPY *.txt /\n',
    'case/Dockerfile': 'FROM scratch\nCOPY readme.md /\n',
    'case/README.md': '',
    'outside/Dockerfile': 'FROM scratch\nCOPY ../app/src /\n',
    'stage/Dockerfile': 'FROM scratch AS one\nFROM scratch\nCOPY --from=one /file /\n',
    'bind/Dockerfile': 'FROM scratch\nRUN --mount=type=bind,source=none,target=/m ["/m"]\n',
    'below/Dockerfile': 'FROM scratch\nCOPY file/below /\n',
    'below/file': '',
    'fine/Dockerfile': 'FROM scratch\nCOPY --from=more x /\n',
    broken: '\x1f\x8b\x08\x00nothing',
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text, 'latin1');
  }
  mkdirSync(join(folder, 'nofile/Dockerfile'), { recursive: true });
  symlinkSync('b', join(folder, 'loop/a'));
  symlinkSync('a', join(folder, 'loop/b'));
  mkdirSync(join(folder, 'linked'));
  symlinkSync('../app/Dockerfile', join(folder, 'linked/Dockerfile'));
  return folder;
}

describe('wrong contexts', { skip: existsSync(bundle) ? false : 'the bundle is not built' }, () => {
  let folder: string;
  before(() => {
    folder = makeFolder();
  });
  after(() => {
    spawnSync(bin, ['prune', '--root', join(folder, 'store'), '--all', '--force']);
    rmSync(folder, { recursive: true, force: true });
    if (update) writeFileSync(golden, `${JSON.stringify(cases, null, 2)}\n`);
  });

  for (const each of cases)
    test(each.name, () => {
      const { status, stderr } = spawnSync(
        bin,
        ['build', '--root', join(folder, 'store'), '--progress', 'quiet', ...each.args],
        {
          cwd: folder,
          encoding: 'utf8',
          input: each.input ?? '',
          timeout: 60_000,
          env,
        },
      );
      const said = stderr.replaceAll(folder, '/work');
      if (update) each.tsbuild = said;
      assert.equal(said, each.tsbuild);
      assert.ok(status === 1 || status === 2, `${status}`);
      assert.match(said, /^ {2}try: \S/m, 'the way out');
      assert.match(said, /^ {2}code: TSB_[A-Z]+_\w+$/m);
    });
});
