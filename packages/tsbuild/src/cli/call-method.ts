/** `--call METHOD[,format=FORMAT][,ignorestatus=BOOL]` and its short forms. */
import { TsbuildError } from '@tsbuild/core';
import { csvPairs } from './csv.js';
import { nearest } from './nearest.js';
import type { Args } from './parse.js';

export type CallMethod = 'check' | 'outline' | 'targets';
export type CallFormat = 'text' | 'json' | 'sarif';

export interface Call {
  method: CallMethod;
  format: CallFormat;
  /** Findings of a check do not make the command fail. */
  ignoreStatus: boolean;
}

const methods: Readonly<Record<string, CallMethod | 'build'>> = {
  build: 'build',
  check: 'check',
  lint: 'check',
  outline: 'outline',
  targets: 'targets',
};

/** What is to be called; undefined for a build. @throws TsbuildError TSB_USAGE_BAD_VALUE */
export function callOf(args: Args): Call | undefined {
  if (args.bool('check')) return { method: 'check', format: 'text', ignoreStatus: false };
  const flag = args.has('call') ? 'call' : 'print';
  const text = args.string(flag);
  if (text === undefined || text === '') return undefined;
  const [[name = ''] = [], ...options] = csvPairs(flag, text);
  // frontend.outline is the name of the method in BuildKit.
  const method = methods[name.replace(/^frontend\./, '')];
  if (method === undefined) {
    const near = nearest(name, Object.keys(methods));
    throw bad(
      flag,
      text,
      near === undefined ? 'Use one of build, check, outline, targets.' : `Did you mean ${near}?`,
    );
  }
  if (method === 'build') return undefined;
  const call: Call = { method, format: 'text', ignoreStatus: false };
  for (const [key, value] of options) {
    if (key === 'format') call.format = parseFormat(flag, value ?? '', method);
    else if (key === 'ignorestatus') call.ignoreStatus = value === undefined || /^(?:1|t|true)$/i.test(value);
    else throw bad(flag, text, 'Options are format=text|json and ignorestatus=true.');
  }
  return call;
}

export function parseFormat(flag: string, value: string, method: CallMethod): CallFormat {
  const known = method === 'check' ? ['text', 'json', 'sarif'] : ['text', 'json'];
  if (known.includes(value)) return value as CallFormat;
  throw bad(flag, value, `Use one of ${known.join(', ')}.`);
}

function bad(flag: string, text: string, hint: string): TsbuildError {
  return new TsbuildError('TSB_USAGE_BAD_VALUE', `invalid value ${JSON.stringify(text)} for --${flag}`, {
    hint,
  });
}
