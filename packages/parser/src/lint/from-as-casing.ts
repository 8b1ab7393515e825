import { buildkitUrl, type Rule } from './types.js';

const lower = (text: string) => text.toLowerCase();

export const fromAsCasing: Rule = {
  name: 'FromAsCasing',
  description: "The 'as' keyword should match the case of the 'from' keyword",
  url: buildkitUrl('from-as-casing'),
  check({ file }, report) {
    for (const { from } of file.stages) {
      const { keyword, asKeyword } = from;
      if (asKeyword === undefined) continue;
      // A FROM in mixed case is told by ConsistentInstructionCasing.
      const upper = keyword === keyword.toUpperCase();
      if (!upper && keyword !== lower(keyword)) continue;
      if (asKeyword === (upper ? asKeyword.toUpperCase() : lower(asKeyword))) continue;
      report(`'${asKeyword}' and '${keyword}' keywords' casing do not match`, from.range);
    }
  },
};
