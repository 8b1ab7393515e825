/**
 * Bundles what users start and import into packages/tsbuild/dist/bundle:
 *   cli.mjs, engine.mjs, operations.mjs and the chunks they share: start-up reads one small file, everything heavy
 *   is a chunk that is imported when it is needed;
 *   index.mjs and index.cjs: the library, for import and for require.
 * The addon stays outside: it is found through its package.
 */
import { rmSync, writeFileSync } from 'node:fs';
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
await build({
  ...common,
  entryPoints: {
    cli: 'dist/src/cli/main.js',
    engine: 'dist/src/engine/main.js',
    operations: 'dist/src/engine/operations.js',
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
writeFileSync(
  `${outdir}/index.d.cts`,
  `import type * as api from '../src/index.js' with { 'resolution-mode': 'import' };
export type * from '../src/api/types.js' with { 'resolution-mode': 'import' };
export type { ErrorCode } from '@tsbuild/core' with { 'resolution-mode': 'import' };
${[
  'TsbuildError',
  'build',
  'diskUsage',
  'history',
  'images',
  'importImage',
  'inspect',
  'load',
  'login',
  'logout',
  'prune',
  'pull',
  'push',
  'remove',
  'run',
  'save',
  'tag',
]
  .map((name) => `export declare const ${name}: typeof api.${name};\n`)
  .join('')}`,
);
