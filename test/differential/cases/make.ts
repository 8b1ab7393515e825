/** Short ways to write a case. */
import type { Case } from '../types.js';

/** Any Dockerfile. */
export function build(name: string, dockerfile: string, more: Partial<Case> = {}): Case {
  return { name, dockerfile, ...more };
}

/** Lines on an empty root. */
export function scratch(name: string, lines: string, more: Partial<Case> = {}): Case {
  return { name, dockerfile: `FROM scratch\n${lines}\n`, ...more };
}

/** Lines on the base image. */
export function onBase(name: string, lines: string, more: Partial<Case> = {}): Case {
  return { name, dockerfile: `FROM %BASE%\n${lines}\n`, ...more };
}
