/** Text to AST. */
import { type SourceLocation, type SourceRange, TsbuildError } from '@tsbuild/core';
import type {
  AddInstruction,
  CopyInstruction,
  Dockerfile,
  EscapeToken,
  FromInstruction,
  Heredoc,
  Instruction,
  ParseWarning,
} from './ast.js';
import { readDirectives } from './directives.js';
import { fault } from './fault.js';
import { cutFlags } from './flags.js';
import { findHeredocs, takeBodies } from './heredoc.js';
import { isInstructionName } from './instruction-names.js';
import { parseInstruction } from './instructions/index.js';
import type { Request } from './instructions/request.js';
import { LineReader, type LogicalLine, rangeOf } from './lines.js';
import { none } from './none.js';
import { parseOnbuild, triggerFault } from './onbuild.js';
import { PhysicalLines } from './physical-lines.js';
import { splitCommand, splitKeyword } from './split.js';
import { findSwallowedComment } from './swallowed-comment.js';

/** Longest physical line, bytes (BuildKit's limit). */
const maxLineBytes = 65535;

/**
 * Parses a Dockerfile. Nothing is expanded and no stage is looked up.
 * @param input bytes are read as UTF-8
 * @param filename as the user named it; goes into errors
 * @throws TsbuildError TSB_PARSE_* with the place
 */
export function parseDockerfile(input: string | Uint8Array, filename: string): Dockerfile {
  const decoded =
    typeof input === 'string' ? input : new TextDecoder('utf-8', { ignoreBOM: true }).decode(input);
  const text = decoded.startsWith('\uFEFF') ? decoded.slice(1) : decoded;
  const lines = new PhysicalLines(text);
  const locate = (range: SourceRange): SourceLocation => ({ file: filename, range, text });
  if (text === '') {
    throw fault('EMPTY', 'the Dockerfile cannot be empty', 'Write at least a FROM line.').with({
      source: locate(wholeLine(lines, 1)),
    });
  }
  const report = (error: Error, index: number): never => {
    throw placed(error, locate(wholeLine(lines, index + 1)));
  };
  checkLengths(lines, report);
  const { list: directives, escape } = readDirectives(lines, report);
  const reader = new LineReader(lines, escape, directives.length);
  const file: Dockerfile = { filename, text, escape, directives, metaArgs: [], stages: [], warnings: [] };
  const warn = (warning: ParseWarning) => void file.warnings.push(warning);
  let found = false;
  let posixShell = true;
  for (let line = reader.next(); line !== undefined; line = reader.next()) {
    found = true;
    if (line.hasBlankLines) file.warnings.push(emptyContinuation(line));
    const instruction = readInstruction(line, reader, lines, escape, locate, warn);
    posixShell = shellAfter(instruction, posixShell);
    if (posixShell && line.joins.length > 0) file.warnings.push(...findSwallowedComment(instruction, line));
    if (instruction.kind === 'copy' || instruction.kind === 'add') warnOfBlank(instruction, warn);
    addInstruction(file, instruction, locate);
  }
  const end = locate(wholeLine(lines, lines.count));
  if (!found)
    throw fault('EMPTY', 'file with no instructions', 'Write at least a FROM line.').with({ source: end });
  if (file.stages.length === 0) {
    const hint = 'Add FROM image after the ARG lines.';
    throw fault('NO_STAGE', 'dockerfile contains no stages to build', hint).with({ source: end });
  }
  return file;
}

/**
 * Parses the text of an ONBUILD trigger, as config.OnBuild holds it. The escape character is `\`.
 * @throws TsbuildError TSB_PARSE_*; the file is called `ONBUILD`
 */
export function parseTrigger(text: string): Instruction {
  const lines = new PhysicalLines(text);
  const locate = (range: SourceRange): SourceLocation => ({ file: 'ONBUILD', range, text });
  const reader = new LineReader(lines, '\\', 0);
  const line = reader.next();
  const whole = locate({ ...wholeLine(lines, lines.count), startLine: 1, startColumn: 1 });
  if (line === undefined) {
    throw fault('EMPTY', 'file with no instructions', 'Write an instruction after ONBUILD.').with({
      source: whole,
    });
  }
  const instruction = readInstruction(line, reader, lines, '\\', locate, () => {});
  if (instruction.kind === 'from' || instruction.kind === 'onbuild' || instruction.kind === 'maintainer') {
    throw placed(triggerFault(instruction.keyword.toUpperCase()), locate(instruction.range));
  }
  if (reader.next() !== undefined) {
    const hint = 'Write one ONBUILD for each instruction.';
    throw fault('ONBUILD', 'a trigger holds exactly one instruction', hint).with({ source: whole });
  }
  return instruction;
}

/** FROM opens a stage; all others stand in one. */
type AnyInstruction = FromInstruction | Instruction;

function readInstruction(
  line: LogicalLine,
  reader: LineReader,
  lines: PhysicalLines,
  escape: EscapeToken,
  locate: (range: SourceRange) => SourceLocation,
  warn: (warning: ParseWarning) => void,
): AnyInstruction {
  try {
    return instructionOf(line, reader, lines, escape, warn);
  } catch (error) {
    throw placed(
      error,
      locate({
        ...rangeOf(line, 0, line.text.length),
        endLine: reader.line,
        endColumn: lineEnd(lines, reader.line),
      }),
    );
  }
}

