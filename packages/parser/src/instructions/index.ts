/** The table of instructions. */
import { didYouMean } from '@tsbuild/core';
import type { FromInstruction, Instruction } from '../ast.js';
import { fault } from '../fault.js';
import { parseCmd, parseEntrypoint, parseShell } from './command.js';
import { parseAdd, parseCopy } from './copy.js';
import { parseFrom } from './from.js';
import { parseHealthcheck } from './healthcheck.js';
import { parseArg, parseEnv, parseLabel } from './key-values.js';
import type { Request } from './request.js';
import { parseRun } from './run.js';
import {
  parseExpose,
  parseMaintainer,
  parseStopsignal,
  parseUser,
  parseVolume,
  parseWorkdir,
} from './simple.js';

/** All but ONBUILD, which parses the instruction it holds (parse.ts). */
const parsers: Record<string, (request: Request) => FromInstruction | Instruction> = {
  ADD: parseAdd,
  ARG: parseArg,
  CMD: parseCmd,
  COPY: parseCopy,
  ENTRYPOINT: parseEntrypoint,
  ENV: parseEnv,
  EXPOSE: parseExpose,
  FROM: parseFrom,
  HEALTHCHECK: parseHealthcheck,
  LABEL: parseLabel,
  MAINTAINER: parseMaintainer,
  RUN: parseRun,
  SHELL: parseShell,
  STOPSIGNAL: parseStopsignal,
  USER: parseUser,
  VOLUME: parseVolume,
  WORKDIR: parseWorkdir,
};

/** Names of all instructions, in upper case. */
export const instructionNames: readonly string[] = [...Object.keys(parsers), 'ONBUILD'].sort();

export function isInstructionName(name: string): boolean {
  return instructionNames.includes(name);
}

/** @throws TsbuildError TSB_PARSE_UNKNOWN_INSTRUCTION, and the instruction's own errors */
export function parseInstruction(request: Request): FromInstruction | Instruction {
  const parser = Object.hasOwn(parsers, request.name) ? parsers[request.name] : undefined;
  if (parser !== undefined) return parser(request);
  const { keyword } = request.base;
  const shown = keyword.length > 80 ? `${keyword.slice(0, 80)}…` : keyword;
  throw fault(
    'UNKNOWN_INSTRUCTION',
    `unknown instruction: ${shown}${didYouMean(request.name, instructionNames)}`,
    `Instructions are ${instructionNames.join(', ')}; a line that belongs to the one before needs \\ at the end of that one.`,
  );
}
