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
  const [first = '', second, ...rest] = text.split(';');
  // What follows the second semicolon is one part, whatever it holds.
  const third = rest.length > 0 ? [rest.join(';')] : [];
  for (const part of [first, ...(second === undefined ? [] : [second]), ...third]) {
    const equals = part.indexOf('=');
    const key = equals < 0 ? undefined : part.slice(0, equals);
    const value = part.slice(equals + 1);
    if (key === 'error') result.error = readBool(part, value);
    else if (key === 'skip') [result.skip, result.skipAll] = readRules(value);
    else if (key === 'experimental') [result.experimental, result.experimentalAll] = readRules(value);
    else throw bad(`invalid check option ${goQuote(key ?? part)}`);
  }
  return result;
}

function readRules(text: string): [names: Set<string>, all: boolean] {
  return text === 'all' ? [new Set(), true] : [new Set(text.split(',').map((name) => name.trim())), false];
}

function readBool(part: string, value: string): boolean {
  if (/^(?:1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(?:0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw bad(
    `failed to parse check option ${goQuote(part)}: strconv.ParseBool: parsing ${goQuote(value)}: invalid syntax`,
  );
}

function bad(message: string): TsbuildError {
  return new TsbuildError('TSB_LINT_BAD_DIRECTIVE', `failed to parse check options: ${message}`, { hint });
}
