/** `skip=A,B|all; error=bool; experimental=A,B|all`: which checks run, and whether a finding fails the build. */
import { goQuote, TsbuildError } from '@tsbuild/core';

export interface CheckDirective {
  skip: ReadonlySet<string>;
  skipAll: boolean;
  experimental: ReadonlySet<string>;
  experimentalAll: boolean;
  error: boolean;
}

export const noDirective: CheckDirective = {
  skip: new Set(),
  skipAll: false,
  experimental: new Set(),
  experimentalAll: false,
  error: false,
};

const hint = 'Write it as # check=skip=RuleA,RuleB;error=true with the options skip, error and experimental.';

/** @throws TsbuildError TSB_LINT_BAD_DIRECTIVE */
export function parseCheckDirective(text: string): CheckDirective {
  const result = { ...noDirective };
  const parts = text.split(';');
  if (parts.length > 3) throw bad(`invalid check options ${goQuote(text)}`);
  for (const part of parts) {
    const equals = part.indexOf('=');
    const key = (equals < 0 ? part : part.slice(0, equals)).trim();
    const value = equals < 0 ? undefined : part.slice(equals + 1).trim();
    if (key === '' && value === undefined) continue;
    if (key === 'error') result.error = readBool(part, value ?? '');
    else if (key === 'skip') [result.skip, result.skipAll] = readRules(value ?? '');
    else if (key === 'experimental') [result.experimental, result.experimentalAll] = readRules(value ?? '');
    else throw bad(`invalid check option ${goQuote(key)}`);
  }
  return result;
}

function readRules(text: string): [names: Set<string>, all: boolean] {
  const names = text.split(',').map((name) => name.trim());
  return names.length === 1 && names[0]?.toLowerCase() === 'all' ? [new Set(), true] : [new Set(names), false];
}

function readBool(part: string, value: string): boolean {
  if (/^(?:1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(?:0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw bad(`failed to parse check option ${goQuote(part)}: strconv.ParseBool: parsing ${goQuote(value)}: invalid syntax`);
}

function bad(message: string): TsbuildError {
  return new TsbuildError('TSB_LINT_BAD_DIRECTIVE', `failed to parse check options: ${message}`, { hint });
}
