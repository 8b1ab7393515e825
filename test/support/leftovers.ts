/** What a killed command must not leave behind. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** No process that works on the store, and no mount of it, a second after the kill. */
export async function nothingLeft(store: string): Promise<void> {
  const deadline = Date.now() + 3000;
  for (;;) {
    const left = [...processesOn(store), ...mountsOf(store)];
    if (left.length === 0) return;
    if (Date.now() > deadline) assert.deepEqual(left, []);
    await sleep(50);
  }
}

function processesOn(store: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8') + openFiles(pid);
        return text.includes(store);
      } catch {
        return false;
      }
    });
}

function openFiles(pid: string): string {
  try {
    return readdirSync(`/proc/${pid}/fd`)
      .map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
      .join('\n');
  } catch {
    return '';
  }
}

function mountsOf(store: string): string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return mounts.filter((line) => line.includes(store));
}
