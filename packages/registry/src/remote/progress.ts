/** Bytes that move, told now and then: a view needs no more, and events cross a process boundary. */
import type { Transfer, TransferOptions } from '../api.js';

const intervalMs = 100;

/** @returns told of each step; passes on the first, then at most ten a second, and always another action */
export function progressOf(
  transfer: TransferOptions,
  item: string,
  total: number,
): (action: Transfer['action'], current: number) => void {
  let last: Transfer['action'] | undefined;
  let nextMs = 0;
  return (action, current) => {
    const now = performance.now();
    if (action === last && now < nextMs) return;
    last = action;
    nextMs = now + intervalMs;
    transfer.onTransfer?.({ item, action, current, total });
  };
}
