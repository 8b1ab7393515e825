/** npm run bench: times tsbuild beside docker buildx and buildah; see test/bench/main.ts. */
import { join } from 'node:path';
import { withPeers } from './lib/peers.mjs';
import { ensureBuilt } from './lib/prepare.mjs';
import { repo, run } from './lib/run.mjs';

await ensureBuilt();
await withPeers(async (env) => {
  const program = join(repo, 'test/dist/bench/main.js');
  process.exitCode = await run(process.execPath, [program, ...process.argv.slice(2)], { env });
});
