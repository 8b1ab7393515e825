/** Renews the tables of types in docs/api.md: npm run docs */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { withTypeTables } from './lib/api-types.mjs';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const doc = at('docs/api.md');
const types = readFileSync(at('packages/tsbuild/src/api/types.ts'), 'utf8');
writeFileSync(doc, withTypeTables(readFileSync(doc, 'utf8'), types));
