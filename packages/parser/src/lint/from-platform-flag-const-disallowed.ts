import { goQuote, parsePlatform, type Platform } from '@tsbuild/core';
import { buildkitUrl, type Rule } from './types.js';

export const fromPlatformFlagConstDisallowed: Rule = {
  name: 'FromPlatformFlagConstDisallowed',
  description: 'FROM --platform flag should not use a constant value',
  url: buildkitUrl('from-platform-flag-const-disallowed'),
  check({ stages }, report) {
    for (const { stage, from } of stages) {
      const { platform } = from;
      if (platform === undefined || platform.used.length > 0 || platform.unset.length > 0) continue;
      const parsed = platformOf(platform.value);
      if (parsed === undefined) continue;
      // A stage that says in its name what it is for is meant so.
      const name = stage.name ?? '';
      if (name.includes(parsed.os) || name.includes(parsed.architecture)) continue;
      report(
        `FROM --platform flag should not use constant value ${goQuote(platform.value)}`,
        stage.from.range,
      );
    }
  },
};

function platformOf(text: string): Platform | undefined {
  try {
    return parsePlatform(text);
  } catch {
    return undefined;
  }
}
