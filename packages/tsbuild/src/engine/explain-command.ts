/** What `tsbuild explain` and explain() do: plan, and look the steps up in the cache. */
import type { ExplainOptions, ExplainResult } from '../api/types.js';
import { planAll, withAgents, withBuild } from './build.js';
import type { OperationContext } from './context.js';
import { explainPlans } from './explain.js';
import { projectOf } from './trace.js';

type Options = Omit<ExplainOptions, 'signal' | 'onEvent'>;

/** @throws TsbuildError what a build throws before its first step */
export async function explain(options: Options, context: OperationContext): Promise<ExplainResult> {
  return await withAgents(options, context, (all) =>
    withBuild(all, context, async (prepared, workshop) => {
      const plans = await planAll(all, prepared, workshop, context);
      return { steps: await explainPlans(plans, projectOf(all), workshop, context) };
    }),
  );
}
