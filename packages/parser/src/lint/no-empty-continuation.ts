import { parserRule } from './parser-rule.js';
import { buildkitUrl } from './types.js';

export const noEmptyContinuation = parserRule({
  name: 'NoEmptyContinuation',
  description: 'Empty continuation lines will become errors in a future release',
  url: buildkitUrl('no-empty-continuation'),
});
