/** Debian's packages: what the tests and the quickstart need from them, and where this machine gets them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, must, output, run, say } from './run.mjs';

const root = () => process.getuid?.() === 0;

export function missingPackages(names) {
  return names.filter(
    (name) => !output('dpkg-query', ['-W', '-f', '${db:Status-Status}', name])?.includes('installed'),
  );
}

/** Installs what is missing, as root or through sudo without a password; else says what to type. */
export async function ensurePackages(names) {
  const missing = missingPackages(names);
  if (missing.length === 0) return;
  const sudo = root() ? [] : ['sudo', '-n'];
  const command = [...sudo, 'apt-get', 'install', '-y', '--no-install-recommends', ...missing];
  if (!root() && (await run('sudo', ['-n', 'true'], { stdio: 'ignore' }).catch(() => 1)) !== 0) {
    fail(`Debian packages are missing: ${missing.join(' ')}`, `sudo apt-get install -y ${missing.join(' ')}`);
  }
  say(`Installing Debian packages: ${missing.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const quiet = { env, stdio: ['ignore', 'ignore', 'inherit'] };
  await must(...split([...sudo, 'apt-get', 'update', '-qq']), quiet);
  await must(...split([command[0], ...command.slice(1), '-qq']), quiet);
}

function split([command, ...args]) {
  return [command, args];
}

/** First archive URL in this machine's apt sources (deb822 or one-line style), for the main archive. */
export function debianMirror() {
  const files = ['/etc/apt/sources.list'];
  const dir = '/etc/apt/sources.list.d';
  if (existsSync(dir))
    files.push(
      ...readdirSync(dir)
        .sort()
        .map((name) => join(dir, name)),
    );
  const urls = files
    .filter((file) => existsSync(file))
    .flatMap((file) => archives(readFileSync(file, 'utf8')));
  const [first] = urls.filter((url) => /\/debian\/?$/.test(url));
  if (!first) fail('no Debian archive in the apt sources of this machine', 'run this on Debian, or add one');
  return first;
}

function archives(text) {
  const lines = text.split('\n');
  return lines.flatMap((line) => {
    const deb822 = /^URIs:\s*(\S+)/.exec(line);
    const oneLine = /^deb\s+(?:\[[^\]]*\]\s*)?(\S+)/.exec(line);
    return [deb822?.[1], oneLine?.[1]].filter(Boolean);
  });
}
