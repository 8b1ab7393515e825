/** The table of instructions. */
import { didYouMean } from '@tsbuild/core';
import type { FromInstruction, Instruction } from '../ast.js';
import { fault } from '../fault.js';
import { instructionNames } from '../instruction-names.js';
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

type Parser = (request: Request) => FromInstruction | Instruction;

/** All but ONBUILD, which parses the instruction it holds (parse.ts). */
const parsers = new Map<string, Parser>(
  Object.entries<Parser>({
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
  } satisfies Record<Exclude<(typeof instructionNames)[number], 'ONBUILD'>, Parser>),
);

/** @throws TsbuildError TSB_PARSE_UNKNOWN_INSTRUCTION, and the instruction's own errors */
export function parseInstruction(request: Request): FromInstruction | Instruction {
  const parser = parsers.get(request.name);
  if (parser !== undefined) return parser(request);
  const { keyword } = request;
  const shown = keyword.length > 80 ? `${keyword.slice(0, 80)}…` : keyword;
  throw fault(
    'UNKNOWN_INSTRUCTION',
    `unknown instruction: ${shown}${didYouMean(request.name, instructionNames)}`,
    `Instructions are ${instructionNames.join(', ')}; a line that belongs to the one before needs \\ at the end of that one.`,
  );
}
