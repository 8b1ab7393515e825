/** Small tools for the project's scripts: start a command, wait for it, say what happens. */
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The top folder of the checkout. */
export const repo = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

export function say(text) {
  process.stderr.write(`${text}\n`);
}

/** Ends the script with a message and the way out. */
export function fail(message, hint) {
  say(`error: ${message}`);
  if (hint) say(`  try: ${hint}`);
  process.exit(1);
}

/** Runs a command with its output shown; resolves to its exit status (128 + signal number for a signal). */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: repo, stdio: 'inherit', ...options });
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? (signal ? 137 : 1)));
  });
}

/** Runs a command that must succeed. */
export async function must(command, args, options = {}) {
  const status = await run(command, args, options);
  if (status !== 0) fail(`${[command, ...args].join(' ')} ended with status ${status}`);
}

/** Output of a command, trimmed; undefined where it fails or is missing. */
export function output(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: repo, encoding: 'utf8', ...options });
  return result.status === 0 ? result.stdout.trim() : undefined;
}

export function has(command) {
  return output('/bin/sh', ['-c', 'command -v "$1"', 'sh', command]) !== undefined;
}
