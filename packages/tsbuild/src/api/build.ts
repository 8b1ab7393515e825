/** build(): a promise of the result that is also the stream of the build's events. */
import type { BuildEvent } from '@tsbuild/core';
import { call } from './client.js';
import type { BuildOptions, BuildPromise } from './types.js';

/**
 * Builds a Dockerfile.
 *
 * @returns await it for the result; `for await` it for the events. Begin the loop at once (before the first await
 * after the call): events that pass while no loop runs are not kept.
 * @throws TsbuildError through the promise, and through the loop
 */
export function build(options: BuildOptions): BuildPromise {
  const listeners = new Set<Listener>();
  const result = call('build', options, (event) => {
    for (const listener of listeners) listener.push(event);
  });
  const iterate = (): AsyncIterator<BuildEvent> => {
    const listener = new Listener();
    listeners.add(listener);
    result.then(
      () => listener.end(),
      (error: unknown) => listener.fail(error),
    );
    const iterator = listener.events();
    return {
      next: () => iterator.next(),
      async return() {
        listeners.delete(listener);
        listener.end();
        return { done: true, value: undefined };
      },
    };
  };
  return Object.assign(result, { [Symbol.asyncIterator]: iterate });
}

/** A queue between the events and one loop over them. */
class Listener {
  #queue: BuildEvent[] = [];
  #done: { error?: unknown } | undefined;
  #wake: (() => void) | undefined;

  push(event: BuildEvent): void {
    this.#queue.push(event);
    this.#wake?.();
  }

  end(): void {
    this.#done ??= {};
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#done ??= { error };
    this.#wake?.();
  }

  async *events(): AsyncGenerator<BuildEvent, undefined> {
    for (;;) {
      const batch = this.#queue;
      this.#queue = [];
      yield* batch;
      if (this.#queue.length > 0) continue;
      if (this.#done) {
        if ('error' in this.#done) throw this.#done.error;
        return undefined;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
