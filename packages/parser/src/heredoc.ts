/** Heredocs: finding them in an instruction line and taking their bodies (BuildKit's parser/parser.go). */
import type { Heredoc } from './ast.js';
import { lex } from './expand.js';
import { fault } from './fault.js';
import { type LineReader, trimNewline } from './lines.js';

/** What `<<EOF` says, before the body is read. */
export type HeredocWord = Omit<Heredoc, 'body' | 'rawBody'>;

const pattern = /^(\d*)<<(-?)([^<]*)$/;
const nothing = () => undefined;

/** Reads one word as a heredoc, undefined if it is none. */
export function readHeredocWord(word: string): HeredocWord | undefined {
  const match = pattern.exec(word);
  const rest = match?.[3];
  if (!match || !rest) return undefined;
  const [name, more] = lex(rest, nothing, { escape: '\\', keepUnset: true }).words;
  if (name === undefined || more !== undefined) return undefined;
  const kept = lex(rest, nothing, { escape: '\\', keepUnset: true, keepQuotes: true }).words;
  if (kept.length !== 1) return undefined;
  return {
    name,
    expand: kept[0] === name,
    chomp: match[2] === '-',
    fileDescriptor: Number(match[1] ?? ''),
  };
}

/**
 * The heredocs of a whole instruction line, in order. A line with an open quotation has none. After `<<` blanks
 * do not end a word, in arithmetic such as `$((1 << 3))` neither: BuildKit reads that as a heredoc too.
 */
export function findHeredocs(line: string): HeredocWord[] {
  let words: string[];
  try {
    words = lex(line, nothing, { escape: '\\', keepQuotes: true, keepEscapes: true, keepUnset: true }).words;
  } catch {
    return [];
  }
  const found: HeredocWord[] = [];
  let open = '';
  for (const word of words) {
    const whole = open + word;
    open = whole.endsWith('<<') ? whole : '';
    const heredoc = open === '' ? readHeredocWord(whole) : undefined;
    if (heredoc !== undefined) found.push(heredoc);
  }
  return found;
}

/** Takes the bodies that follow the instruction line. */
export function takeBodies(words: readonly HeredocWord[], reader: LineReader): Heredoc[] {
  return words.map((word) => {
    const lines: string[] = [];
    for (;;) {
      const raw = reader.takeRaw();
      if (raw === undefined) {
        throw fault(
          'HEREDOC',
          'unterminated heredoc',
          `Add a line that holds only ${word.name}; if no heredoc is meant, put << in quotes.`,
        );
      }
      const plain = trimNewline(raw);
      if ((word.chomp ? plain.replace(/^\t+/, '') : plain) === word.name) break;
      lines.push(raw);
    }
    const rawBody = lines.map((line) => `${line}\n`).join('');
    return { ...word, body: word.chomp ? chomp(rawBody) : rawBody, rawBody };
  });
}

/** Removes the leading tabs of every line. */
export function chomp(text: string): string {
  return text.replace(/^\t+/gm, '');
}

/** The bodies as they follow an instruction: each with its terminator, joined by line ends. */
export function heredocText(heredocs: readonly Heredoc[]): string {
  return heredocs.map((heredoc) => `\n${heredoc.rawBody}${heredoc.name}`).join('');
}
