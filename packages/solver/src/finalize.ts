/**
 * The image config of a solved plan: history with times, diff ids, platform. The rules are those of BuildKit's image
 * exporter (normalizeLayersAndHistory and patchImageConfig in its exporter/containerimage/writer.go).
 */
import type { ContainerConfig, Digest, HistoryEntry, ImageConfig } from '@tsbuild/core';
import type { Ref } from './interfaces.js';
import type { BuildPlan } from './plan.js';

/** @param diffIds of all layers of the ref, bottom first */
export function finalizeImage(plan: BuildPlan, ref: Ref, diffIds: readonly Digest[]): ImageConfig {
  const history = datedHistory(plan, ref);
  const created = history.findLast((entry) => entry.created !== undefined)?.created;
  const { base } = plan;
  return {
    ...(created === undefined ? {} : { created }),
    ...(plan.author === undefined ? {} : { author: plan.author }),
    architecture: plan.imagePlatform.architecture,
    os: plan.imagePlatform.os,
    ...(plan.imagePlatform.variant === undefined ? {} : { variant: plan.imagePlatform.variant }),
    ...(base?.['os.version'] === undefined ? {} : { 'os.version': base['os.version'] }),
    ...(base?.['os.features'] === undefined ? {} : { 'os.features': base['os.features'] }),
    config: withoutEmpty(plan.config),
    rootfs: { type: 'layers', diff_ids: [...diffIds] },
    history,
  };
}

function datedHistory(plan: BuildPlan, ref: Ref): HistoryEntry[] {
  const own = plan.history.map(({ entry }) => ({ ...entry }));
  const history: HistoryEntry[] = [...(plan.base?.history ?? []).map((entry) => ({ ...entry })), ...own];
  const described = history.filter((entry) => !entry.empty_layer).length;
  for (const layer of ref.layers.slice(described)) {
    history.push({
      ...created(layer.createdAt),
      ...(plan.origin === undefined ? {} : { created_by: plan.origin }),
      comment: 'buildkit.exporter.image.v0',
    });
  }
  let layer = 0;
  for (const entry of history) {
    if (entry.empty_layer) continue;
    if (entry.created === undefined) Object.assign(entry, created(ref.layers[layer]?.createdAt));
    layer += 1;
  }
  fillTimes(history);
  if (plan.sourceDateEpoch !== undefined) setTimes(own, history, plan.sourceDateEpoch);
  return history.map(ordered);
}

/**
 * Entries without a time get that of the layer before them, and those before the first new layer that layer's;
 * without any new layer, the last time there is.
 */
function fillTimes(history: HistoryEntry[]): void {
  const firstGap = history.findIndex((entry) => entry.created === undefined);
  if (firstGap < 0) return;
  const afterGap = history.slice(firstGap).find((entry) => entry.created !== undefined)?.created;
  let time = afterGap ?? history.findLast((entry) => entry.created !== undefined)?.created;
  for (const entry of history.slice(firstGap)) {
    if (entry.created === undefined) Object.assign(entry, created(time));
    else time = entry.created;
  }
}

/** BuildKit sets the time, also of what was made before it; entries of the base stay. */
function setTimes(own: readonly HistoryEntry[], history: readonly HistoryEntry[], seconds: number): void {
  const time = new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
  for (const entry of history) {
    if (own.includes(entry) || entry.comment === 'buildkit.exporter.image.v0') entry.created = time;
  }
}

function created(time: string | undefined): { created?: string } {
  return time === undefined ? {} : { created: time };
}

/** Members in the order the image specification lists them. */
function ordered(entry: HistoryEntry): HistoryEntry {
  const { created, created_by, author, comment, empty_layer } = entry;
  return {
    ...(created === undefined ? {} : { created }),
    ...(created_by ? { created_by } : {}),
    ...(author ? { author } : {}),
    ...(comment ? { comment } : {}),
    ...(empty_layer ? { empty_layer } : {}),
  };
}

function withoutEmpty(config: ContainerConfig): ContainerConfig {
  const keep = (value: unknown): boolean => {
    if (value === undefined || value === '' || value === false) return false;
    if (Array.isArray(value)) return value.length > 0;
    return typeof value !== 'object' || value === null || Object.keys(value).length > 0;
  };
  const order: (keyof ContainerConfig)[] = [
    'User',
    'ExposedPorts',
    'Env',
    'Entrypoint',
    'Cmd',
    'Volumes',
    'WorkingDir',
    'Labels',
    'StopSignal',
    'ArgsEscaped',
    'Healthcheck',
    'OnBuild',
    'Shell',
  ];
  return Object.fromEntries(order.filter((key) => keep(config[key])).map((key) => [key, config[key]]));
}

/**
 * The config's bytes as Go's encoding/json writes them: top-level members sorted (BuildKit goes through a map), string-keyed maps
 * sorted, and `<`, `>`, `&`, U+2028, U+2029 escaped.
 */
export function encodeConfig(config: ImageConfig): Buffer {
  const inner = config.config;
  const sorted: Record<string, unknown> = {
    ...config,
    ...(inner === undefined ? {} : { config: sortMaps(inner) }),
  };
  const top = Object.fromEntries(
    Object.keys(sorted)
      .sort()
      .map((key) => [key, sorted[key]]),
  );
  const text = JSON.stringify(top).replace(/[<>&\u2028\u2029]/g, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return Buffer.from(text, 'utf8');
}

function sortMaps(config: ContainerConfig): ContainerConfig {
  const sort = <T>(map: Record<string, T>) =>
    Object.fromEntries(
      Object.keys(map)
        .sort()
        .map((key) => [key, map[key] as T]),
    );
  return {
    ...config,
    ...(config.ExposedPorts === undefined ? {} : { ExposedPorts: sort(config.ExposedPorts) }),
    ...(config.Volumes === undefined ? {} : { Volumes: sort(config.Volumes) }),
    ...(config.Labels === undefined ? {} : { Labels: sort(config.Labels) }),
  };
}
