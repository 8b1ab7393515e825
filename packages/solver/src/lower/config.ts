/** Instructions that only change the image's config: CMD, ENTRYPOINT, SHELL, USER, VOLUME and the like. */
import type { Healthcheck } from '@tsbuild/core';
import type {
  CmdInstruction,
  Command,
  EntrypointInstruction,
  HealthcheckInstruction,
  MaintainerInstruction,
  OnbuildInstruction,
  ShellInstruction,
  StopsignalInstruction,
  UserInstruction,
  VolumeInstruction,
} from '@tsbuild/parser';
import { addEntries } from './entries.js';
import { fault } from './fault.js';
import { healthcheckText, plainList, quotedList, recordConfig } from './history.js';
import { Expander, type Located } from './lowering.js';
import { isSignal } from './signals.js';
import type { StageState } from './stage-state.js';

/** The arguments of a process: the string form goes through the stage's shell. */
export function commandArgs(state: StageState, command: Command): string[] {
  return command.form === 'exec' ? command.args : inShell(state, command.text);
}

export function inShell(state: StageState, text: string): string[] {
  const shell = state.config.Shell ?? [];
  return [...(shell.length > 0 ? shell : defaultShell(state)), text];
}

function defaultShell({ imagePlatform }: StageState): string[] {
  return imagePlatform.os === 'windows' ? ['cmd', '/S', '/C'] : ['/bin/sh', '-c'];
}

export function lowerCmd(state: StageState, { instruction }: Located<CmdInstruction>): void {
  const args = commandArgs(state, instruction.command);
  state.config = { ...state.config, Cmd: args, ArgsEscaped: true };
  state.cmdSet = true;
  recordConfig(state, `CMD ${quotedList(args)}`);
}

/** Clears an inherited CMD: it was meant for the inherited entry point. */
export function lowerEntrypoint(state: StageState, { instruction }: Located<EntrypointInstruction>): void {
  const args = commandArgs(state, instruction.command);
  const { Cmd, ...config } = state.config;
  state.config = { ...config, Entrypoint: args, ...(state.cmdSet && Cmd !== undefined ? { Cmd } : {}) };
  recordConfig(state, `ENTRYPOINT ${quotedList(args)}`);
}

export function lowerShell(state: StageState, { instruction }: Located<ShellInstruction>): void {
  state.config = { ...state.config, Shell: instruction.args };
  recordConfig(state, `SHELL ${plainList(instruction.args)}`);
}

export function lowerUser(state: StageState, located: Located<UserInstruction>): void {
  const user = new Expander(state, located).word(located.instruction.user);
  state.config = { ...state.config, User: user };
  recordConfig(state, `USER ${user}`);
}

export function lowerVolume(state: StageState, located: Located<VolumeInstruction>): void {
  const expander = new Expander(state, located);
  const paths = located.instruction.paths.map((path) => expander.word(path));
  if (paths.includes('')) {
    throw fault(
      'VOLUME',
      'VOLUME specified can not be an empty string',
      'Give the variable a value, or write the path itself.',
    );
  }
  const volumes = paths.map((path) => [path, {}] as const);
  state.config.Volumes = addEntries(state.config.Volumes, volumes);
  recordConfig(state, `VOLUME ${plainList(paths)}`);
}

export function lowerStopsignal(state: StageState, located: Located<StopsignalInstruction>): void {
  const signal = new Expander(state, located).word(located.instruction.signal);
  if (!isSignal(signal)) {
    throw fault(
      'STOPSIGNAL',
      `invalid signal: ${signal}`,
      'Write a name such as SIGTERM, or a number above 0.',
    );
  }
  state.config = { ...state.config, StopSignal: signal };
  recordConfig(state, `STOPSIGNAL ${signal}`);
}

/** Replaces the whole check. */
export function lowerHealthcheck(state: StageState, { instruction }: Located<HealthcheckInstruction>): void {
  const { interval, timeout, startPeriod, startInterval, retries } = instruction;
  const check: Healthcheck = {
    Test: healthcheckTest(instruction),
    ...(interval === undefined ? {} : { Interval: interval }),
    ...(timeout === undefined ? {} : { Timeout: timeout }),
    ...(startPeriod === undefined ? {} : { StartPeriod: startPeriod }),
    ...(startInterval === undefined ? {} : { StartInterval: startInterval }),
    ...(retries === undefined ? {} : { Retries: retries }),
  };
  state.config = { ...state.config, Healthcheck: check };
  recordConfig(state, `HEALTHCHECK ${healthcheckText(check)}`);
}

function healthcheckTest({ none, command }: HealthcheckInstruction): string[] {
  if (none || command === undefined) return ['NONE'];
  return command.form === 'exec' ? ['CMD', ...command.args] : ['CMD-SHELL', command.text];
}

export function lowerMaintainer(state: StageState, { instruction }: Located<MaintainerInstruction>): void {
  state.author = instruction.name;
  recordConfig(state, `MAINTAINER ${instruction.name}`);
}

/** Leaves no history. */
export function lowerOnbuild(state: StageState, { instruction }: Located<OnbuildInstruction>): void {
  state.config.OnBuild ??= [];
  state.config.OnBuild.push(instruction.trigger);
}
