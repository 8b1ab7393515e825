/** Builds that use no bucket don't load Amazon's client. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

/** What a module of this package imports at once, and what that imports; packages by their names. */
function imported(start: URL): Set<string> {
  const seen = new Set<string>();
  const walk = (module: URL) => {
    if (seen.has(module.href)) return;
    seen.add(module.href);
    const code = readFileSync(module, 'utf8');
    for (const [, name = ''] of code.matchAll(/^(?:import|export) (?:[^;]*? from )?'([^']+)';$/gm)) {
      if (name.startsWith('.')) walk(new URL(name, module));
      else seen.add(name);
    }
  };
  walk(start);
  return seen;
}

test('only the module of the bucket imports the client', () => {
  const source = (path: string) => new URL(`../../src/${path}.js`, import.meta.url);
  const build = imported(source('engine/build'));
  assert.ok(build.has(source('remote-cache/s3-medium').href));
  assert.deepEqual(
    [...build].filter((name) => name.startsWith('@aws-sdk')),
    [],
  );
  assert.ok(imported(source('remote-cache/s3-bucket')).has('@aws-sdk/client-s3'));
});
