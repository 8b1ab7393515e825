/** What a command is, as data: the parser, the help texts, the completion scripts and docs/cli.md's test read it. */
import type { Args } from '../parse.js';
import type { Io } from '../io.js';

export interface FlagSpec {
  /** Long name without dashes. */
  name: string;
  /** One letter. */
  short?: string;
  /**
   * `boolean` takes `--x`, `--x=false`; `string` keeps the last value given; `list` keeps all of them;
   * `csv` is a list whose values are also split at commas.
   */
  type: 'boolean' | 'string' | 'list' | 'csv';
  /** What stands for the value in help texts. */
  value?: string;
  summary: string;
  /** Environment variables that give the value where the flag does not, the first one set wins. */
  env?: readonly string[];
  /** Allowed values; also offered by the shell. */
  choices?: readonly string[];
  /** What the shell offers as value. */
  completes?: Completes;
  /** Taken so that scripts written for other builders run; has no effect. */
  ignored?: boolean;
}

export type Completes = 'file' | 'directory' | 'image' | 'command';

export interface Example {
  command: string;
  text: string;
}

export interface CommandSpec {
  name: string;
  aliases?: readonly string[];
  /** One line, without a full stop. */
  summary: string;
  /** Positional arguments as help shows them, for example `IMAGE [COMMAND ARG…]`. */
  positionals: string;
  /** How many positional arguments are taken. */
  arity: { min: number; max: number };
  completes?: Completes;
  /** Values the first positional can have. */
  choices?: readonly string[];
  /** Paragraphs for the help text. */
  description?: readonly string[];
  /** Flags end at the first positional argument: the rest belongs to a command inside an image. */
  flagsFirst?: boolean;
  /** Works without namespaces, so it may run outside the launcher. */
  direct?: boolean;
  flags: readonly FlagSpec[];
  examples: readonly Example[];
  load(): Promise<CommandModule>;
}

export interface CommandModule {
  /** Returns the exit status. */
  run(args: Args, io: Io): Promise<number>;
}
