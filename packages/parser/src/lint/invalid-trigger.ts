import { parserRule } from './parser-rule.js';

export const invalidTrigger = parserRule({
  name: 'InvalidTrigger',
  description: 'An ONBUILD trigger that cannot be parsed fails every build on this image',
});
