/**
 * A `#` in the middle of a continued shell command: the lines are joined before the shell sees them, so it comments
 * out everything that follows. Only the parser knows where the lines were joined.
 */
import type { FromInstruction, Instruction, ParseWarning } from './ast.js';
import { type LogicalLine, rangeOf } from './lines.js';

export function findSwallowedComment(
  instruction: FromInstruction | Instruction,
  line: LogicalLine,
): ParseWarning[] {
  const text = shellText(instruction);
  const lastPiece = line.joins.at(-2) ?? 0;
  if (text === undefined || lastPiece === 0 || !text.includes('#')) return [];
  const start = line.text.lastIndexOf(text);
  const at = commentStart(text);
  if (at === undefined || start < 0 || start + at >= lastPiece) return [];
  const message = 'The # begins a comment that takes in all lines joined to this one, they are never run';
  return [{ rule: 'SwallowedComment', message, range: rangeOf(line, start + at, start + at + 1) }];
}

function shellText(instruction: FromInstruction | Instruction): string | undefined {
  switch (instruction.kind) {
    case 'run':
      return instruction.command.form === 'shell' && instruction.heredocs.length === 0
        ? instruction.command.text
        : undefined;
    case 'cmd':
    case 'entrypoint':
      return instruction.command.form === 'shell' ? instruction.command.text : undefined;
    default:
      return undefined;
  }
}

/** Where sh takes a comment to begin: a # at the start of a word, outside of quotes. */
function commentStart(text: string): number | undefined {
  let quote = '';
  let wordStart = true;
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === '#' && wordStart && quote === '') return at;
    if (char === '\\' && quote !== "'") at += 1;
    else if (quote !== '') quote = char === quote ? '' : quote;
    else if (char === '"' || char === "'" || char === '`') quote = char === '`' ? '' : char;
    wordStart = quote === '' && /[\s;&|()]/.test(char);
  }
  return undefined;
}
