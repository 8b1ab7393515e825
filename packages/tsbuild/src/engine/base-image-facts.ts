/** Facts about base images for the build checks: from the store, else from their registry, as a build finds them. */
import { formatPlatform, parsePlatform } from '@tsbuild/core';
import type { BaseImageFacts } from '@tsbuild/parser';
import type { DockerfileOptions } from '../api/types.js';
import { connect } from '../image/remote.js';
import { createResolver } from '../resolve/resolver.js';
import { openStore } from '../store/open.js';
import { protect } from '../store/protect.js';
import type { OperationContext } from './context.js';

export interface BaseImage {
  reference: string;
  /** `os/arch[/variant]` */
  platform: string;
}

/** An image that cannot be had is told in a notice and left out: checks only get sharper by facts. */
export async function baseImageFacts(
  images: readonly BaseImage[],
  options: Omit<DockerfileOptions, 'signal' | 'onEvent'>,
  { emit, signal }: OperationContext,
): Promise<(reference: string, platform: string) => BaseImageFacts | undefined> {
  const notice = (message: string) => emit({ type: 'notice', message });
  const store = await openStore({ root: options.root, warn: notice });
  const registries = connect(options);
  const lease = await protect(store);
  const facts = new Map<string, BaseImageFacts>();
  const key = (reference: string, platform: string) => JSON.stringify([reference, platform]);
  try {
    const { repository: repositories } = registries;
    const resolver = createResolver({ store, repositories, pull: false, buildContexts: {} });
    const find = async ({ reference, platform }: BaseImage) => {
      try {
        const image = await resolver.resolveImage(reference, parsePlatform(platform), signal);
        const { Env = [], Shell = [], OnBuild = [] } = image.config.config ?? {};
        facts.set(key(reference, platform), {
          env: Env,
          shell: Shell,
          onbuild: OnBuild,
          ...(image.config.architecture ? { platform: formatPlatform(image.config) } : {}),
        });
      } catch (error) {
        signal.throwIfAborted();
        notice(
          `${reference} is checked without its base image: ${error instanceof Error ? error.message : error}`,
        );
      }
    };
    const unique = new Map(images.map((image) => [key(image.reference, image.platform), image]));
    await Promise.all([...unique.values()].map(find));
  } finally {
    await registries.close();
    lease.release();
  }
  return (reference, platform) => facts.get(key(reference, platform));
}
