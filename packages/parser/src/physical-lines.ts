/** The physical lines of a text: their offsets alone, since a string for each would cost more than to read them. */
export class PhysicalLines {
  readonly text: string;
  /** A line end at the end of the text begins no line. */
  readonly count: number;
  /** Where each line begins, and where one after the last would. */
  readonly starts: Int32Array;

  constructor(text: string) {
    this.text = text;
    let starts = new Int32Array(256);
    let count = 1;
    for (let at = 0; at < text.length; at += 1) {
      if (text.charCodeAt(at) !== 0x0a) continue;
      if (count === starts.length) starts = grown(starts);
      starts[count] = at + 1;
      count += 1;
    }
    const last = starts[count - 1] as number;
    if (count > 1 && last === text.length) {
      this.count = count - 1;
    } else {
      if (count === starts.length) starts = grown(starts);
      starts[count] = text.length + 1;
      this.count = count;
    }
    this.starts = starts;
  }

  /** Offset of the line's first character; lines are counted from 0. */
  start(index: number): number {
    return this.starts[index] as number;
  }

  /** Offset of its line end, which is not part of it. */
  end(index: number): number {
    return (this.starts[index + 1] as number) - 1;
  }

  /** The line as it stands, with a `\r` at its end. */
  get(index: number): string {
    return this.text.slice(this.start(index), this.end(index));
  }
}

/** A longer array with the same numbers at its start. */
export function grown(starts: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(starts.length * 4);
  larger.set(starts);
  return larger;
}
