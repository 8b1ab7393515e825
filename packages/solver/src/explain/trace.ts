/**
 * What a build leaves for the explanation of the next one: its steps in order, each with its key and the facts that the key
 * is made of. Plain data; where traces are kept is the store's business.
 */
import { type Digest, formatPlatform, sha256 } from '@tsbuild/core';
import { isSecretName, secretKind } from '@tsbuild/parser';
import { imageKey, keyVersion } from '../keys/op-key.js';
import type { Vertex, VertexId } from '../ops.js';
import type { BuildPlan } from '../plan.js';
import { type Facts, factsOf } from './facts.js';

/** Raised whenever facts are named or written in another way: older traces are then passed over. */
export const traceVersion = 1;

export interface BuildTrace {
  version: number;
  /** keyVersion of the tsbuild that wrote it. */
  keyVersion: number;
  /** For the digests that stand for secret values. */
  salt: string;
  /** Where the build came from, for people. */
  origin?: { dockerfile: string; context?: string };
  /** Shared caches that the build named, where results may have been. */
  caches?: string[];
  steps: TraceStep[];
  images: TraceImage[];
}

export interface TraceStep {
  /** Name or `stage-N`. */
  stage: string;
  platform: string;
  /** The instruction as the Dockerfile has it, its beginning. */
  text: string;
  key: Digest;
  /** Key of what it stands on. */
  base: Digest;
  facts: Facts;
  /** Variables that an ARG has set. */
  args: readonly string[];
  /** Whether there was a result when the build ended. */
  done: boolean;
}

/** A base image. */
export interface TraceImage {
  key: Digest;
  reference: string;
  manifest: Digest;
}

/** What became known of a step while solving. */
export interface KnownStep {
  vertex: Vertex;
  key: Digest;
  base: Digest;
  /** Digests of what its mounts or copies select, by index. */
  contents: ReadonlyMap<number, Digest>;
}

/** Characters of an instruction that are kept. */
const textKept = 1000;

/** Steps whose keys were never known are left out. */
export function traceOf(
  plans: readonly BuildPlan[],
  known: ReadonlyMap<VertexId, KnownStep>,
  done: ReadonlySet<VertexId>,
  salt: string,
): BuildTrace {
  const seen = new Set<VertexId>();
  const steps: TraceStep[] = [];
  const images = new Map<Digest, TraceImage>();
  for (const plan of plans) {
    for (const vertex of plan.vertices.values()) {
      if (seen.has(vertex.id)) continue;
      seen.add(vertex.id);
      const { op } = vertex;
      if (op.kind === 'image')
        images.set(imageKey(op), {
          key: imageKey(op),
          reference: op.reference,
          manifest: op.manifest.digest,
        });
      const step = known.get(vertex.id);
      if (step === undefined) continue;
      const { facts, ...rest } = stepOf(plan, step, done.has(vertex.id));
      steps.push({ ...rest, facts: hideSecrets(facts, salt) });
    }
  }
  return { version: traceVersion, keyVersion, salt, steps, images: [...images.values()] };
}

/** A step as a trace has it, but with its secrets. */
export function stepOf(
  plan: BuildPlan,
  { vertex, key, base, contents }: KnownStep,
  done: boolean,
): TraceStep {
  const { op } = vertex;
  if (op.kind !== 'run' && op.kind !== 'file') throw new Error(`${op.kind} is no step`);
  return {
    stage: vertex.stage ?? '',
    platform: formatPlatform(vertex.platform),
    text: instructionOf(plan, vertex),
    key,
    base,
    facts: factsOf(op, vertex.platform, contents),
    args: vertex.args ?? [],
    done,
  };
}

/** The instruction without its place: as written, or as shown where it stands elsewhere (a trigger of the base). */
export function instructionOf({ dockerfile }: BuildPlan, { name, range }: Vertex): string {
  const shown = name.replace(/^\[[^\]]*\] /, '');
  const [keyword = ''] = shown.split(' ', 1);
  if (range === undefined) return shown.slice(0, textKept);
  const lines = dockerfile.text.split('\n').slice(range.startLine - 1, range.endLine);
  const written = lines.join('\n').trim();
  const same = written.slice(0, keyword.length).toUpperCase() === keyword.toUpperCase();
  return (same ? written : shown).slice(0, textKept);
}

const hidden = 'hidden:';

/** Values of secrets are told apart by a digest; nothing else of them is kept. */
export function hideSecrets(facts: Facts, salt: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [
      name,
      isSecret(name, value) ? hidden + sha256(`${salt}\n${value}`).slice('sha256:'.length) : value,
    ]),
  );
}

function isSecret(name: string, value: string): boolean {
  const variable = /^variable:(.*?)(?:#\d+)?$/.exec(name)?.[1];
  return (variable !== undefined && isSecretName(variable)) || secretKind(value) !== undefined;
}

export function isHidden(value: string): boolean {
  return value.startsWith(hidden);
}
