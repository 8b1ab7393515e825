/** npm run clean: removes what the build makes. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { repo } from './lib/run.mjs';

const made = ['native/build', 'test/dist', 'test/tsconfig.tsbuildinfo'];
for (const name of readdirSync(join(repo, 'packages'))) {
  made.push(`packages/${name}/dist`, `packages/${name}/tsconfig.tsbuildinfo`);
}
for (const path of made) rmSync(join(repo, path), { recursive: true, force: true });
