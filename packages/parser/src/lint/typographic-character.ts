import type { Rule } from './types.js';

/** A dash that begins a word as an option's would, or a typographic quote that opens one. */
const dash = /(?:^|\s)([\u2010-\u2015\u2212]+)(?=[A-Za-z])/u;
const quote = /(?:^|[\s=[,(])([\u2018-\u201f\u2032\u2033])/u;

export const typographicCharacter: Rule = {
  name: 'TypographicCharacter',
  description:
    'Dashes and quotation marks of a word processor are ordinary letters to the builder and to the shell',
  check({ file }, report) {
    for (const { original, range } of file.stages.flatMap((stage) => [stage.from, ...stage.instructions])) {
      const bare = withoutQuotations(original);
      const found = dash.exec(bare)?.[1] ?? quote.exec(bare)?.[1];
      if (found === undefined) continue;
      const meant = dash.test(bare) ? 'a hyphen (-)' : 'a straight quote (" or \')';
      report(`Found the typographic character ${found}, which is not ${meant}`, range);
    }
  },
};

/** What stands in straight quotes is text for people. */
function withoutQuotations(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|'[^']*'/gs, '""');
}
