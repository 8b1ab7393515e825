/** `tsbuild import`: a root file system's tar becomes an image of one layer; an archive of images is loaded. */
import { hostPlatform, type ImageConfig, mediaTypes, parsePlatform, TsbuildError } from '@tsbuild/core';
import { checkedTar, decompressFile, isArchive } from '@tsbuild/executor';
import { parseDockerfile } from '@tsbuild/parser';
import { loadArchive, normalizeReference } from '@tsbuild/registry';
import { encodeConfig, planBuild, type SourceResolver } from '@tsbuild/solver';
import type { ImportedImage, ImportOptions } from '../api/types.js';
import type { OperationContext } from '../engine/context.js';
import { withStep } from '../engine/step.js';
import { configDescriptor, encodeManifest } from '../export/documents.js';
import { openStore, type Store } from '../store/open.js';
import { protect } from '../store/protect.js';
import { nameImages } from './load.js';
import { withSourceFile } from './source-file.js';

export async function importImage(options: ImportOptions, context: OperationContext): Promise<ImportedImage> {
  const { emit, signal } = context;
  const name = options.reference === undefined ? undefined : normalizeReference(options.reference);
  const store = await openStore({ root: options.root, warn: (message) => emit({ type: 'notice', message }) });
  const lease = await protect(store);
  try {
    return await withStep(emit, { id: 'import', name: 'import' }, () =>
      withSourceFile(options.source, store.root, signal, async (fd) => {
        if (!(await isArchive(fd))) throw noArchive();
        if (await holdsImages(fd)) {
          const images = await loadArchive(decompressFile(fd), store.content, signal);
          const [first, ...rest] = images;
          const named = first && name !== undefined ? [{ ...first, names: [name] }, ...rest] : images;
          return nameImages(store, named);
        }
        return importTree(store, fd, name, options, signal);
      }),
    );
  } finally {
    lease.release();
  }
}

function noArchive(): TsbuildError {
  return new TsbuildError('TSB_INTEGRITY_BAD_ARCHIVE', 'the file is no tar archive', {
    hint: 'Give a tar of a root file system or an image archive; plain, gzip, bzip2, xz or zstd.',
  });
}

/** Archives of images start with names that no root file system has at its top. */
async function holdsImages(fd: number): Promise<boolean> {
  for await (const chunk of decompressFile(fd)) {
    const name = chunk.subarray(0, 100).toString('latin1').replace(/\0.*$/s, '').replace(/^\.\//, '');
    return /^(blobs\/|oci-layout$|index\.json$|manifest\.json$|repositories$|[0-9a-f]{64}(\/|\.json$|\.tar$))/.test(
      name,
    );
  }
  return false;
}

async function importTree(
  store: Store,
  fd: number,
  name: string | undefined,
  options: ImportOptions,
  signal: AbortSignal,
): Promise<ImportedImage> {
  const { digest, size } = await store.content.put(checkedTar(decompressFile(fd), signal), {}, signal);
  const created = new Date().toISOString();
  const platform = options.platform === undefined ? hostPlatform() : parsePlatform(options.platform);
  const { config, author } = await applyChanges(options.changes ?? [], signal);
  const image: ImageConfig = {
    created,
    ...(author === undefined ? {} : { author }),
    ...platform,
    config,
    rootfs: { type: 'layers', diff_ids: [digest] },
    history: [{ created, comment: options.message ?? 'imported' }],
  };
  const bytes = encodeConfig(image);
  const layer = { mediaType: mediaTypes.ociLayer, digest, size };
  const manifest = encodeManifest(configDescriptor(bytes, false), [layer], false, undefined);
  await store.content.putBytes(bytes);
  await store.content.putBytes(manifest.bytes);
  if (name !== undefined) await store.tags.set(name, manifest.descriptor);
  return { digest: manifest.descriptor.digest, names: name === undefined ? [] : [name] };
}

const allowed =
  /^\s*(cmd|entrypoint|env|expose|healthcheck|label|maintainer|onbuild|shell|stopsignal|user|volume|workdir)\s/i;

/** The changes are Dockerfile instructions: they are planned as a Dockerfile on scratch, of which only the config is taken. */
async function applyChanges(changes: readonly string[], signal: AbortSignal) {
  for (const change of changes) {
    if (allowed.test(change) && !change.includes('\n')) continue;
    throw new TsbuildError(
      'TSB_USAGE_CHANGE',
      `${JSON.stringify(change)} is no change to an image's config`,
      {
        hint: 'Use CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME or WORKDIR.',
      },
    );
  }
  const text = ['FROM scratch', ...changes, ''].join('\n');
  const platform = hostPlatform();
  const plan = await planBuild(
    parseDockerfile(text, '--change'),
    {
      buildArgs: {},
      labels: {},
      platform,
      platformExplicit: false,
      buildPlatform: platform,
      noCache: false,
      entitlements: [],
      extraHosts: [],
      ulimits: [],
      namedContexts: [],
      signal,
    },
    noSources,
  );
  return { config: plan.config, author: plan.author };
}

const noSources: SourceResolver = {
  resolveImage: () => Promise.reject(new Error('changes name no image')),
  resolveNamedContext: async () => undefined,
};
