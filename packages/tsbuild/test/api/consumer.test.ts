/** The package as others use it: packed, installed into an empty folder, imported and required, with its types. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as library from '../../src/index.js';

const home = fileURLToPath(new URL('../../../../../', import.meta.url));
const skip = existsSync(join(home, 'packages/tsbuild/dist/bundle/index.cjs'))
  ? false
  : 'the bundle is not built';

/** The same text is checked and run as an ES module and as CommonJS. */
const program = `
const options: BuildOptions = {
  root: process.argv[2] ?? '',
  dockerfileText: 'FROM scratch\\nLABEL a=b\\n',
  tags: ['consumer'],
  sourceDateEpoch: 1,
  outputs: [{ type: 'store' }, { type: 'oci', dest: 'x.tar', compression: 'gzip' }],
  signal: new AbortController().signal,
};
// @ts-expect-error options are checked
void ((): BuildOptions => ({ tag: 'x' }));
// @ts-expect-error so is each type of output
void ((): BuildOptions => ({ outputs: [{ type: 'local', dest: 'x', compression: 'gzip' }] }));
const codeOf = (error: TsbuildError): ErrorCode => error.code;
async function main(): Promise<void> {
  const running: BuildPromise = build(options);
  const seen = new Set<string>();
  for await (const event of running) {
    if (event.type === 'log') console.log(event.text.length, event.stream);
    if (event.type === 'completed' && event.error !== undefined) console.log(event.error.length);
    seen.add(event.type);
  }
  const result: BuildResult = await running;
  const digest: Digest | undefined = result.digest;
  const [image] = await images({ root: options.root ?? '' });
  console.log(digest === image?.digest, image?.familiarName, seen.has('vertex'));
  try {
    await inspect({ root: options.root ?? '', reference: 'nothing:here' });
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    console.log(codeOf(error), error.hint !== undefined);
  }
  try {
    await build({ root: options.root ?? '', dockerfileText: 'FRM scratch' });
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    console.log(codeOf(error), error.source?.range.startLine);
  }
}
void main();
`;
const printed = `true consumer:latest true
TSB_RESOLVE_NOT_IN_STORE true
TSB_PARSE_UNKNOWN_INSTRUCTION 1
`;
const types = ['BuildOptions', 'BuildPromise', 'BuildResult', 'Digest', 'ErrorCode'];
const files: Record<string, string> = {
  'package.json': '{ "private": true }',
  'esm.mts': `import { build, images, inspect, TsbuildError, type ${types.join(', type ')} } from 'tsbuild';${program}`,
  'cjs.cts': `import tsbuild = require('tsbuild');
const { build, images, inspect } = tsbuild;
import TsbuildError = tsbuild.TsbuildError;
${types.map((name) => `type ${name} = tsbuild.${name};`).join('\n')}${program}`,
  'names.cts': `import { build, TsbuildError, type ${types.join(', type ')} } from 'tsbuild';
const error: TsbuildError = new TsbuildError('TSB_USAGE_OPTION', 'made');
export const all: unknown[] = [build, error] satisfies [typeof build, TsbuildError];
export type All = [${types.join(', ')}];
`,
  'both.mjs': `import { createRequire } from 'node:module';
import * as imported from 'tsbuild';
const required = createRequire(import.meta.url)('tsbuild');
console.log(Object.keys(imported).join() === Object.keys(required).sort().join(), Object.keys(imported).join());
for (const [throws, other] of [[imported, required], [required, imported]]) {
  for (const call of [() => throws.build({ dockerfileText: 'x' }), () => throws.inspect({ reference: '' })]) {
    const error = await call().catch((reason) => reason);
    console.log(error instanceof throws.TsbuildError, error instanceof other.TsbuildError, error instanceof Error);
  }
}
console.log(new Error('x') instanceof imported.TsbuildError, null instanceof imported.TsbuildError);
`,
  'tsconfig.json': JSON.stringify({
    compilerOptions: {
      strict: true,
      exactOptionalPropertyTypes: true,
      module: 'nodenext',
      target: 'es2022',
      skipLibCheck: false,
      types: ['node'],
      typeRoots: [join(home, 'node_modules/@types')],
      outDir: 'out',
    },
    files: ['esm.mts', 'cjs.cts', 'names.cts'],
  }),
};

describe('the installed package', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsbuild-consumer-'));
  const run = (command: string, ...args: string[]) =>
    spawnSync(command, args, {
      cwd: folder,
      encoding: 'utf8',
      timeout: 120_000,
      env: { ...process.env, TSBUILD_ROOT: join(folder, 'store') },
    });
  // The oldest supported Node has no require() of ES modules; newer ones can be told to be like it.
  const flag = '--no-experimental-require-module';
  const old = process.allowedNodeEnvironmentFlags.has('--experimental-require-module') ? [flag] : [];
  const node = (...args: string[]) => run(process.execPath, ...old, ...args);

  before(() => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const packed = run('npm', 'pack', '--json', join(home, 'native'), join(home, 'packages/tsbuild'));
    assert.equal(packed.status, 0, packed.stderr);
    // Two packages and nothing else: no registry is asked.
    const archives = ['./tsbuild-native-0.1.0.tgz', './tsbuild-0.1.0.tgz'];
    const installed = run('npm', 'install', '--offline', '--no-audit', '--no-fund', ...archives);
    assert.equal(installed.status, 0, installed.stderr);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('import and require give the same names and know the errors of each other', () => {
    const { stdout, stderr } = node('both.mjs');
    const names = Object.keys(library).sort().join();
    assert.equal(stdout, `true ${names}\n${'true true true\n'.repeat(4)}false false\n`, stderr);
  });

  test('the types hold for both kinds of modules, and the programs run', () => {
    const checked = node(join(home, 'node_modules/typescript/bin/tsc'), '-p', folder);
    assert.equal(checked.status, 0, checked.stdout);
    for (const file of ['out/esm.mjs', 'out/cjs.cjs']) {
      const ran = node(file, join(folder, `store-of-${file.slice(4, 7)}`));
      assert.equal(ran.stdout, printed, ran.stderr);
    }
  });

  test('the command is installed beside the library', () => {
    const { version } = JSON.parse(readFileSync(join(home, 'packages/tsbuild/package.json'), 'utf8')) as {
      version: string;
    };
    const { stdout, stderr } = run(join(folder, 'node_modules/.bin/tsbuild'), 'version');
    assert.ok(stdout.includes(version), stdout + stderr);
    writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\nLABEL a=b\n');
    const built = run(join(folder, 'node_modules/.bin/tsbuild'), 'build', '-t', 'by-command', '.');
    assert.match(built.stderr, /^built by-command:latest sha256:/m);
  });
});
