/** Errors of the parser: without a place at first; parse.ts adds the range of the instruction. */
import { TsbuildError } from '@tsbuild/core';

/** @param what the end of the code `TSB_PARSE_<what>` */
export function fault(what: string, message: string, hint: string): TsbuildError {
  return new TsbuildError(`TSB_PARSE_${what}`, message, { hint });
}
