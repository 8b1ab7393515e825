/** What a Dockerfile offers to whoever builds it: the targets, and what a target takes. */

/** First and last line, from 1. */
export interface Lines {
  start: number;
  end: number;
}

export interface OutlineArg {
  name: string;
  /** The text of a comment `# NAME text` above it. */
  description?: string;
  /** With the build's arguments; undefined where it has none. */
  value?: string;
  lines: Lines;
}

/** A secret or an SSH key. */
export interface OutlineInput {
  name: string;
  required: boolean;
  lines: Lines;
}

export interface Outline {
  /** Of the target; undefined where the stage has none. */
  name?: string;
  description?: string;
  args: OutlineArg[];
  secrets: OutlineInput[];
  ssh: OutlineInput[];
}

export interface OutlineTarget {
  name?: string;
  description?: string;
  /** It is built where no target is named. */
  default: boolean;
  /** What FROM names, as written. */
  base: string;
  /** Of FROM --platform, as written. */
  platform?: string;
  lines: Lines;
}
