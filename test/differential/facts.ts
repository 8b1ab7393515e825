/** What an image is, as data that does not depend on when, where or by whom it was built. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readLayout } from '../support/oci.js';
import { type ReadEntry, readTar } from '../support/tar.js';

export interface Facts {
  /** The config file but for what `history` and `layers` say. */
  config: Record<string, unknown>;
  /** One line for each entry that the base has not. */
  history: string[];
  /** For each layer that the base has not: one line per entry of its archive, in order. */
  layers: string[][];
}

/** What one build gave: an image, or the builder's message. */
export type Result = Facts | { fails: string };

export interface BaseFacts {
  diffIds: string[];
  history: unknown[];
}

/** Times after this one, 2020, are those of the build. */
const recent = 1_577_836_800;

export function readBase(layout: string): BaseFacts {
  const { config } = readLayout(layout);
  return { diffIds: config.rootfs.diff_ids, history: config.history ?? [] };
}

/** @param clean takes addresses and folders of this run out of texts */
export function readFacts(layout: string, base: BaseFacts, clean: (text: string) => string): Facts {
  const { config, manifest } = readLayout(layout);
  const { history = [], rootfs, created, architecture, ...rest } = config;
  const isBase = base.diffIds.every((id, index) => rootfs.diff_ids[index] === id);
  const skipped = isBase ? base.diffIds.length : 0;
  const blobs = manifest.layers.slice(skipped).map((layer) => {
    const blob = readFileSync(join(layout, 'blobs', layer.digest.replace(':', '/')));
    return readTar(blob).map(describe);
  });
  const shownCreated = typeof created === 'string' ? stamp(Date.parse(created) / 1000) : '-';
  return {
    config: JSON.parse(
      clean(JSON.stringify({ ...rest, architecture: hostName(architecture), created: shownCreated })),
    ) as Record<string, unknown>,
    history: history.slice(isBase ? base.history.length : 0).map((entry) => clean(historyLine(entry))),
    layers: blobs,
  };
}

function historyLine(entry: { created_by?: string; empty_layer?: boolean; [key: string]: unknown }): string {
  const { created_by = '', empty_layer, created, comment, ...rest } = entry;
  const time = typeof created === 'string' ? stamp(Date.parse(created) / 1000) : '-';
  const more = [
    time === 'now' ? '' : `created ${time}`,
    comment === 'buildkit.dockerfile.v0' ? '' : `comment ${String(comment)}`,
    ...Object.entries(rest).map(([key, value]) => `${key} ${JSON.stringify(value)}`),
  ].filter(Boolean);
  return `${empty_layer ? '-' : '+'} ${created_by}${more.length > 0 ? ` [${more.join(', ')}]` : ''}`;
}

/** The machine's own architecture has no name here: golden data serve every machine. */
function hostName(architecture: unknown): unknown {
  const own = { x64: 'amd64', ia32: '386' }[process.arch as string] ?? process.arch;
  return architecture === own ? 'host' : architecture;
}

function stamp(seconds: number): string {
  return seconds > recent ? 'now' : String(seconds);
}

/** `path kind mode uid:gid mtime` and what the kind has. */
function describe(entry: ReadEntry): string {
  const digest = createHash('sha256').update(entry.data).digest('hex').slice(0, 12);
  const isWhiteout = /(^|\/)\.wh\.[^/]*$/.test(entry.name);
  const content: Record<string, string> = {
    '0': `${entry.data.length} ${entry.data.length <= 24 ? JSON.stringify(entry.data.toString()) : digest}`,
    '1': `= ${entry.link}`,
    '2': `-> ${entry.link}`,
    '3': `char ${entry.device.join(':')}`,
    '4': `block ${entry.device.join(':')}`,
    '5': 'dir',
    '6': 'fifo',
  };
  const { path, linkpath, size, uid, gid, mtime, ...records } = entry.pax;
  const xattrs = Object.entries(records).map(
    ([key, value]) => `${key}=${Buffer.from(value).toString('hex')}`,
  );
  const meta = `${entry.mode.toString(8).padStart(4, '0')} ${entry.uid}:${entry.gid} ${stamp(entry.mtime)}`;
  return [
    entry.name,
    content[entry.type] ?? `type ${entry.type}`,
    isWhiteout && entry.mode === 0 ? '' : meta,
    entry.owner && `owner ${entry.owner}`,
    ...xattrs,
  ]
    .filter(Boolean)
    .join(' ');
}
