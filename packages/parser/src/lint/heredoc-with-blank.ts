import { parserRule } from './parser-rule.js';

export const heredocWithBlank = parserRule({
  name: 'HeredocWithBlank',
  description: 'COPY and ADD know a heredoc only without a blank between << and its name',
});
