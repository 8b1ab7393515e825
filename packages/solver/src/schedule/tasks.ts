/** Promises that are started now and awaited later, with the promise that none outlives its owner. */
export class Tasks {
  readonly #running = new Set<Promise<unknown>>();

  /** Remembers the promise until it is settled. Its rejection is the business of whoever awaits it. */
  track<T>(promise: Promise<T>): Promise<T> {
    const settled = promise.then(
      () => undefined,
      () => undefined,
    );
    this.#running.add(settled);
    void settled.then(() => this.#running.delete(settled));
    return promise;
  }

  /** Waits until nothing runs, including what was started meanwhile. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