function instructionOf(
  line: LogicalLine,
  reader: LineReader,
  lines: PhysicalLines,
  escape: EscapeToken,
  warn: (warning: ParseWarning) => void,
): AnyInstruction {
  const { keyword, rest: all, restOffset } = splitKeyword(line.text);
  const name = isInstructionName(keyword) ? keyword : keyword.toUpperCase();
  const { flags, rest, offset } =
    all.charCodeAt(0) === 0x2d ? cutFlags(all, escape) : { flags: none, rest: all, offset: 0 };
  const heredocs = rest.includes('<<') ? heredocsOf(line, name, rest, reader, escape) : none;
  const range = rangeOf(line, 0, line.text.length);
  if (heredocs.length > 0) {
    range.endLine = reader.line;
    range.endColumn = lineEnd(lines, reader.line);
  }
  const request: Request = {
    keyword,
    original: line.text,
    range,
    comments: line.comments,
    name,
    rest,
    flags,
    escape,
    heredocs,
    line,
    offset: restOffset + offset,
  };
  return name === 'ONBUILD' ? parseOnbuild(request, warn) : parseInstruction(request);
}

/** Only RUN, COPY and ADD have heredocs, and not in JSON form. */
function heredocsOf(
  line: LogicalLine,
  name: string,
  rest: string,
  reader: LineReader,
  escape: EscapeToken,
): readonly Heredoc[] {
  if (name === 'ONBUILD') {
    const { keyword, rest: inner } = splitKeyword(rest);
    const trigger = keyword.toUpperCase();
    if (trigger === 'ONBUILD') return none;
    return heredocsOf(line, trigger, cutFlags(inner, escape).rest, reader, escape);
  }
  if (name !== 'RUN' && name !== 'COPY' && name !== 'ADD') return none;
  if (splitCommand(rest).form !== 'shell') return none;
  const heredocs = findHeredocs(line.text);
  if (heredocs.length === 0) return none;
  takeBodies(heredocs, reader);
  return heredocs;
}

function addInstruction(
  file: Dockerfile,
  instruction: AnyInstruction,
  locate: (range: SourceRange) => SourceLocation,
): void {
  if (instruction.kind === 'from') {
    const index = file.stages.length;
    const { as } = instruction;
    file.stages.push(
      as === undefined
        ? { index, from: instruction, instructions: [] }
        : { index, from: instruction, instructions: [], name: as.toLowerCase() },
    );
    return;
  }
  const stage = file.stages.at(-1);
  if (stage !== undefined) stage.instructions.push(instruction);
  else if (instruction.kind === 'arg') file.metaArgs.push(instruction);
  else {
    throw fault(
      'NO_STAGE',
      'no build stage in current context',
      'Only ARG may stand before the first FROM.',
    ).with({
      source: locate(instruction.range),
    });
  }
}

/** Whether the stage has a shell in which # begins a comment, after this instruction. */
function shellAfter(instruction: AnyInstruction, posix: boolean): boolean {
  if (instruction.kind === 'from') return true;
  return instruction.kind === 'shell' ? /(?:^|\/)(?:ba|a|da|z|k)?sh$/.test(instruction.args[0] ?? '') : posix;
}

function emptyContinuation(line: LogicalLine): ParseWarning {
  return {
    rule: 'NoEmptyContinuation',
    message: 'Empty continuation line',
    range: { startLine: line.endLine, startColumn: 1, endLine: line.endLine, endColumn: 1 },
  };
}

/** `COPY << EOF /f`: the body is taken, but the words are two paths. */
function warnOfBlank(
  instruction: CopyInstruction | AddInstruction,
  warn: (warning: ParseWarning) => void,
): void {
  const { kind, json, original, sources, range } = instruction;
  if (
    json ||
    sources.length === 0 ||
    !original.includes('<<') ||
    !sources.some((word) => /^\d*<<$/.test(word))
  )
    return;
  const message = `${kind.toUpperCase()} takes << and the name after it for two paths; write <<NAME without a blank`;
  warn({ rule: 'HeredocWithBlank', message, range });
}

function checkLengths(lines: PhysicalLines, report: (error: Error, index: number) => never): void {
  for (let index = 0; index < lines.count; index += 1) {
    if ((lines.end(index) - lines.start(index)) * 3 <= maxLineBytes) continue;
    if (new TextEncoder().encode(lines.get(index)).length <= maxLineBytes) continue;
    const hint = 'Break the line with a backslash at its end, or copy the text from a file.';
    report(
      fault('LINE_TOO_LONG', `dockerfile line greater than max allowed size of ${maxLineBytes}`, hint),
      index,
    );
  }
}

function lineEnd(lines: PhysicalLines, line: number): number {
  return line > lines.count ? 1 : lines.end(line - 1) - lines.start(line - 1) + 1;
}

function wholeLine(lines: PhysicalLines, line: number): SourceRange {
  return { startLine: line, startColumn: 1, endLine: line, endColumn: lineEnd(lines, line) };
}

function placed(error: unknown, source: SourceLocation): unknown {
  return TsbuildError.is(error) ? error.with({ source }) : error;
}
