/** What a build leaves: writes each output the user asked for from the solved images. */
import { formatPlatform, type Descriptor, type Digest, TsbuildError } from '@tsbuild/core';
import {
  apiReference,
  checkCompression,
  collectBlobs,
  familiarReference,
  normalizeReference,
  parseReference,
  pushImage,
} from '@tsbuild/registry';
import { join, resolve } from 'node:path';
import type { BuildOptions, Compression, ImageAttributes, OutputResult, OutputSpec } from '../api/types.js';
import type { OperationContext } from '../engine/context.js';
import { withStep } from '../engine/step.js';
import type { Workshop } from '../engine/workshop.js';
import { transferTo } from '../image/fetch.js';
import { writeImages } from './archive.js';
import { checkArchiveDestination, writeDestination, writeFolder } from './destination.js';
import { imageForm, type SolvedImage, type WrittenImage, writeImage } from './image.js';
import { createLayerPacker, layerWork } from './layers.js';
import { mountSources } from './mount-sources.js';

type Options = Omit<BuildOptions, 'signal' | 'onEvent'>;

/** The store is the default; `push` without an output keeps the image there as well. */
export function wantedOutputs(options: Options): OutputSpec[] {
  const outputs =
    options.outputs && options.outputs.length > 0 ? options.outputs : [{ type: 'store' } as const];
  if (!options.push) return outputs;
  if (outputs.some(({ type }) => type === 'registry')) return outputs;
  const store = outputs.findIndex(({ type }) => type === 'store');
  if (store < 0) return [...outputs, { type: 'registry' }];
  return outputs.map((output, i) =>
    i === store && output.type === 'store' ? { ...output, push: true } : output,
  );
}

/** What can be said before anything runs. @throws TsbuildError TSB_USAGE_* */
export function checkOutputs(
  outputs: readonly OutputSpec[],
  tags: readonly string[],
  platformCount: number,
): void {
  const paths = new Set<string>();
  for (const output of outputs) {
    if ('dest' in output) {
      if (output.type !== 'local')
        checkArchiveDestination(output.dest, output.type !== 'tar' && output.tar === false);
      if (typeof output.dest === 'string') {
        const path = output.dest === '-' ? '-' : resolve(output.dest);
        if (paths.has(path)) throw sameDestination(output.dest);
        paths.add(path);
      }
    }
    if ('compression' in output || 'compressionLevel' in output) {
      const { compression = 'gzip', compressionLevel: level } = output;
      checkCompression({ compression, ...(level === undefined ? {} : { level }) });
    }
    const single = output.type === 'tar' || (output.type === 'local' && output.platformSplit === false);
    if (single && platformCount > 1) throw severalPlatforms(output.type);
    const pushes = output.type === 'registry' || (output.type === 'store' && output.push);
    if (pushes && namesOf(output, tags).length === 0) {
      throw new TsbuildError('TSB_USAGE_NO_NAME', 'a push needs a name for the image', {
        hint: 'Name it with -t REGISTRY/NAME:TAG.',
      });
    }
  }
}

function sameDestination(dest: string): TsbuildError {
  return new TsbuildError('TSB_USAGE_DESTINATION', `two outputs are written to ${dest}`, {
    hint: 'Give each output a destination of its own.',
  });
}

function namesOf(output: ImageAttributes, tags: readonly string[]): string[] {
  return output.names && output.names.length > 0 ? output.names.map(normalizeReference) : [...tags];
}

export interface OutputWork {
  workshop: Workshop;
  images: readonly SolvedImage[];
  outputs: readonly OutputSpec[];
  /** Full names. */
  tags: readonly string[];
  options: Options;
  context: OperationContext;
}

export interface WrittenOutputs {
  outputs: OutputResult[];
  names: string[];
  /** Of the first output that is an image. */
  image?: { digest: Digest; configDigest?: Digest; descriptor: Descriptor };
}

export async function writeOutputs(work: OutputWork): Promise<WrittenOutputs> {
  const results: OutputResult[] = [];
  let image: WrittenImage | undefined;
  let exporter = createExporter(work);
  const counts = new Map<string, number>();
  for (const output of work.outputs) {
    const count = (counts.get(output.type) ?? 0) + 1;
    counts.set(output.type, count);
    // The id of a step is its own.
    const id = count === 1 ? `export:${output.type}` : `export:${output.type}:${count}`;
    let exported: Exported | undefined;
    for (let attempt = 1; exported === undefined; attempt++) {
      try {
        exported = await exporter(output, attempt === 1 ? id : `${id}:attempt-${attempt}`);
      } catch (error) {
        if (attempt === mostAttempts || !isMended(error, output) || work.context.signal.aborted) throw error;
        // The blob that was damaged is removed, so it is made or fetched again.
        exporter = createExporter(work);
      }
    }
    const { result, written } = exported;
    results.push(result);
    image ??= written;
  }
  const names = [...new Set(results.flatMap((result) => result.names))];
  return {
    outputs: results,
    names,
    ...(image ? { image: { digest: image.descriptor.digest, ...image } } : {}),
  };
}

/** Each takes one damaged blob out of the way. */
const mostAttempts = 20;

/** Whether a blob of the store was found damaged or gone, before anything was written that cannot be taken back. */
function isMended(error: unknown, output: OutputSpec): boolean {
  if (!TsbuildError.is(error) || ('dest' in output && !isPath(output.dest))) return false;
  return error.code.startsWith('TSB_INTEGRITY_') || error.code === 'TSB_STORE_BLOB_MISSING';
}

