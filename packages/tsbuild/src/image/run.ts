/** Runs an image's command in the sandbox (`tsbuild run`). */
import { hostPlatform, parsePlatform, TsbuildError } from '@tsbuild/core';
import { normalizeReference, parseReference, withDefaultTag } from '@tsbuild/registry';
import type { ImageConfig } from '@tsbuild/core';
import type { RunOptions, RunResult } from '../api/types.js';
import type { OperationContext } from '../engine/context.js';
import { openWorkshop } from '../engine/workshop.js';
import { tryFindImage } from './find.js';
import { pullInto } from './pull.js';
import { readThrough } from './fetch.js';
import { readImage } from './read.js';

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export async function run(options: RunOptions, context: OperationContext): Promise<RunResult> {
  const { signal } = context;
  const workshop = await openWorkshop(options, context);
  try {
    const { store, registries } = workshop;
    const platform = options.platform === undefined ? hostPlatform() : parsePlatform(options.platform);
    const found = await tryFindImage(store, options.reference);
    const reference = withDefaultTag(parseReference(found?.name ?? (found ? 'local' : options.reference)));
    const root = found?.descriptor ?? (await pullInto(store, registries, reference, platform, context));
    const read = readThrough(store, registries.repository, reference, signal);
    const image = await readImage(read, root, platform, options.reference);
    const op = {
      kind: 'image' as const,
      reference: found?.name ?? normalizeReference(options.reference),
      manifest: image.descriptor,
      diffIds: image.config.rootfs.diff_ids,
      layers: image.manifest.layers,
      origin: { type: 'registry' as const },
    };
    const vertex = { id: `run ${op.reference}`, op, name: op.reference, platform, ignoreCache: false };
    const ref = await workshop.executor.image(op, { vertex, ...context });
    return await workshop.executor.container(ref, {
      ...processOf(image.config, options),
      hostname: options.hostname ?? root.digest.slice('sha256:'.length, 'sha256:'.length + 12),
      network: options.network ?? 'host',
      volumes: (options.volumes ?? []).map(({ source, target, readonly = false }) => ({
        source,
        target,
        readonly,
      })),
      tty: options.tty ?? false,
      interactive: options.interactive ?? false,
      signal,
      platform,
    });
  } finally {
    await workshop.close();
  }
}

/** What the image's config and the options say about the process, as `docker run` puts them together. */
export function processOf(
  { config = {} }: ImageConfig,
  options: Pick<RunOptions, 'command' | 'entrypoint' | 'env' | 'workdir' | 'user' | 'tty' | 'reference'>,
) {
  const entrypoint = options.entrypoint ?? config.Entrypoint ?? [];
  // An entry point of the user's own does not get the image's default arguments.
  const command = options.command?.length ? options.command : options.entrypoint ? [] : (config.Cmd ?? []);
  const args = [...entrypoint, ...command];
  if (args.length === 0) {
    throw new TsbuildError('TSB_USAGE_NO_COMMAND', `the image ${options.reference} has no command`, {
      hint: 'Name one after the image: tsbuild run IMAGE COMMAND.',
    });
  }
  const env = new Map<string, string>([['PATH', defaultPath]]);
  if (options.tty) env.set('TERM', process.env.TERM ?? 'xterm');
  for (const pair of config.Env ?? []) {
    const equals = pair.indexOf('=');
    env.set(equals < 0 ? pair : pair.slice(0, equals), equals < 0 ? '' : pair.slice(equals + 1));
  }
  for (const [name, value] of Object.entries(options.env ?? {})) env.set(name, value);
  return {
    args,
    env: [...env],
    cwd: options.workdir ?? (config.WorkingDir || '/'),
    user: options.user ?? config.User ?? '',
  };
}
