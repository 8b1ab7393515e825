import type { FromInstruction } from '../ast.js';
import { fault } from '../fault.js';
import { flagTable, readFlags } from '../flags.js';
import { splitBlanks } from '../split.js';
import { countFault, type Request } from './request.js';

const known = flagTable({ platform: 'string' });
const validName = /^[a-z][a-z0-9_.-]*$/;

export function parseFrom(request: Request): FromInstruction {
  const words = splitBlanks(request.rest);
  const [image, asKeyword, as] = words;
  const named = as !== undefined && words.length === 3 && asKeyword?.toLowerCase() === 'as';
  if (image === undefined || (asKeyword !== undefined && !named)) {
    throw countFault(
      'FROM requires either one or three arguments',
      'Write FROM image, or FROM image AS name; the stage name is one word.',
    );
  }
  if (named && !validName.test(as) && !validName.test(as.toLowerCase())) {
    throw fault(
      'STAGE_NAME',
      `invalid name for build stage: ${JSON.stringify(as)}, name can't start with a number or contain symbols`,
      'Begin the name with a letter and go on with letters, digits, -, _ and . only.',
    );
  }
  const { platform } = readFlags(request.flags, known);
  const { keyword, original, range, comments } = request;
  if (platform === undefined && named)
    return { kind: 'from', keyword, original, range, comments, image, as, asKeyword };
  const from: FromInstruction = { kind: 'from', keyword, original, range, comments, image };
  if (platform !== undefined) from.platform = platform;
  if (named) {
    from.as = as;
    from.asKeyword = asKeyword;
  }
  return from;
}
