/** One record of comma-separated values by the rules of Go's encoding/csv, for --mount. */
import { fault } from './fault.js';

/** @throws TsbuildError TSB_PARSE_CSV */
export function csvFields(text: string): string[] {
  const hint = 'Quote a whole key=value pair that holds a comma, and double a quote inside of it.';
  if (text === '') throw fault('CSV', 'EOF', 'Write at least one key=value pair.');
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (text.charAt(at) !== '"') {
      const comma = text.indexOf(',', at);
      const field = text.slice(at, comma < 0 ? text.length : comma);
      const bare = field.indexOf('"');
      if (bare >= 0) {
        throw fault(
          'CSV',
          `parse error on line 1, column ${at + bare + 1}: bare " in non-quoted-field`,
          hint,
        );
      }
      fields.push(field);
      if (comma < 0) return fields;
      at = comma + 1;
      continue;
    }
    let field = '';
    at += 1;
    for (;;) {
      const quote = text.indexOf('"', at);
      if (quote < 0) {
        throw fault(
          'CSV',
          `parse error on line 1, column ${text.length + 1}: extraneous or missing " in quoted-field`,
          hint,
        );
      }
      field += text.slice(at, quote);
      at = quote + 1;
      if (text.charAt(at) !== '"') break;
      field += '"';
      at += 1;
    }
    fields.push(field);
    if (at === text.length) return fields;
    if (text.charAt(at) !== ',') {
      throw fault(
        'CSV',
        `parse error on line 1, column ${at + 1}: extraneous or missing " in quoted-field`,
        hint,
      );
    }
    at += 1;
  }
}
