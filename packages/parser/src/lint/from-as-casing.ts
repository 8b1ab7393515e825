import { buildkitUrl, type Rule } from './types.js';

const lower = (text: string) => text.toLowerCase();

export const fromAsCasing: Rule = {
  name: 'FromAsCasing',
  description: "The 'as' keyword should match the case of the 'from' keyword",
  url: buildkitUrl('from-as-casing'),
  check({ file }, report) {
    for (const { from } of file.stages) {
      const { keyword, asKeyword } = from;
      // A keyword in mixed case is told by ConsistentInstructionCasing.
      if (asKeyword === undefined || (keyword !== lower(keyword) && keyword !== keyword.toUpperCase()))
        continue;
      if ((asKeyword === lower(asKeyword)) === (keyword === lower(keyword))) continue;
      report(`'${asKeyword}' and '${keyword}' keywords' casing do not match`, from.range);
    }
  },
};
