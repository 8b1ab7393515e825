/** docker buildx, buildah, a registry and an installed tsbuild, for as long as something compares them. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensurePackages } from './apt.mjs';
import { debianTar } from './bases.mjs';
import { startRegistry } from './registry.mjs';
import { ensureUser, installTree } from './rootless.mjs';
import { must, repo } from './run.mjs';

const setup = join(repo, 'test/peers/setup.sh');

/** Calls work with the environment that test/support/env.ts and test/peers expect; needs root. */
export async function withPeers(work) {
  await ensurePackages(['docker-registry', 'mmdebstrap', 'skopeo', 'uidmap', 'umoci', 'attr']);
  await must('bash', [setup]);
  const folder = mkdtempSync(join(tmpdir(), 'tsbuild-test-'));
  chmodSync(folder, 0o755);
  const registry = await startRegistry();
  try {
    const user = await ensureUser();
    await work({
      ...process.env,
      TSBUILD_TEST_BIN: installTree(join(folder, 'app')),
      TSBUILD_TEST_USER: `${user.uid}:${user.gid}:${user.home}`,
      TSBUILD_TEST_REGISTRY: registry.host,
      TSBUILD_TEST_DEBIAN: await debianTar(),
      TSBUILD_TEST_GOLDEN: join(repo, 'test/differential/golden'),
      TSBUILD_TEST_REPO: repo,
    });
  } finally {
    await registry.stop();
    rmSync(folder, { recursive: true, force: true });
    await must('bash', [setup, 'stop']);
  }
}
