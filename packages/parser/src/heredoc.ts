/** Heredocs: finding them in an instruction line and taking their bodies (BuildKit's parser/parser.go). */
import type { Heredoc } from './ast.js';
import { lex } from './expand.js';
import { fault } from './fault.js';
import { type LineReader, trimNewline } from './lines.js';

/** What `<<EOF` says, before the body is read. */
export type HeredocWord = Omit<Heredoc, 'body' | 'rawBody'>;

const pattern = /^(\d*)<<(-?)([^<]*)$/;
const nothing = () => undefined;
/** A name that means itself. */
const plainName = /^[\w.-]+$/;
/** No quote, escape or variable: words are what stands between blanks. */
const plainLine = /^[\w.\-<=/:, \t]*$/;

/** Reads one word as a heredoc, undefined if it is none. */
export function readHeredocWord(word: string): HeredocWord | undefined {
  if (!word.includes('<<')) return undefined;
  const match = pattern.exec(word);
  const rest = match?.[3];
  if (!match || !rest) return undefined;
  if (plainName.test(rest)) {
    return { name: rest, expand: true, chomp: match[2] === '-', fileDescriptor: Number(match[1] ?? '') };
  }
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
  const words = wordsOf(line);
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

function wordsOf(line: string): string[] {
  if (plainLine.test(line)) return line.split(/[ \t]+/).filter((word) => word !== '');
  try {
    return lex(line, nothing, { escape: '\\', keepQuotes: true, keepEscapes: true, keepUnset: true }).words;
  } catch {
    return [];
  }
}

/** Takes the bodies that follow the instruction line. */
export function takeBodies(words: readonly HeredocWord[], reader: LineReader): Heredoc[] {
  return words.map((word) => {
    const start = reader.line;
    for (;;) {
      const raw = reader.takeRaw();
      if (raw === undefined) {
        throw fault(
          'HEREDOC',
          'unterminated heredoc',
          `Add a line that holds only ${word.name}; if no heredoc is meant, put << in quotes.`,
        );
      }
      if (raw === word.name) break;
      const plain = trimNewline(raw);
      if ((word.chomp ? chomp(plain) : plain) === word.name) break;
    }
    const lines = reader.between(start, reader.line - 1);
    const rawBody = lines.length === 0 ? '' : `${lines.join('\n')}\n`;
    const body = word.chomp ? chomp(rawBody) : rawBody;
    const { name, expand, chomp: isChomped, fileDescriptor } = word;
    return { name, expand, chomp: isChomped, fileDescriptor, body, rawBody };
  });
}

/** Removes the leading tabs of every line. */
export function chomp(text: string): string {
  return text.includes('\t') ? text.replace(/^\t+/gm, '') : text;
}

/** The bodies as they follow an instruction: each with its terminator, joined by line ends. */
export function heredocText(heredocs: readonly Heredoc[]): string {
  return heredocs.map((heredoc) => `\n${heredoc.rawBody}${heredoc.name}`).join('');
}
