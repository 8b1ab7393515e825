/** A real S3-compatible server (OpenStack Swift, Debian's python3-swift) on a free loopback port, gone when the script ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const server = fileURLToPath(new URL('s3-server.py', import.meta.url));
const account = { accessKey: 'test:tester', secretKey: 'testing-secret', region: 'us-east-1' };

/** @returns {Promise<{ env: Record<string, string>, stop: () => Promise<void> }>} env is what the tests read */
export async function startS3() {
  const dir = mkdtempSync(join(tmpdir(), 'tsbuild-s3-'));
  const { accessKey, secretKey, region } = account;
  // Debian's own interpreter: another in the PATH doesn't see Debian's packages.
  const child = spawn('/usr/bin/python3', [server, dir, accessKey, secretKey, region], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => {
    child.once('error', resolve);
    child.once('exit', resolve);
  });
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    rmSync(dir, { recursive: true, force: true });
  };
  const [port] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line', { signal: AbortSignal.timeout(30_000) }),
    ended.then(() => []),
  ]).catch(() => []);
  if (port === undefined) {
    await stop();
    throw new Error('the S3 server (python3-swift) did not start');
  }
  const env = {
    TSBUILD_TEST_S3: `http://127.0.0.1:${port}`,
    TSBUILD_TEST_S3_ACCESS_KEY: accessKey,
    TSBUILD_TEST_S3_SECRET_KEY: secretKey,
    TSBUILD_TEST_S3_REGION: region,
  };
  return { env, stop };
}

// By hand: `node scripts/lib/s3-server.mjs` serves until it is interrupted.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { env, stop } = await startS3();
  for (const [name, value] of Object.entries(env)) console.log(`export ${name}=${value}`);
  process.once('SIGINT', () => void stop());
  process.once('SIGTERM', () => void stop());
}
