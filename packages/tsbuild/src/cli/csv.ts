/** Values like `type=local,dest=out`: one record of Go's encoding/csv, whose fields are `key=value`. */
import { TsbuildError } from '@tsbuild/core';

/** Fields of one CSV record: a field in double quotes may hold commas, `""` in it is one quote. */
export function csvFields(flag: string, text: string): string[] {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] === '"') {
      let field = '';
      for (at++; ; at++) {
        if (at >= text.length) throw bad(flag, text, 'a quote is not closed');
        if (text[at] !== '"') field += text[at];
        else if (text[at + 1] === '"') {
          field += '"';
          at++;
        } else break;
      }
      at++;
      if (at < text.length && text[at] !== ',') throw bad(flag, text, 'text follows a closing quote');
      fields.push(field);
    } else {
      const comma = text.indexOf(',', at);
      const end = comma < 0 ? text.length : comma;
      fields.push(text.slice(at, end));
      at = end;
    }
    if (at >= text.length) return fields;
    at++;
  }
}

/** The pairs of a value, keys in lower case; a field without `=` has an undefined value. */
export function csvPairs(flag: string, text: string): Map<string, string | undefined> {
  const pairs = new Map<string, string | undefined>();
  for (const field of csvFields(flag, text)) {
    const equals = field.indexOf('=');
    const key = (equals < 0 ? field : field.slice(0, equals)).trim().toLowerCase();
    if (key === '') throw bad(flag, text, 'a field has no name');
    pairs.set(key, equals < 0 ? undefined : field.slice(equals + 1));
  }
  return pairs;
}

function bad(flag: string, text: string, why: string): TsbuildError {
  return new TsbuildError(
    'TSB_USAGE_BAD_VALUE',
    `invalid value ${JSON.stringify(text)} for --${flag}: ${why}`,
    {
      hint: `Write it as key=value,key=value; see "tsbuild build --help".`,
    },
  );
}
