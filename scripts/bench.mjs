/**
 * npm run bench: times tsbuild beside docker buildx and buildah, see test/bench/main.ts, and test/bench/shared-cache.ts
 * for builds that share a cache; or its parser, test/bench/parse.ts.
 */
import { join } from 'node:path';
import { withPeers } from './lib/peers.mjs';
import { ensureBuilt } from './lib/prepare.mjs';
import { repo, run } from './lib/run.mjs';

await ensureBuilt();
const flags = process.argv.slice(2);
if (flags.join(' ') === '--case parse') {
  process.exitCode = await run(process.execPath, [join(repo, 'test/dist/bench/parse.js')]);
} else {
  await withPeers(async (env) => {
    const name = flags.join(' ').startsWith('--case shared-cache') ? 'shared-cache.js' : 'main.js';
    process.exitCode = await run(process.execPath, [join(repo, 'test/dist/bench', name), ...flags], { env });
  });
}
