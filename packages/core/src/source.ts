/** Positions in a user's text file. Lines and columns count from 1; columns count UTF-16 units. */
export interface SourceRange {
  startLine: number;
  startColumn: number;
  endLine: number;
  /** Column just after the last character. */
  endColumn: number;
}

export interface SourceLocation {
  /** Name of the file as the user gave it ("Dockerfile", "-" for standard input). */
  file: string;
  range: SourceRange;
  /** The whole text of the file, so that a frame can be drawn without reading it again. */
  text: string;
}
