/**
 * Plain progress for logs, in BuildKit's form: `#5 [build 2/3] RUN make`, `#5 0.123 output`, `#5 DONE 1.2s`.
 *
 * Steps run in parallel, but a log reads well only in pieces: one step has the floor until it ends, or is silent
 * while others have something to say, or has had it for long. Nothing is dropped; the others' lines wait.
 */
import type { BuildEvent } from '@tsbuild/core';
import { causesText } from '../explain-text.js';
import { formatDuration } from '../format.js';
import type { Output } from '../io.js';
import { type LineSplitter, lineSplitter } from './lines.js';
import { type Step, type TransferState, isOver, trackSteps } from './steps.js';
import { explainedLines, transferText, transferTime, usageText, warningLines } from './text.js';
import type { ProgressView } from './view.js';

export interface PlainOptions {
  /** Milliseconds since the epoch. */
  now(): number;
  /** How often waiting lines are looked at, milliseconds; 0 for only when events come. */
  tickMs: number;
}

/** The floor goes to another step after this much silence … */
const silenceMs = 500;
/** … or after this time, if another waits. */
const turnMs = 5000;
/** Bytes of a long transfer are told this often. */
const transferMs = 5000;

interface Queue {
  step: Step;
  /** In the order in which steps are first printed, from 1. */
  number: number;
  lines: string[];
  /** Began, and its name was not printed yet: a silent step must show too. */
  unannounced: boolean;
  ended: boolean;
  splitters: Map<string, LineSplitter>;
  transferToldAt: Map<string, number>;
}

export function plainView(output: Output, options: PlainOptions): ProgressView {
  const steps = trackSteps();
  const queues = new Map<string, Queue>();
  let floor: Queue | undefined;
  let floorSince = 0;
  let lastPrint = 0;
  let blank = true;
  let numbers = 0;
  /** Cached steps come from the last to the first: they wait for each other, to be printed in order. */
  let cached: Step[] = [];

  const write = (lines: readonly string[]) => {
    if (lines.length > 0) output.write(`${lines.join('\n')}\n`);
  };
  const print = (queue: Queue, now: number) => {
    const number = `#${queue.number}`;
    if (floor !== queue) {
      const gap = floor === undefined ? [] : [`#${floor.number} ...`];
      write([...gap, ...(blank && gap.length === 0 ? [] : ['']), `${number} ${queue.step.name}`]);
      floor = queue;
      floorSince = now;
    }
    write(queue.lines.map((line) => `${number} ${line}`));
    queue.lines = [];
    queue.unannounced = false;
    lastPrint = now;
    blank = false;
    if (queue.ended) {
      queues.delete(queue.step.id);
      floor = undefined;
    }
  };
  const flush = (now: number, all: boolean) => {
    for (;;) {
      if (floor !== undefined && hasNews(floor)) {
        print(floor, now);
        continue;
      }
      const waiting = [...queues.values()].find((queue) => queue !== floor && hasNews(queue));
      if (waiting === undefined) return;
      const free = floor === undefined || now - lastPrint >= silenceMs || now - floorSince >= turnMs;
      if (!free && !all) return;
      print(waiting, now);
    }
  };
  const seconds = (step: Step, at: number) => (Math.max(0, at - (step.startedAt ?? at)) / 1000).toFixed(3);

  function tick(): void {
    addCached();
    flush(options.now(), false);
  }
  const timer = options.tickMs > 0 ? setInterval(tick, options.tickMs) : undefined;
  timer?.unref();

  const queueOf = (step: Step): Queue => {
    let queue = queues.get(step.id);
    if (queue === undefined) {
      queue = {
        step,
        number: ++numbers,
        lines: [],
        unannounced: true,
        ended: false,
        splitters: new Map(),
        transferToldAt: new Map(),
      };
      queues.set(step.id, queue);
    }
    return queue;
  };

  const addCached = () => {
    for (const step of cached.sort((a, b) => a.index - b.index)) {
      const queue = queueOf(step);
      queue.lines.push(endText(step));
      queue.ended = true;
    }
    cached = [];
  };

  const add = (step: Step, event: BuildEvent) => {
    // It is told where the step begins: misses are found from the last step to the first.
    if (event.type === 'explained' && (step.startedAt === undefined || step.completedAt !== undefined))
      return;
    if (event.type === 'completed' && event.cached && !queues.has(step.id)) {
      cached.push(step);
      return;
    }
    addCached();
    const queue = queueOf(step);
    if (event.type === 'log') {
      let splitter = queue.splitters.get(event.stream);
      if (splitter === undefined) {
        splitter = lineSplitter();
        queue.splitters.set(event.stream, splitter);
      }
      for (const line of splitter.push(event.text, event.at))
        queue.lines.push(`${seconds(step, line.at)} ${line.text}`);
    } else if (event.type === 'transfer') {
      const transfer = step.transfers.get(event.item);
      if (transfer !== undefined) addTransfer(queue, transfer);
    } else if (event.type === 'explained' || event.type === 'started') {
      const { explained } = step;
      if (explained?.outcome === 'miss') queue.lines.push(`MISSED: ${causesText(explained.causes)}`);
    } else if (event.type === 'completed') {
      for (const splitter of queue.splitters.values()) {
        const line = splitter.end();
        if (line !== undefined) queue.lines.push(`${seconds(step, line.at)} ${line.text}`);
      }
      queue.lines.push(endText(step));
      queue.ended = true;
    }
  };

  return {
    // The log above has every line, but far up where steps ran in parallel: the error's text repeats the last ones.
    showsFailedOutput: false,
    event(event) {
      const step = steps.apply(event);
      const now = options.now();
      if (event.type === 'notice') {
        write([`note: ${event.message}`]);
        blank = false;
      } else if (step !== undefined && event.type !== 'vertex') {
        add(step, event);
      }
      flush(now, false);
    },
    finish(outcome) {
      clearInterval(timer);
      addCached();
      for (const queue of queues.values()) {
        if (!queue.ended) {
          for (const splitter of queue.splitters.values()) {
            const line = splitter.end();
            if (line !== undefined) queue.lines.push(`${seconds(queue.step, line.at)} ${line.text}`);
          }
          queue.lines.push('CANCELED');
          queue.ended = true;
        }
      }
      flush(options.now(), true);
      for (const block of [explainedLines(steps.all), warningLines(steps.warnings), outcome.summary ?? []]) {
        if (block.length === 0) continue;
        write(blank ? block : ['', ...block]);
        blank = false;
      }
    },
  };
}

function hasNews(queue: Queue): boolean {
  return queue.unannounced || queue.lines.length > 0 || queue.ended;
}

function endText(step: Step): string {
  if (step.canceled) return 'CANCELED';
  if (step.error !== undefined) return `ERROR: ${step.error}`;
  if (step.cached) return 'CACHED';
  const usage = usageText(step.usage);
  const time = formatDuration((step.completedAt ?? 0) - (step.startedAt ?? 0));
  return `DONE ${time}${usage === '' ? '' : ` (${usage})`}`;
}

function addTransfer(queue: Queue, transfer: TransferState): void {
  const told = queue.transferToldAt.get(transfer.item) ?? transfer.startedAt;
  if (!isOver(transfer) && transfer.at - told < transferMs) return;
  queue.transferToldAt.set(transfer.item, transfer.at);
  const time = transfer.action === 'exists' ? '' : ` ${transferTime(transfer, transfer.at)}`;
  queue.lines.push(`${transferText(transfer)}${time}${transfer.action === 'done' ? ' done' : ''}`);
}
