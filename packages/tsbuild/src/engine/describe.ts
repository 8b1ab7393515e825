/** What can be told of a Dockerfile without building it: its checks, what its target takes, its targets. */
import { formatPlatform, hostPlatform, parsePlatform, PatternMatcher, TsbuildError } from '@tsbuild/core';
import { checkDockerfile, type Dockerfile, lintViolation, parseDockerfile } from '@tsbuild/parser';
import { findTarget, outlineOf, type PlanOptions, stagesNeeded, targetsOf, tryPlan } from '@tsbuild/solver';
import type {
  CheckOptions,
  CheckResult,
  DockerfileOptions,
  OutlineResult,
  TargetsResult,
} from '../api/types.js';
import { type BaseImage, baseImageFacts } from './base-image-facts.js';
import { offlineResolver } from '../resolve/offline.js';
import type { OperationContext } from './context.js';
import { prepareContext } from './prepare-context.js';

type Options = Omit<DockerfileOptions, 'signal' | 'onEvent'>;

/**
 * Without a target all stages are checked, with one those it needs.
 * @throws TsbuildError TSB_LINT_*, TSB_PARSE_*, TSB_GRAPH_*, and what reading the context throws
 */
export async function check(
  options: Options & Pick<CheckOptions, 'resolve'>,
  context: OperationContext,
): Promise<CheckResult> {
  const { file, ignore } = await read(options, context);
  const scope = scopeOf(options);
  const target = options.target === undefined ? undefined : findTarget(file, options.target);
  const asked: BaseImage[] = [];
  const rules = {
    buildArgs: scope.buildArgs,
    targetPlatform: formatPlatform(scope.platform),
    buildPlatform: formatPlatform(scope.buildPlatform),
    ...(target?.name === undefined ? {} : { target: target.name }),
    ...(target === undefined ? {} : { stages: stagesNeeded(file, scope) }),
    ...(ignore === undefined ? {} : { ignore }),
  };
  let lints = checkDockerfile(file, {
    ...rules,
    // What cannot be expanded is an error of planning too, which has more to say.
    onError() {},
    baseImage: (reference, platform) => void asked.push({ reference, platform }),
  });
  if (options.resolve === true && asked.length > 0)
    lints = checkDockerfile(file, { ...rules, baseImage: await baseImageFacts(asked, options, context) });
  const error = (await planFault(file, options, context)) ?? lintViolation(file, lints, rules);
  return {
    file: { name: file.filename, text: file.text },
    warnings: lints.map(({ rule, message, description, url, range }) => ({
      rule,
      message,
      description,
      ...(url === undefined ? {} : { url }),
      line: range.startLine,
      range,
    })),
    ...(error === undefined ? {} : { error }),
  };
}

/**
 * What makes the Dockerfile fail before any step runs. Images are taken for empty: where a line uses variables, which
 * its image may set, nothing is said.
 */
async function planFault(
  file: Dockerfile,
  options: Options,
  { signal }: OperationContext,
): Promise<TsbuildError | undefined> {
  const plan: PlanOptions = {
    ...scopeOf(options),
    labels: {},
    platformExplicit: false,
    noCache: false,
    network: 'host',
    entitlements: ['security.insecure', 'device'],
    extraHosts: [],
    ulimits: [],
    namedContexts: Object.keys(options.buildContexts ?? {}),
    signal,
  };
  try {
    await tryPlan(file, plan, offlineResolver(options.buildContexts ?? {}));
  } catch (error) {
    if (!TsbuildError.is(error) || error.source === undefined) throw error;
    const { range } = error.source;
    const lines = file.text.split('\n').slice(range.startLine - 1, range.endLine);
    const uses = lines.some((line) => line.includes('$') && !/^\s*FROM\s/i.test(line));
    return uses && !/SUBSTITUTION|UNCLOSED/.test(error.code) ? undefined : error;
  }
  return undefined;
}

/** @throws TsbuildError TSB_GRAPH_*, TSB_PARSE_*, and what reading the context throws */
export async function outline(options: Options, context: OperationContext): Promise<OutlineResult> {
  const { file } = await read(options, context);
  return {
    file: { name: file.filename, text: file.text },
    ...outlineOf(file, scopeOf(options)),
  };
}

/** @throws TsbuildError TSB_PARSE_*, and what reading the context throws */
export async function targets(options: Options, context: OperationContext): Promise<TargetsResult> {
  const { file } = await read(options, context);
  return { file: { name: file.filename, text: file.text }, targets: targetsOf(file) };
}

async function read(
  options: Options,
  context: OperationContext,
): Promise<{ file: Dockerfile; ignore?: PatternMatcher }> {
  const prepared = await prepareContext(options, context, false);
  try {
    const { name, text } = prepared.dockerfile;
    const patterns = prepared.contexts.get('context')?.ignore?.patterns;
    return {
      file: parseDockerfile(text, name),
      ...(patterns === undefined ? {} : { ignore: new PatternMatcher(patterns) }),
    };
  } finally {
    await prepared.close();
  }
}

/** Of several platforms the first one is described. */
function scopeOf({ target, buildArgs = {}, platforms }: Options) {
  const [first] = platforms ?? [];
  return {
    ...(target === undefined ? {} : { target }),
    buildArgs,
    platform: first === undefined ? hostPlatform() : parsePlatform(first),
    buildPlatform: hostPlatform(),
  };
}
