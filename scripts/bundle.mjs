/**
 * Bundles what users start and import into packages/tsbuild/dist/bundle:
 *   cli.mjs, engine.mjs, operations.mjs, child.mjs and the chunks they share: start-up reads one small file, everything heavy
 *   is a chunk that is imported when it is needed;
 *   index.mjs and index.cjs: the library, for import and for require; their types are in dist/types.
 * The addon stays outside: it is found through its package.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const home = fileURLToPath(new URL('../packages/tsbuild/', import.meta.url));
const outdir = `${home}dist/bundle`;

/** @type {import('esbuild').BuildOptions} */
const common = {
  absWorkingDir: home,
  bundle: true,
  platform: 'node',
  target: 'node20',
  external: ['@tsbuild/native'],
  logLevel: 'warning',
  legalComments: 'none',
  // Names are kept readable: what a user reports has to be legible.
  minify: false,
  sourcemap: false,
};

/** Some dependencies are CommonJS and require Node's own modules; an ESM bundle has no require of its own. */
const requireShim =
  "import { createRequire as __createRequire } from 'node:module';const require = __createRequire(import.meta.url);";

rmSync(outdir, { recursive: true, force: true });
const programs = await build({
  ...common,
  metafile: true,
  entryPoints: {
    cli: 'dist/src/cli/main.js',
    engine: 'dist/src/engine/main.js',
    operations: 'dist/src/engine/operations.js',
    child: 'dist/src/engine/child.js',
    index: 'dist/src/index.js',
  },
  outdir,
  format: 'esm',
  splitting: true,
  outExtension: { '.js': '.mjs' },
  // Beside the entries: engine/locate.ts looks for them next to its own module.
  chunkNames: 'chunk-[hash]',
  banner: { js: requireShim },
});
await build({
  ...common,
  entryPoints: { index: 'dist/src/index.js' },
  outdir,
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  define: { 'import.meta.url': '__moduleUrl' },
  banner: { js: "const __moduleUrl = require('node:url').pathToFileURL(__filename).href;" },
});
writeTypes(programs.metafile.outputs['dist/bundle/index.mjs'].exports);

/**
 * Types that need no other package: the declarations of the API and of core, which they use, side by side; for
 * CommonJS a file that names the same types, so that values of both kinds of modules fit together.
 * @param {string[]} values names of all values that the library exports
 */
function writeTypes(values) {
  const types = `${home}dist/types`;
  rmSync(types, { recursive: true, force: true });
  const core = fileURLToPath(new URL('../packages/core/dist/src/', import.meta.url));
  for (const name of readdirSync(core).filter((name) => name.endsWith('.d.ts')))
    copyTypes(`${core}${name}`, `${types}/core/${name}`, './');
  for (const name of ['index', 'api/build', 'api/operations', 'api/types'])
    copyTypes(`${home}dist/src/${name}.d.ts`, `${types}/${name}.d.ts`, name === 'index' ? './' : '../');
  const mode = "with { 'resolution-mode': 'import' }";
  const lines = [
    `import type * as api from './index.js' ${mode};`,
    `export type * from './index.js' ${mode};`,
    'export type TsbuildError = api.TsbuildError;',
    ...values.map((name) => `export declare const ${name}: typeof api.${name};`),
  ];
  writeFileSync(`${types}/index.d.cts`, `${lines.join('\n')}\n`);
}

/** @param {string} up from the copy to the types' folder */
function copyTypes(from, to, up) {
  mkdirSync(dirname(to), { recursive: true });
  const text = readFileSync(from, 'utf8').replaceAll("'@tsbuild/core'", `'${up}core/index.js'`);
  writeFileSync(to, text.replace(/^\/\/# sourceMappingURL=.*\n?/m, ''));
}
