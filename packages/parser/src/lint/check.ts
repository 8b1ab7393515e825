/** Runs the build checks over a parsed Dockerfile. */
import { type SourceRange, TsbuildError } from '@tsbuild/core';
import type { Dockerfile } from '../ast.js';
import { type CheckDirective, noDirective, parseCheckDirective } from './check-directive.js';
import { rules } from './rules.js';
import type { CheckOptions, Lint, LintContext, Rule } from './types.js';
import { walk } from './walk.js';

/**
 * All findings, in order of place. Honours the file's `# check=` directive (or the build argument
 * BUILDKIT_DOCKERFILE_CHECK in its stead) and `# check=skip=` comments directly above an instruction.
 * @throws TsbuildError TSB_LINT_BAD_DIRECTIVE
 */
export function checkDockerfile(file: Dockerfile, options: CheckOptions = {}): Lint[] {
  const directive = directiveOf(file, options);
  const { globals, defaults, stages: all } = walk(file, options);
  const built = options.stages;
  const stages = built === undefined ? all : all.filter(({ stage }) => built.has(stage.index));
  const context: LintContext = { file, options, globals, defaults, stages };
  const skips = instructionSkips(file);
  const found: Lint[] = [];
  for (const rule of rules) {
    if (!enabled(rule, directive)) continue;
    rule.check(context, (message, range) => {
      if (skips.some((skip) => contains(skip.range, range) && skipped(rule, skip.directive))) return;
      const { name, description, url } = rule;
      found.push({ rule: name, message, description, range, ...(url === undefined ? {} : { url }) });
    });
  }
  return found
    .map((lint, index) => ({ lint, index }))
    .sort((a, b) => a.lint.range.startLine - b.lint.range.startLine || a.index - b.index)
    .map(({ lint }) => lint);
}

/**
 * The error that `error=true` makes of findings, undefined where there is none. BuildKit's words:
 * `lint violation found for rules: A, B`. Rules of our own do not count: what BuildKit builds is built.
 */
export function lintViolation(
  file: Dockerfile,
  lints: readonly Lint[],
  options: CheckOptions = {},
): TsbuildError | undefined {
  const counted = lints.filter(({ url }) => url !== undefined);
  const [first] = counted;
  if (first === undefined || !directiveOf(file, options).error) return undefined;
  const names = [...new Set(counted.map(({ rule }) => rule))].sort();
  return new TsbuildError('TSB_LINT_VIOLATION', `lint violation found for rules: ${names.join(', ')}`, {
    hint: 'Put right what the warnings name, or skip a rule with # check=skip=RULE;error=true.',
    source: { file: file.filename, text: file.text, range: first.range },
  });
}

function directiveOf(file: Dockerfile, options: CheckOptions): CheckDirective {
  const argument = options.buildArgs?.['BUILDKIT_DOCKERFILE_CHECK'];
  const written = file.directives.find(({ name }) => name === 'check');
  const text = argument ?? written?.value;
  if (text === undefined) return noDirective;
  try {
    return parseCheckDirective(text);
  } catch (error) {
    if (TsbuildError.is(error) && argument === undefined && written !== undefined) {
      throw error.with({ source: { file: file.filename, text: file.text, range: written.range } });
    }
    throw error;
  }
}

function enabled(rule: Rule, directive: CheckDirective): boolean {
  if (skipped(rule, directive)) return false;
  return rule.experimental !== true || directive.experimentalAll || directive.experimental.has(rule.name);
}

function skipped(rule: Rule, directive: CheckDirective): boolean {
  return directive.skipAll || directive.skip.has(rule.name);
}

/** `# check=skip=Rule` directly above an instruction holds for that instruction. */
function instructionSkips(file: Dockerfile): { range: SourceRange; directive: CheckDirective }[] {
  const instructions = [
    ...file.metaArgs,
    ...file.stages.flatMap((stage) => [stage.from, ...stage.instructions]),
  ];
  return instructions.flatMap(({ comments, range }) =>
    comments.flatMap((comment) => {
      const text = /^check\s*=\s*(skip\s*=.*)$/i.exec(comment)?.[1];
      if (text === undefined) return [];
      try {
        return [{ range, directive: parseCheckDirective(text) }];
      } catch {
        // A comment that only looks like one.
        return [];
      }
    }),
  );
}

function contains(outer: SourceRange, inner: SourceRange): boolean {
  return outer.startLine <= inner.startLine && inner.endLine <= outer.endLine;
}
