/** The package as others import it: ES module and CommonJS, values and types. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as library from '../../src/index.js';

const home = fileURLToPath(new URL('../../../../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tsbuild-consumer-'));
const skip = existsSync(join(home, 'packages/tsbuild/dist/bundle/index.cjs'))
  ? false
  : 'the bundle is not built';

const program = `
const failed: Promise<unknown> = build({ root: '/proc/none', dockerfileText: 'FROM scratch', tags: ['a'] });
const options: BuildOptions = { context: '.', outputs: [{ type: 'oci', dest: 'x.tar' }], push: true };
void options;
failed.catch((error: unknown) => {
  if (!(error instanceof TsbuildError)) throw error;
  const code: string = error.code;
  console.log(code);
});
async function typed(): Promise<string | undefined> {
  const result: BuildResult = await build({});
  for await (const event of build({})) if (event.type === 'log') console.log(event.text);
  return result.digest;
}
void typed;
`;
const files: Record<string, string> = {
  'esm.mts': `import { build, TsbuildError, type BuildOptions, type BuildResult } from 'tsbuild';${program}`,
  'cjs.cts': `import tsbuild = require('tsbuild');
const { build, TsbuildError } = tsbuild;
type BuildOptions = tsbuild.BuildOptions;
type BuildResult = tsbuild.BuildResult;${program}`,
  'tsconfig.json': JSON.stringify({
    compilerOptions: {
      strict: true,
      module: 'nodenext',
      target: 'es2022',
      skipLibCheck: false,
      types: ['node'],
      typeRoots: [join(home, 'node_modules/@types')],
      outDir: 'out',
    },
    files: ['esm.mts', 'cjs.cts'],
  }),
  'package.json': '{ "private": true }',
  'names.mjs': "import * as all from 'tsbuild'; console.log(Object.keys(all).sort().join());",
  'names.cjs': "console.log(Object.keys(require('tsbuild')).sort().join());",
};

before(() => {
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(join(home, 'packages/tsbuild'), join(folder, 'node_modules/tsbuild'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
});
after(() => rmSync(folder, { recursive: true }));

const node = (file: string) =>
  spawnSync(process.execPath, [join(folder, file)], { encoding: 'utf8', timeout: 60_000 });

test('import and require give the same names', { skip }, () => {
  const names = `${Object.keys(library).sort().join()}\n`;
  for (const file of ['names.mjs', 'names.cjs']) {
    const { stdout, stderr } = node(file);
    assert.equal(stdout, names, `${file}: ${stderr}`);
  }
});

test('the types hold for both kinds of modules, and the programs run', { skip, timeout: 120_000 }, () => {
  const tsc = join(home, 'node_modules/typescript/bin/tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
  for (const file of ['out/esm.mjs', 'out/cjs.cjs']) {
    const ran = node(file);
    assert.equal(ran.stdout, 'TSB_STORE_UNUSABLE\n', ran.stderr);
  }
});
