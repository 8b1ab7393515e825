/** WWW-Authenticate headers (RFC 9110, 11.6.1): several challenges, tokens and quoted strings. */

export interface Challenge {
  /** In lower case: `basic`, `bearer`. */
  scheme: string;
  /** Names in lower case. */
  parameters: Record<string, string>;
}

const token = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const parameter = /([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/y;

/** Malformed rests are passed over. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(header);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  while (at < header.length) {
    take(/[\s,]*/y);
    const current = challenges.at(-1);
    const pair = take(parameter);
    if (pair !== null) {
      if (current !== undefined) {
        current.parameters[(pair[1] as string).toLowerCase()] =
          pair[2]?.replace(/\\(.)/g, '$1') ?? (pair[3] as string);
      }
      continue;
    }
    const scheme = take(token);
    if (scheme !== null) challenges.push({ scheme: scheme[0].toLowerCase(), parameters: {} });
    else at += 1;
  }
  return challenges;
}
