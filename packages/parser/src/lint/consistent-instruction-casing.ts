import { buildkitUrl, type Rule } from './types.js';

export const consistentInstructionCasing: Rule = {
  name: 'ConsistentInstructionCasing',
  description: 'All commands within the Dockerfile should use the same casing (either upper or lower)',
  url: buildkitUrl('consistent-instruction-casing'),
  check({ file }, report) {
    const instructions = file.stages.flatMap((stage) => [stage.from, ...stage.instructions]);
    const lower = instructions.filter(({ keyword }) => keyword === keyword.toLowerCase()).length;
    const upper = instructions.filter(({ keyword }) => keyword === keyword.toUpperCase()).length;
    const majority = lower > upper ? 'lowercase' : 'uppercase';
    for (const { keyword, range } of instructions) {
      const wanted = lower > upper ? keyword.toLowerCase() : keyword.toUpperCase();
      if (keyword === wanted) continue;
      report(`Command '${keyword}' should match the case of the command majority (${majority})`, range);
    }
  },
};
