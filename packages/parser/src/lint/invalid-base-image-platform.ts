import { formatPlatform, parsePlatform } from '@tsbuild/core';
import { buildkitUrl, type Rule } from './types.js';

export const invalidBaseImagePlatform: Rule = {
  name: 'InvalidBaseImagePlatform',
  description: 'Base image platform does not match expected target platform',
  url: buildkitUrl('invalid-base-image-platform'),
  check({ stages, options }, report) {
    for (const { stage, from, base } of stages) {
      const expected = from.platform?.value || options.targetPlatform;
      if (base?.platform === undefined || !expected || same(base.platform, expected)) continue;
      const what = `Base image ${from.image.value} was pulled with platform "${base.platform}"`;
      report(`${what}, expected "${expected}" for current build`, stage.from.range);
    }
  },
};

function same(left: string, right: string): boolean {
  try {
    return formatPlatform(parsePlatform(left)) === formatPlatform(parsePlatform(right));
  } catch {
    // Told where the platform is used.
    return true;
  }
}
