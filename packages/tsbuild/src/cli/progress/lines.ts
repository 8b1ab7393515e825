/** Chunks of output to lines; a line that was begun by one chunk and ended by another is one line. */

export interface Line {
  text: string;
  /** When its first character came; milliseconds since the epoch. */
  at: number;
}

export interface LineSplitter {
  /** The lines that the chunk completes. */
  push(chunk: string, at: number): Line[];
  /** The line that was begun and not ended. */
  partial(): Line | undefined;
  /** Takes the partial line out. */
  end(): Line | undefined;
}

export function lineSplitter(): LineSplitter {
  let rest: Line | undefined;
  return {
    push(chunk, at) {
      const lines: Line[] = [];
      let begin = 0;
      for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', begin)) {
        const piece = chunk.slice(begin, end);
        const text = (rest?.text ?? '') + piece;
        lines.push({ text: text.endsWith('\r') ? text.slice(0, -1) : text, at: rest?.at ?? at });
        rest = undefined;
        begin = end + 1;
      }
      if (begin < chunk.length) rest = { text: (rest?.text ?? '') + chunk.slice(begin), at: rest?.at ?? at };
      return lines;
    },
    partial: () => rest,
    end() {
      const line = rest;
      rest = undefined;
      return line;
    },
  };
}
