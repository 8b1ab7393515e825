import type { EscapeToken } from '../ast.js';
import { expandWord } from '../expand.js';
import { isImageName } from './image-name.js';
import { buildkitUrl, type Rule } from './types.js';
import type { LintVariables } from './walk.js';

export const invalidDefaultArgInFrom: Rule = {
  name: 'InvalidDefaultArgInFrom',
  description: 'Default value for global ARG results in an empty or invalid base image name',
  url: buildkitUrl('invalid-default-arg-in-from'),
  check({ file, defaults }, report) {
    for (const { from } of file.stages) {
      const image = withDefaults(from.image, defaults, file.escape);
      if (image === undefined || isImageName(image)) continue;
      report(`Default value for ARG ${from.image} results in empty or invalid base image name`, from.range);
    }
  },
};

function withDefaults(image: string, defaults: LintVariables, escape: EscapeToken): string | undefined {
  try {
    return expandWord(image, (name) => defaults.get(name), escape).value;
  } catch {
    // Told by the build, or hidden by an argument.
    return undefined;
  }
}
