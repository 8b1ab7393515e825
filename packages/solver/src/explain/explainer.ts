/**
 * Why steps are not found in the cache: each is compared with the same step of an earlier build. Fed with what the solver
 * (or a look-up without running anything) learns; explains when asked.
 */
import { type CacheCause, type Digest, formatPlatform } from '@tsbuild/core';
import { imageKey, keyVersion, scratchKey } from '../keys/op-key.js';
import type { ImageOp, Vertex, VertexId } from '../ops.js';
import type { BuildPlan } from '../plan.js';
import type { MissReason } from '../schedule/api.js';
import { alignSteps } from './align.js';
import { type FilesBetween, ownCauses } from './causes.js';
import {
  type BuildTrace,
  instructionOf,
  type KnownStep,
  stepOf,
  type TraceStep,
  traceVersion,
} from './trace.js';

export interface ExplainerParts {
  plans: readonly BuildPlan[];
  /** Traces of earlier builds, the one to compare with first. */
  traces: readonly BuildTrace[];
  filesBetween: FilesBetween;
  /** Shared caches that the build names. */
  caches?: ReadonlySet<string>;
  /** Shared caches that the store has the result from, of those that the build does not name. */
  untrusted?(key: Digest): Promise<readonly string[]>;
}

interface Earlier {
  step: TraceStep;
  trace: BuildTrace;
}

export class Explainer {
  readonly #parts: ExplainerParts;
  readonly #vertices = new Map<VertexId, { vertex: Vertex; plan: BuildPlan }>();
  readonly #known = new Map<VertexId, KnownStep>();
  readonly #earlier: ReadonlyMap<VertexId, Earlier>;
  readonly #own = new Map<VertexId, Promise<CacheCause[]>>();

