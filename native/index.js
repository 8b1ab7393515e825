/** Loads the compiled addon; see index.d.ts for what it offers. */
import { createRequire } from 'node:module';
