/** Events to the state of the steps that the views draw. */
import type {
  BuildEvent,
  NoticeEvent,
  StepUsage,
  VertexExplained,
  VertexTransfer,
  WarningEvent,
} from '@tsbuild/core';
import { type Line, type LineSplitter, lineSplitter } from './lines.js';

export interface Step {
  id: string;
  name: string;
  /** Place among the steps as they became known: the order of the Dockerfile. */
  index: number;
  startedAt?: number;
  completedAt?: number;
  cached: boolean;
  error?: string;
  canceled: boolean;
  usage?: StepUsage;
  /** What the cache had of it, where that was asked. */
  explained?: VertexExplained;
  /** Items that move, by name, in the order in which they appeared. */
  transfers: Map<string, TransferState>;
  /** Output of a step that runs or has failed. */
  output: StepOutput;
}

export interface TransferState extends VertexTransfer {
  startedAt: number;
  /** What was done to it before it was done. */
  lastAction: VertexTransfer['action'];
}

export interface StepOutput {
  lines: Line[];
  /** Characters in lines. */
  size: number;
  /** Lines that are no longer held. */
  dropped: number;
  partial: Map<string, LineSplitter>;
}

export interface Steps {
  /** In the order in which they became known. */
  all: Step[];
  warnings: WarningEvent[];
  notices: NoticeEvent[];
  apply(event: BuildEvent): Step | undefined;
  get(id: string): Step | undefined;
}

/** Output held per step, in characters: more than anybody scrolls back; plain progress shows everything. */
const heldOutput = 1 << 20;

export function trackSteps(): Steps {
  const byId = new Map<string, Step>();
  const steps: Steps = {
    all: [],
    warnings: [],
    notices: [],
    get: (id) => byId.get(id),
    apply(event) {
      if (event.type === 'warning') {
        steps.warnings.push(event);
        return undefined;
      }
      if (event.type === 'notice') {
        steps.notices.push(event);
        return undefined;
      }
      const step = byId.get(event.id) ?? add(event.id);
      applyToStep(step, event);
      return step;
    },
  };
  const add = (id: string): Step => {
    const step: Step = {
      id,
      index: steps.all.length,
      name: id,
      cached: false,
      canceled: false,
      transfers: new Map(),
      output: { lines: [], size: 0, dropped: 0, partial: new Map() },
    };
    byId.set(id, step);
    steps.all.push(step);
    return step;
  };
  return steps;
}

type StepEvent = Exclude<BuildEvent, WarningEvent | NoticeEvent>;

function applyToStep(step: Step, event: StepEvent): void {
  switch (event.type) {
    case 'vertex':
      step.name = event.name;
      break;
    case 'started':
      step.startedAt ??= event.at;
      // A step may run again after a cache hit turned out unusable.
      delete step.completedAt;
      break;
    case 'completed':
      step.startedAt ??= event.at;
      step.completedAt = event.at;
      step.cached = event.cached;
      step.canceled = event.canceled === true;
      if (event.error !== undefined) step.error = event.error;
      if (event.usage !== undefined) step.usage = event.usage;
      for (const splitter of step.output.partial.values()) {
        const line = splitter.end();
        if (line !== undefined) hold(step.output, [line]);
      }
      if (event.error === undefined) step.output = { lines: [], size: 0, dropped: 0, partial: new Map() };
      break;
    case 'log': {
      let splitter = step.output.partial.get(event.stream);
      if (splitter === undefined) {
        splitter = lineSplitter();
        step.output.partial.set(event.stream, splitter);
      }
      hold(step.output, splitter.push(event.text, event.at));
      break;
    }
    case 'explained':
      step.explained = event;
      break;
    case 'transfer': {
      const known = step.transfers.get(event.item);
      const over = event.action === 'done' || event.action === 'exists';
      step.transfers.set(event.item, {
        ...event,
        startedAt: known?.startedAt ?? event.at,
        lastAction: over ? (known?.lastAction ?? event.action) : event.action,
      });
      break;
    }
  }
}

function hold(output: StepOutput, lines: Line[]): void {
  for (const line of lines) {
    output.lines.push(line);
    output.size += line.text.length;
  }
  let drop = 0;
  while (output.size > heldOutput && drop < output.lines.length - 1) {
    output.size -= output.lines[drop]?.text.length ?? 0;
    drop++;
  }
  if (drop > 0) {
    output.lines.splice(0, drop);
    output.dropped += drop;
  }
}

export function isOver(transfer: TransferState): boolean {
  return transfer.action === 'done' || transfer.action === 'exists';
}

/** Held lines, and the ones begun. */
export function currentLines(output: StepOutput): Line[] {
  const begun = [...output.partial.values()]
    .map((splitter) => splitter.partial())
    .filter((line) => line !== undefined);
  return begun.length === 0 ? output.lines : [...output.lines, ...begun];
}
