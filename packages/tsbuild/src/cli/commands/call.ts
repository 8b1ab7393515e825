/** Tells about a Dockerfile what `tsbuild check` and `tsbuild build --call` ask. */
import { exitCodeOf, TsbuildError } from '@tsbuild/core';
import { check, outline, targets } from '../../api/operations.js';
import type { CheckResult, DockerfileOptions } from '../../api/types.js';
import type { Call } from '../call-method.js';
import { checkJson, outlineJson, targetsJson } from '../describe-json.js';
import { describeOptions } from '../describe-options.js';
import { checkText, outlineText, targetsText } from '../describe-text.js';
import type { Io } from '../io.js';
import type { Args } from '../parse.js';
import { sarif } from '../sarif.js';

/** @param resolve whether base images are asked for */
export async function runCall(call: Call, args: Args, io: Io, resolve: boolean): Promise<number> {
  const options: DockerfileOptions = {
    ...(await describeOptions(args, io)),
    onEvent(event) {
      if (event.type === 'notice') io.stderr.write(`${event.message}\n`);
    },
  };
  switch (call.method) {
    case 'check':
      return await runCheck(call, { ...options, resolve }, io);
    case 'outline': {
      const result = await outline(options);
      io.stdout.write(call.format === 'json' ? outlineJson(result) : outlineText(result));
      return 0;
    }
    case 'targets': {
      const result = await targets(options);
      io.stdout.write(call.format === 'json' ? targetsJson(result) : targetsText(result));
      return 0;
    }
  }
}

async function runCheck(
  { format, ignoreStatus }: Call,
  options: DockerfileOptions & { resolve: boolean },
  io: Io,
): Promise<number> {
  let result: CheckResult;
  try {
    result = await check(options);
  } catch (error) {
    // A program that reads the result is told of a Dockerfile that cannot be parsed in the same form.
    if (format === 'text' || !TsbuildError.is(error) || error.source === undefined) throw error;
    const { file: name, text } = error.source;
    result = { file: { name, text }, warnings: [], error };
  }
  const { error } = result;
  if (format === 'json') io.stdout.write(checkJson(result));
  else if (format === 'sarif') io.stdout.write(sarif(result, io.cwd));
  else if (error === undefined || result.warnings.length > 0) io.stdout.write(checkText(result));
  if (error !== undefined && format === 'text') throw error;
  if (error !== undefined) return exitCodeOf(error);
  return result.warnings.length === 0 || ignoreStatus ? 0 : 1;
}
