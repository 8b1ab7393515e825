/** No progress; only a failed step's output. */
import type { Output } from '../io.js';
import { trackSteps } from './steps.js';
import { failedOutputLines } from './text.js';
import type { ProgressView } from './view.js';

export function quietView(output: Output): ProgressView {
  const steps = trackSteps();
  return {
    showsFailedOutput: true,
    event: (event) => void steps.apply(event),
    finish(outcome) {
      if (outcome.error === undefined) return;
      const lines = failedOutputLines(steps.all);
      if (lines.length > 0) output.write(`${lines.join('\n')}\n`);
    },
  };
}
