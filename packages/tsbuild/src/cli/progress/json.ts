/** rawjson: each event as one line of JSON; a failure is a last line of type `error`. */
import { TsbuildError, exitCodeOf } from '@tsbuild/core';
import type { Output } from '../io.js';
import { redact } from '../redact.js';
import type { ProgressView } from './view.js';

export function jsonView(output: Output): ProgressView {
  const line = (value: object) => output.write(`${JSON.stringify(value)}\n`);
  return {
    showsFailedOutput: true,
    event: line,
    finish(outcome) {
      if (outcome.error === undefined) return;
      const error = outcome.error;
      const message = redact(error instanceof Error ? error.message : String(error));
      const facts = TsbuildError.is(error)
        ? {
            code: error.code,
            hint: error.hint,
            file: error.source?.file,
            range: error.source?.range,
            stage: error.stage,
            platform: error.platform,
            commandExitCode: error.commandExitCode,
          }
        : {};
      line({ type: 'error', message, exitCode: exitCodeOf(error), ...facts });
    },
  };
}