function isPath(dest: unknown): boolean {
  return typeof dest === 'string' && dest !== '-';
}

interface Exported {
  result: OutputResult;
  written?: WrittenImage;
}

function createExporter({ workshop, images, tags, options, context }: OutputWork) {
  const { store, executor, registries } = workshop;
  const { emit, signal } = context;
  const newPacker = () => createLayerPacker({ store, executor, fetchBlob: workshop.fetchLayer });
  let packer = newPacker();
  const sourceDateEpoch = images[0]?.plan.sourceDateEpoch;

  const toContent = (
    output: ImageAttributes,
    defaults: { compression: Compression; docker: boolean; leaveRemote?: boolean },
    id: string,
  ) => {
    const form = imageForm(output, defaults, {
      annotations: options.annotations ?? {},
      sourceDateEpoch,
      inlineCache: options.cacheTo?.some(({ type }) => type === 'inline')
        ? executor.buildkitDigest
        : undefined,
    });
    return writeImage(store, packer, images, form, layerWork(emit, id, signal));
  };

  /** What is written to a stream cannot be written again: its blobs are read before. */
  const wholeContent = async (...[output, defaults, id]: Parameters<typeof toContent>) => {
    for (;;) {
      const image = await toContent(output, defaults, id);
      if ('dest' in output && isPath(output.dest)) return image;
      let damaged = 0;
      for (const blob of await collectBlobs(store.content, [image.descriptor]))
        if (await store.discardDamaged(blob, signal)) damaged++;
      if (damaged === 0) return image;
      packer = newPacker();
    }
  };

  const push = async (written: WrittenImage, names: readonly string[], parent: string) => {
    for (const name of names) {
      const destination = parseReference(name);
      const repository = await registries.repository(destination);
      const mounts = mountSources(images, destination.registry, options.cacheFrom);
      await withStep(
        emit,
        { id: `${parent}:push:${name}`, name: `pushing ${familiarReference(destination)}` },
        (id) =>
          pushImage(repository, apiReference(destination), written.descriptor, store.content, {
            signal,
            onTransfer: transferTo(emit, id),
            mountFrom: () => mounts,
            async openBlob(blob) {
              await workshop.fetchLayer(blob, signal);
              return store.content.open(blob);
            },
          }),
      );
    }
  };

  // BuildKit gives the files of these outputs the epoch, also those that are older.
  const times = sourceDateEpoch === undefined ? {} : { fileSeconds: sourceDateEpoch };

  return async (output: OutputSpec, step: string): Promise<Exported> => {
    switch (output.type) {
      case 'cacheonly':
        return { result: { type: 'cacheonly', names: [] } };
      case 'store':
      case 'registry': {
        const names = namesOf(output, tags);
        const pushes = output.type === 'registry' || output.push === true;
        // What is pushed and what is kept are one image, with one digest.
        const compression = pushes ? 'gzip' : 'uncompressed';
        const written = await withStep(emit, { id: step, name: 'exporting to image' }, async (id) => {
          const leaveRemote = output.type === 'registry';
          const image = await toContent(output, { compression, docker: false, leaveRemote }, id);
          if (output.type === 'store') for (const name of names) await store.tags.set(name, image.descriptor);
          return image;
        });
        if (pushes) await push(written, names, step);
        return { result: { type: output.type, digest: written.descriptor.digest, names }, written };
      }
      case 'oci':
      case 'docker': {
        const names = namesOf(output, tags);
        const title =
          output.type === 'oci' ? 'exporting to oci image format' : 'exporting to docker image format';
        const written = await withStep(emit, { id: step, name: title }, async (id) => {
          const image = await wholeContent(
            output,
            { compression: 'gzip', docker: output.type === 'docker' },
            id,
          );
          const target = { format: output.type, folder: output.tar === false, dest: output.dest };
          await writeImages(store, [{ descriptor: image.descriptor, names }], target, signal);
          return image;
        });
        return {
          result: { type: output.type, ...destOf(output.dest), digest: written.descriptor.digest, names },
          written,
        };
      }
      case 'tar': {
        const [only] = images;
        if (!only) throw new Error('nothing was built');
        await withStep(emit, { id: step, name: 'exporting to client tarball' }, () =>
          writeDestination(output.dest, executor.rootfsTar(only.ref, { signal, ...times }), signal),
        );
        return { result: { type: 'tar', ...destOf(output.dest), names: [] } };
      }
      case 'local': {
        const split = output.platformSplit ?? images.length > 1;
        await withStep(emit, { id: step, name: 'exporting to client directory' }, async () => {
          for (const { ref, platform } of images) {
            const folder = split
              ? join(output.dest, formatPlatform(platform).replaceAll('/', '_'))
              : output.dest;
            await writeFolder(folder, (path) => executor.exportTree(ref, path, signal, sourceDateEpoch));
          }
        });
        return { result: { type: 'local', dest: output.dest, names: [] } };
      }
    }
  };
}

function destOf(dest: unknown): { dest?: string } {
  return typeof dest === 'string' ? { dest } : {};
}

function severalPlatforms(type: string): TsbuildError {
  return new TsbuildError('TSB_USAGE_PLATFORMS', `type=${type} cannot hold several platforms`, {
    hint: 'Build them one by one, or use type=oci.',
  });
}
