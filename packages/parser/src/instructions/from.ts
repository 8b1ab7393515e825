import type { FromInstruction } from '../ast.js';
import { fault } from '../fault.js';
import { splitBlanks } from '../split.js';
import { countFault, flagsOf, type Request } from './request.js';

const validName = /^[a-z][a-z0-9_.-]*$/;

export function parseFrom(request: Request): FromInstruction {
  const [image, asKeyword, as, more] = splitBlanks(request.rest);
  const named = as !== undefined && more === undefined && asKeyword?.toLowerCase() === 'as';
  if (image === undefined || (asKeyword !== undefined && !named)) {
    throw countFault(
      'FROM requires either one or three arguments',
      'Write FROM image, or FROM image AS name; the stage name is one word.',
    );
  }
  if (named && !validName.test(as.toLowerCase())) {
    throw fault(
      'STAGE_NAME',
      `invalid name for build stage: ${JSON.stringify(as)}, name can't start with a number or contain symbols`,
      'Begin the name with a letter and go on with letters, digits, -, _ and . only.',
    );
  }
  const { platform } = flagsOf(request, { platform: 'string' });
  return {
    kind: 'from',
    ...request.base,
    image,
    ...(platform === undefined ? {} : { platform }),
    ...(named ? { as, asKeyword } : {}),
  };
}