  constructor(parts: ExplainerParts) {
    this.#parts = parts;
    for (const plan of parts.plans)
      for (const vertex of plan.vertices.values())
        if (!this.#vertices.has(vertex.id)) this.#vertices.set(vertex.id, { vertex, plan });
    this.#earlier = findEarlier(parts);
  }

  keyed(step: KnownStep): void {
    this.#known.set(step.vertex.id, step);
  }

  /** Causes of a miss, the most telling one first; at least one. */
  async causesOf(id: VertexId, reason: MissReason): Promise<CacheCause[]> {
    const vertex = this.#vertex(id);
    if (reason === 'forced') return [forced(vertex)];
    if (reason === 'unusable')
      return [{ kind: 'gone', text: 'nothing changed, but the files of its result are gone or damaged' }];
    const known = this.#known.get(id);
    const untrusted = known && (await this.#parts.untrusted?.(known.key));
    if (untrusted !== undefined && untrusted.length > 0) return [untrustedCause(untrusted)];
    const earlier = this.#earlier.get(id);
    if (known === undefined || earlier === undefined)
      return [{ kind: 'new', text: 'no build of this step is on record' }];
    const { step, trace } = earlier;
    if (step.key === known.key) {
      const unnamed = (trace.caches ?? []).filter((name) => !this.#parts.caches?.has(name));
      return [unchanged(step, unnamed)];
    }
    const own = await this.#ownCauses(id);
    const below = step.base === known.base ? [] : [await this.#below(known, earlier)];
    const causes = [...own, ...below];
    if (causes.length > 0) return causes;
    return trace.keyVersion === keyVersion
      ? [{ kind: 'instruction', text: 'its definition changed' }]
      : [{ kind: 'version', text: 'this version of tsbuild runs every step again' }];
  }

  /** What changed of the step itself. */
  #ownCauses(id: VertexId): Promise<CacheCause[]> {
    const done = this.#own.get(id);
    if (done !== undefined) return done;
    const made = this.#compare(id);
    this.#own.set(id, made);
    return made;
  }

  async #compare(id: VertexId): Promise<CacheCause[]> {
    const known = this.#known.get(id);
    const earlier = this.#earlier.get(id);
    if (known === undefined || earlier === undefined) return [];
    const { plan } = this.#entry(id);
    return await ownCauses(
      earlier.step,
      stepOf(plan, known, false),
      earlier.trace.salt,
      this.#parts.filesBetween,
    );
  }

  /** The step stands on something else than before. */
  async #below(known: KnownStep, { step, trace }: Earlier): Promise<CacheCause> {
    const base = baseOf(known.vertex);
    const first = await this.#firstChanged(base);
    if (first?.vertex.op.kind === 'image') return imageCause(first.vertex.op, step.base, trace);
    if (first === undefined) {
      const now = this.#nameOf(base);
      const was = nameByKey(step.base, trace);
      return { kind: 'below', text: `it stands on ${now} now${was === undefined ? '' : `, not on ${was}`}` };
    }
    const direct = this.#steps(base)[0]?.id === first.vertex.id;
    const which = direct ? 'the step below it' : 'a step below it';
    return {
      kind: 'below',
      text: `${which} ${first.isNew ? 'is new' : 'changed'}: ${first.vertex.name}`,
    };
  }

  /** Going down from a base: the lowest step or image that changed by itself. */
  async #firstChanged(base: VertexId): Promise<{ vertex: Vertex; isNew: boolean } | undefined> {
    let found: { vertex: Vertex; isNew: boolean } | undefined;
    for (const vertex of this.#steps(base)) {
      if (vertex.op.kind === 'image') {
        const key = imageKey(vertex.op);
        const same = this.#parts.traces[0]?.images.some((image) => image.key === key);
        return same === false ? { vertex, isNew: false } : found;
      }
      if (vertex.op.kind === 'git' || vertex.op.kind === 'http') return { vertex, isNew: false };
      const earlier = this.#earlier.get(vertex.id);
      if (earlier !== undefined && earlier.step.key === this.#known.get(vertex.id)?.key) continue;
      if (earlier === undefined) found = { vertex, isNew: true };
      else if (vertex.ignoreCache || (await this.#ownCauses(vertex.id)).length > 0)
        found = { vertex, isNew: false };
    }
    return found;
  }

  /** Steps and the image of a chain of bases, from the top; layers that are stacked count as steps of the chain. */
  #steps(id: VertexId): Vertex[] {
    const vertex = this.#vertex(id);
    const { op } = vertex;
    switch (op.kind) {
      case 'run':
      case 'file':
        return [vertex, ...this.#steps(op.base)];
      case 'merge':
        return [...this.#steps(op.upper), ...this.#steps(op.lower)];
      case 'image':
      case 'git':
      case 'http':
        return [vertex];
      default:
        return [];
    }
  }

  #nameOf(id: VertexId): string {
    const top = this.#steps(id)[0];
    return top === undefined ? 'an empty root' : top.name;
  }

  #entry(id: VertexId): { vertex: Vertex; plan: BuildPlan } {
    const entry = this.#vertices.get(id);
    if (entry === undefined) throw new Error(`vertex ${id} is in no plan`);
    return entry;
  }

  #vertex(id: VertexId): Vertex {
    return this.#entry(id).vertex;
  }
}

function baseOf({ op }: Vertex): VertexId {
  if (op.kind !== 'run' && op.kind !== 'file') throw new Error(`${op.kind} stands on nothing`);
  return op.base;
}

function forced({ ignoreCache }: Vertex): CacheCause {
  return {
    kind: 'forced',
    text: ignoreCache
      ? 'the cache was not to be used (--no-cache)'
      : 'it stands on a step for which the cache was not to be used (--no-cache)',
  };
}

function untrustedCause(names: readonly string[]): CacheCause {
  return {
    kind: 'untrusted',
    text: `its result came from ${names.join(' and ')}, which this build does not name (--cache-from)`,
  };
}

function unchanged({ done }: TraceStep, unnamed: readonly string[]): CacheCause {
  if (done && unnamed.length > 0) {
    return {
      kind: 'untrusted',
      text: `nothing changed, but the build before had ${unnamed.join(' and ')} (--cache-from), and this one has not`,
    };
  }
  return done
    ? { kind: 'gone', text: 'nothing changed, but its result is not in the cache any more' }
    : { kind: 'unfinished', text: 'nothing changed, but it has not succeeded yet' };
}

function imageCause(op: ImageOp, before: Digest, trace: BuildTrace): CacheCause {
  const same = trace.images.filter(({ reference }) => reference === op.reference);
  const was = same.find(({ key }) => key === before) ?? same[0];
  const manifest = op.manifest.digest;
  const text =
    was === undefined
      ? `the base image is ${op.reference} now`
      : `the base image ${op.reference} has other layers (${short(was.manifest)} became ${short(manifest)})`;
  return { kind: 'image', text };
}

function short(digest: Digest): string {
  return digest.slice(0, 'sha256:'.length + 12);
}

function nameByKey(key: Digest, trace: BuildTrace): string | undefined {
  if (key === scratchKey) return 'an empty root';
  const image = trace.images.find((each) => each.key === key);
  return image?.reference ?? trace.steps.find((each) => each.key === key)?.text.split('\n', 1)[0];
}

/** Each step with the same step in the first trace that has it. */
function findEarlier({ plans, traces }: ExplainerParts): ReadonlyMap<VertexId, Earlier> {
  const found = new Map<VertexId, Earlier>();
  for (const trace of traces.filter(({ version }) => version === traceVersion)) {
    for (const [line, step] of alignSteps(trace.steps, linesOf(plans)))
      if (!found.has(line.id)) found.set(line.id, { step, trace });
  }
  return found;
}

/** The steps of plans, in order. */
export function linesOf(plans: readonly BuildPlan[]) {
  const lines = new Map<VertexId, Pick<TraceStep, 'stage' | 'platform' | 'text'> & { id: VertexId }>();
  for (const plan of plans) {
    for (const vertex of plan.vertices.values()) {
      if (vertex.op.kind !== 'run' && vertex.op.kind !== 'file') continue;
      if (lines.has(vertex.id)) continue;
      const { stage = '', id } = vertex;
      lines.set(id, {
        id,
        stage,
        platform: formatPlatform(vertex.platform),
        text: instructionOf(plan, vertex),
      });
    }
  }
  return [...lines.values()];
}
