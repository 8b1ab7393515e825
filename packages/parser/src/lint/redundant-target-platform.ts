import { buildkitUrl, type Rule } from './types.js';

export const redundantTargetPlatform: Rule = {
  name: 'RedundantTargetPlatform',
  description:
    'Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior',
  url: buildkitUrl('redundant-target-platform'),
  check({ stages, globals }, report) {
    for (const { stage, from } of stages) {
      const { platform } = from;
      if (platform === undefined || platform.unset.length > 0 || platform.used.length !== 1) continue;
      if (platform.used[0] !== 'TARGETPLATFORM' || platform.value !== globals.get('TARGETPLATFORM')) continue;
      const what = `Setting platform to predefined ${stage.from.platform} in FROM is redundant`;
      report(`${what} as this is the default behavior`, stage.from.range);
    }
  },
};
