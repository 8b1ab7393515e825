import { parserRule } from './parser-rule.js';

export const swallowedComment = parserRule({
  name: 'SwallowedComment',
  description:
    'A # inside of a continued shell command comments out the lines after it; give it a line of its own',
});
