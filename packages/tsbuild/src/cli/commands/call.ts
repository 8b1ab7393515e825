/** Tells about a Dockerfile what `tsbuild check` and `tsbuild build --call` ask. */
import { exitCodeOf, TsbuildError } from '@tsbuild/core';
import { check, outline, targets } from '../../api/operations.js';
import type { DockerfileOptions } from '../../api/types.js';
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
  try {
    const result = await check(options);
    const { file, warnings } = result;
    const text = {
      text: () => checkText(result),
      json: () => checkJson(result),
      sarif: () => sarif(file.name, io.cwd, warnings),
    };
    io.stdout.write(text[format]());
    return warnings.length === 0 || ignoreStatus ? 0 : 1;
  } catch (error) {
    // A program that reads the result is told of a Dockerfile that cannot be built in the same form.
    if (format === 'text' || !TsbuildError.is(error) || error.source === undefined) throw error;
    const { file: name, text } = error.source;
    io.stdout.write(
      format === 'json'
        ? checkJson({ file: { name, text }, warnings: [] }, error)
        : sarif(name, io.cwd, [], error),
    );
    return exitCodeOf(error);
  }
}
