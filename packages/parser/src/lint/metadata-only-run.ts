import type { RunInstruction } from '../ast.js';
import type { Rule } from './types.js';

/** chown, chgrp or chmod that goes down a tree. */
const recursive = /^(?:\S*\/)?(chown|chgrp|chmod)\s(?:.*\s)?(?:-[A-Za-z]*R[A-Za-z]*|--recursive)(?:\s|$)/;
const metadata = /^(?:(?:\S*\/)?(?:chown|chgrp|chmod)\s|set\s+[-+]|:$|true$)/;

export const metadataOnlyRun: Rule = {
  name: 'MetadataOnlyRun',
  description:
    'A layer has whole files: changing the owner or mode of a tree in a RUN of its own stores all of its files a second time',
  check({ stages }, report) {
    for (const { instruction, range } of stages.flatMap(({ steps }) => steps)) {
      if (instruction.kind !== 'run') continue;
      const commands = commandsOf(instruction);
      const [command] = commands.flatMap((each) => recursive.exec(each)?.[1] ?? []);
      if (command === undefined || !commands.every((each) => metadata.test(each))) continue;
      const flag = command === 'chmod' ? '--chmod' : '--chown';
      report(
        `${command} of a whole tree copies its files into a new layer: use COPY ${flag}, or do it in the RUN that makes the files`,
        range,
      );
    }
  },
};

/** The simple commands of a RUN, roughly as a shell splits them. */
function commandsOf({ command, heredocs: [script, ...more] }: RunInstruction): string[] {
  if (command.form === 'exec') return [command.args.join(' ')];
  const whole = script !== undefined && more.length === 0 && /^\d*<<-?\s*\S+$/.test(command.text.trim());
  const text = whole ? script.body : command.text;
  return text
    .split(/&&|\|\||[;&\n]/)
    .map((each) => each.trim())
    .filter((each) => each !== '' && !each.startsWith('#'));
}
