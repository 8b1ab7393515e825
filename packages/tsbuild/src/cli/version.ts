/** The version of this package. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Read from package.json, which is above this module in the bundle and in a plain compile. */
export function packageVersion(): string {
  for (let folder = new URL('.', import.meta.url); ; folder = new URL('..', folder)) {
    const file = fileURLToPath(new URL('package.json', folder));
    if (existsSync(file)) {
      const content = JSON.parse(readFileSync(file, 'utf8')) as { name?: string; version?: string };
      if (content.name === 'tsbuild') return content.version ?? 'unknown';
    }
    if (folder.pathname === '/') return 'unknown';
  }
}
