/**
 * ONBUILD. The trigger is stored as text and parsed when it fires. Like BuildKit's, this parser refuses one here only
 * for what is wrong with its syntax; what else would make it fail is a warning.
 */
import { TsbuildError } from '@tsbuild/core';
import type { OnbuildInstruction, ParseWarning } from './ast.js';
import { fault } from './fault.js';
import { cutFlags } from './flags.js';
import { heredocText } from './heredoc.js';
import { parseInstruction } from './instructions/index.js';
import { atLeastOne, refuseFlags, type Request } from './instructions/request.js';
import { splitKeyword } from './split.js';

export function parseOnbuild(request: Request, warn: (warning: ParseWarning) => void): OnbuildInstruction {
  const { rest, heredocs, keyword, original, range, comments } = request;
  const inner = splitKeyword(rest);
  const name = inner.keyword.toUpperCase();
  atLeastOne(request, name.length, 'ONBUILD RUN make');
  refuseFlags(request);
  if (name === 'ONBUILD' || name === 'FROM' || name === 'MAINTAINER') throw triggerFault(name);
  checkTrigger({ ...request, name, rest: inner.rest, keyword: inner.keyword }, warn);
  // Stored as written, blanks at the end included.
  const text = original.replace(/^[\t\n\f\r ]*ONBUILD[\t\n\f\r ]*/i, '');
  return { kind: 'onbuild', keyword, original, range, comments, trigger: text + heredocText(heredocs) };
}

export function triggerFault(name: string): TsbuildError {
  if (name === 'ONBUILD') {
    return fault('ONBUILD', "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", 'Write ONBUILD once.');
  }
  const hint = `Remove this line, or write ${name} without ONBUILD.`;
  return fault('ONBUILD', `${name} isn't allowed as an ONBUILD trigger`, hint);
}

function checkTrigger(trigger: Request, warn: (warning: ParseWarning) => void): void {
  try {
    const { flags, rest } = cutFlags(trigger.rest, trigger.escape);
    parseInstruction({ ...trigger, flags, rest });
  } catch (error) {
    if (!TsbuildError.is(error)) throw error;
    if (error.code === 'TSB_PARSE_JSON_ARRAY' || error.code === 'TSB_PARSE_KEY_VALUE') throw error;
    const message = `Builds on this image will fail: ${error.message}`;
    warn({ rule: 'InvalidTrigger', message, range: trigger.range });
  }
}
