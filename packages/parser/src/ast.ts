/**
 * The abstract syntax of a Dockerfile: what is written, with source ranges, nothing expanded.
 *
 * Words keep their quotes, escapes and variables (`raw` text); whoever uses them expands them with
 * expandWord at the time and in the environment the language prescribes. The tree is plain data.
 */
import type { SourceRange } from '@tsbuild/core';

export type EscapeToken = '\\' | '`';

export interface Dockerfile {
  /** As the user named it; goes into error messages. */
  filename: string;
  /** The text as it was read, after the BOM. */
  text: string;
  escape: EscapeToken;
  directives: Directive[];
  /** ARG instructions before the first FROM. */
  metaArgs: ArgInstruction[];
  stages: Stage[];
  /** What the parser itself noticed (empty continuation lines …). */
  warnings: ParseWarning[];
}

export interface Directive {
  name: 'syntax' | 'escape' | 'check';
  value: string;
  range: SourceRange;
}

export interface ParseWarning {
  rule: string;
  message: string;
  range: SourceRange;
}

export interface Stage {
  /** Position among the stages, from 0. */
  index: number;
  /** Name after AS, in lower case. */
  name?: string;
  from: FromInstruction;
  instructions: Instruction[];
}

export type Instruction =
  | AddInstruction
  | ArgInstruction
  | CmdInstruction
  | CopyInstruction
  | EntrypointInstruction
  | EnvInstruction
  | ExposeInstruction
  | HealthcheckInstruction
  | LabelInstruction
  | MaintainerInstruction
  | OnbuildInstruction
  | RunInstruction
  | ShellInstruction
  | StopsignalInstruction
  | UserInstruction
  | VolumeInstruction
  | WorkdirInstruction;

export interface InstructionBase {
  /** The keyword as written (`run`, `Run`); `kind` has it in normal form. */
  keyword: string;
  /** The logical line: continuations joined, comments gone, heredoc bodies not included. */
  original: string;
  /** From the keyword's first character to the end of the last line, heredoc bodies included. */
  range: SourceRange;
  /** Comment lines directly above, without `#` and blanks. */
  comments: readonly string[];
}

/** A word or a key-value pair is raw: quotes, escapes and `$` stand as written. */
export type RawWord = string;

export interface RawPair {
  key: RawWord;
  value: RawWord;
  /** False for the old form `ENV key some text`. */
  hasEquals: boolean;
}

/** A command in JSON ("exec") form, or one string for the stage's shell. */
export type Command = { form: 'exec'; args: string[] } | { form: 'shell'; text: string };

export interface Heredoc {
  name: string;
  /** False if any part of the delimiter was quoted: the body is taken literally. */
  expand: boolean;
  /** `<<-`: leading tabs were cut from the body's lines. */
  chomp: boolean;
  fileDescriptor: number;
  body: string;
  /** The body as written: with `<<-` its tabs are still there. */
  rawBody: string;
}

export interface FromInstruction extends InstructionBase {
  kind: 'from';
  image: RawWord;
  platform?: RawWord;
  /** As written after AS. */
  as?: string;
  /** The word AS as written. */
  asKeyword?: string;
}

export interface RunInstruction extends InstructionBase {
  kind: 'run';
  command: Command;
  /** Raw values of --mount, in order; see parseMount. */
  mounts: readonly RawWord[];
  network?: string;
  security?: string;
  devices: readonly RawWord[];
  heredocs: readonly Heredoc[];
}

/** Shared by COPY and ADD. */
interface FileInstruction extends InstructionBase {
  /** Without heredocs; at least one of sources and heredocs is there. */
  sources: RawWord[];
  heredocs: readonly Heredoc[];
  destination: RawWord;
  /** The sources and the destination came as a JSON array. */
  json: boolean;
  chown?: RawWord;
  chmod?: RawWord;
  link: boolean;
  exclude: readonly string[];
}

export interface CopyInstruction extends FileInstruction {
  kind: 'copy';
  from?: string;
  parents: boolean;
}

export interface AddInstruction extends FileInstruction {
  kind: 'add';
  checksum?: RawWord;
  keepGitDir?: boolean;
  unpack?: boolean;
}

export interface ArgInstruction extends InstructionBase {
  kind: 'arg';
  args: { name: string; value?: RawWord; range: SourceRange }[];
}

export interface EnvInstruction extends InstructionBase {
  kind: 'env';
  pairs: RawPair[];
}

export interface LabelInstruction extends InstructionBase {
  kind: 'label';
  pairs: RawPair[];
}

export interface CmdInstruction extends InstructionBase {
  kind: 'cmd';
  command: Command;
}

export interface EntrypointInstruction extends InstructionBase {
  kind: 'entrypoint';
  command: Command;
}

export interface ShellInstruction extends InstructionBase {
  kind: 'shell';
  args: string[];
}

export interface WorkdirInstruction extends InstructionBase {
  kind: 'workdir';
  path: RawWord;
}

export interface UserInstruction extends InstructionBase {
  kind: 'user';
  user: RawWord;
}

export interface ExposeInstruction extends InstructionBase {
  kind: 'expose';
  ports: RawWord[];
}

export interface VolumeInstruction extends InstructionBase {
  kind: 'volume';
  paths: RawWord[];
}

export interface StopsignalInstruction extends InstructionBase {
  kind: 'stopsignal';
  signal: RawWord;
}

export interface MaintainerInstruction extends InstructionBase {
  kind: 'maintainer';
  name: string;
}

/** Durations are nanoseconds; unset members inherit the base image's. */
export interface HealthcheckInstruction extends InstructionBase {
  kind: 'healthcheck';
  none: boolean;
  command?: Command;
  interval?: number;
  timeout?: number;
  startPeriod?: number;
  startInterval?: number;
  retries?: number;
}

export interface OnbuildInstruction extends InstructionBase {
  kind: 'onbuild';
  /** What config.OnBuild stores: the text after ONBUILD, with heredoc bodies and their terminators. */
  trigger: string;
}
