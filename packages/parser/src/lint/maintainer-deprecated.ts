import { buildkitUrl, type Rule } from './types.js';

export const maintainerDeprecated: Rule = {
  name: 'MaintainerDeprecated',
  description: 'The MAINTAINER instruction is deprecated, use a label instead to define an image author',
  url: buildkitUrl('maintainer-deprecated'),
  check({ file }, report) {
    for (const { kind, range } of file.stages.flatMap(({ instructions }) => instructions)) {
      if (kind === 'maintainer')
        report('Maintainer instruction is deprecated in favor of using label', range);
    }
  },
};
