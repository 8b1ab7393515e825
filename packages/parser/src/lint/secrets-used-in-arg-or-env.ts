import { buildkitUrl, type Rule } from './types.js';

const secret = /(?:^|_)(?:apikey|auth|credentials?|key|password|passwd|pword|secret|token)(?:_|$)/i;
/** A public key is none, and neither is a path or a version. */
const harmless = /(?:^|_)(?:public|file|version)(?:_|$)/i;

/** Whether a variable's name says that its value is to be kept secret. */
export function isSecretName(name: string): boolean {
  return secret.test(name) && !harmless.test(name);
}

export const secretsUsedInArgOrEnv: Rule = {
  name: 'SecretsUsedInArgOrEnv',
  description: 'Sensitive data should not be used in the ARG or ENV commands',
  url: buildkitUrl('secrets-used-in-arg-or-env'),
  check({ stages }, report) {
    for (const { instruction, range } of stages.flatMap(({ steps }) => steps)) {
      if (instruction.kind !== 'arg' && instruction.kind !== 'env') continue;
      const names =
        instruction.kind === 'arg'
          ? instruction.args.map(({ name }) => name)
          : instruction.pairs.map(({ key }) => key);
      for (const name of names) {
        if (!isSecretName(name)) continue;
        const what = `${instruction.keyword} "${name}"`;
        report(`Do not use ARG or ENV instructions for sensitive data (${what})`, range);
      }
    }
  },
};
