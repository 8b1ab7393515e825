import type { SourceRange } from '@tsbuild/core';
import type { Dockerfile } from '../ast.js';
import type { Rule } from './types.js';

/** Values that their issuers made recognizable. */
const kinds: readonly [kind: string, pattern: RegExp][] = [
  ['a private key', /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/],
  ['an AWS access key', /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/],
  ['a GitHub token', /\b(?:gh[oprsu]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{22,})/],
  ['a GitLab token', /\bglpat-[0-9A-Za-z_-]{20}/],
  ['an npm token', /\bnpm_[0-9A-Za-z]{36}\b/],
  ['a PyPI token', /\bpypi-AgE[0-9A-Za-z_-]{20,}/],
  ['a Docker Hub token', /\bdckr_[a-z]{3}_[0-9A-Za-z_-]{20,}/],
  ['a Slack token', /\bxox[abeoprs]-[0-9A-Za-z-]{10,}/],
  ['a Stripe key', /\b[rs]k_live_[0-9A-Za-z]{20,}/],
  ['a Google API key', /\bAIza[0-9A-Za-z_-]{35}/],
  ['a JSON web token', /\beyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}/],
  ['a URL with a password', /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@$"']+:[^\s/@$"']+@/i],
];

/** What kind of secret a value looks like, if it does. */
export function secretKind(value: string): string | undefined {
  return kinds.find(([, pattern]) => pattern.test(value))?.[0];
}

export const secretValue: Rule = {
  name: 'SecretValue',
  description:
    'A password, token or key in an ARG, ENV or LABEL is in the image, for everyone who has it; use RUN --mount=type=secret',
  check({ file }, report) {
    for (const { keyword, name, value, range } of valuesOf(file)) {
      const kind = secretKind(value);
      // The value itself is never shown.
      if (kind !== undefined)
        report(
          `${keyword} "${name}" holds what looks like ${kind}: give it by --secret and RUN --mount=type=secret`,
          range,
        );
    }
  },
};

interface Value {
  keyword: string;
  name: string;
  value: string;
  range: SourceRange;
}

function* valuesOf(file: Dockerfile): Generator<Value> {
  for (const each of [...file.metaArgs, ...file.stages.flatMap(({ instructions }) => instructions)]) {
    const { keyword, range } = each;
    if (each.kind === 'arg')
      for (const { name, value = '' } of each.args) yield { keyword, name, value, range };
    else if (each.kind === 'env' || each.kind === 'label')
      for (const { key, value } of each.pairs) yield { keyword, name: key, value, range };
  }
}
