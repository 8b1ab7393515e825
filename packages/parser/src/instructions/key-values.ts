/** ENV, LABEL and ARG. */
import { goQuote } from '@tsbuild/core';
import type { ArgInstruction, EnvInstruction, LabelInstruction, RawPair } from '../ast.js';
import { fault } from '../fault.js';
import { splitQuoted } from '../split.js';
import { atLeastOne, countFault, rangeIn, refuseFlags, type Request } from './request.js';

export function parseEnv(request: Request): EnvInstruction {
  const { keyword, original, range, comments } = request;
  return { kind: 'env', keyword, original, range, comments, pairs: pairsOf(request) };
}

export function parseLabel(request: Request): LabelInstruction {
  const { keyword, original, range, comments } = request;
  return { kind: 'label', keyword, original, range, comments, pairs: pairsOf(request) };
}

export function parseArg(request: Request): ArgInstruction {
  const words = splitQuoted(request.rest, request.escape);
  atLeastOne(request, words.length, 'ARG NAME or ARG NAME=default');
  refuseFlags(request);
  let end = 0;
  const args = words.map((text) => {
    const offset = request.rest.indexOf(text, end);
    end = offset + text.length;
    const range = rangeIn(request, offset, end);
    const equals = text.indexOf('=');
    const name = equals < 0 ? text : text.slice(0, equals);
    if (name === '') throw blankName(request);
    return equals < 0 ? { name, range } : { name, value: text.slice(equals + 1), range };
  });
  const { keyword, original, range, comments } = request;
  return { kind: 'arg', keyword, original, range, comments, args };
}

function pairsOf(request: Request): RawPair[] {
  const { name, rest, escape } = request;
  const words = splitQuoted(rest, escape);
  const [first] = words;
  if (first !== undefined && !first.includes('=')) {
    const gap = /[\t\v\f\r ]+/.exec(rest);
    if (gap === null) {
      throw fault('KEY_VALUE', `${name} must have two arguments`, `Write ${name} ${first}=value.`);
    }
    refuseFlags(request);
    return [
      { key: rest.slice(0, gap.index), value: rest.slice(gap.index + gap[0].length), hasEquals: false },
    ];
  }
  const pairs = words.map((text) => {
    const equals = text.indexOf('=');
    if (equals < 0) {
      throw fault(
        'KEY_VALUE',
        `Syntax error - can't find = in ${goQuote(text)}. Must be of the form: name=value`,
        'Put a value that holds blanks in double quotes.',
      );
    }
    return { key: text.slice(0, equals), value: text.slice(equals + 1), hasEquals: true };
  });
  atLeastOne(request, pairs.length, `${name} NAME=value`);
  refuseFlags(request);
  if (pairs.some((pair) => pair.key === '')) throw blankName(request);
  return pairs;
}

function blankName(request: Request): Error {
  return countFault(`${request.name} names can not be blank`, 'Write a name before the =.');
}
