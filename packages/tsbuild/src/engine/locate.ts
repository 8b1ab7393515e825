/** Where the engine's programs are: beside this module in the bundle, in engine/ in a plain compile. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

function locate(bundled: string, compiled: string): string {
  const beside = new URL(bundled, import.meta.url);
  return existsSync(beside) ? beside.href : new URL(compiled, import.meta.url).href;
}

/** The program of an engine process. */
export function engineProgram(): string {
  return fileURLToPath(locate('./engine.mjs', './main.js'));
}

/**
 * URL of the module that starts engines. An import by URL stays one in the CommonJS bundle too: what it needs are ES
 * modules, which require() cannot load in every supported Node.
 */
export function childModule(): string {
  return locate('./child.mjs', './child.js');
}

/** URL of the module with the operations, for use in this process. Loaded only when it is needed. */
export function operationsModule(): string {
  return locate('./operations.mjs', './operations.js');
}
