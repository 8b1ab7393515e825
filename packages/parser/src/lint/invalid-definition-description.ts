import type { FromInstruction, Instruction } from '../ast.js';
import { buildkitUrl, type Rule } from './types.js';

export const invalidDefinitionDescription: Rule = {
  name: 'InvalidDefinitionDescription',
  description:
    'Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is ' +
    'not intended to be a description comment, add an empty line or comment between the instruction and the comment.',
  url: buildkitUrl('invalid-definition-description'),
  experimental: true,
  check({ file }, report) {
    for (const instruction of [
      ...file.metaArgs,
      ...file.stages.flatMap((stage) => [stage.from, ...stage.instructions]),
    ]) {
      const names = namesOf(instruction);
      const [name] = names;
      const comment = instruction.comments.at(-1);
      if (name === undefined || comment === undefined || names.includes(comment.split(' ')[0] ?? ''))
        continue;
      const example = names.length > 1 ? '<arg_key>' : name;
      const keyword = instruction.kind.toUpperCase();
      report(
        `Comment for ${keyword} should follow the format: \`# ${example} <description>\``,
        instruction.range,
      );
    }
  },
};

/** What the comment may describe: a stage by its name, or the arguments of an ARG. */
function namesOf(instruction: FromInstruction | Instruction): string[] {
  if (instruction.kind === 'arg') return instruction.args.map(({ name }) => name);
  return instruction.kind === 'from' && instruction.as !== undefined ? [instruction.as.toLowerCase()] : [];
}
