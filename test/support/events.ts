/** Reads what `--progress=rawjson` printed. */
import type { Outcome } from './command.js';

interface Event {
  type: string;
  id?: string;
  name?: string;
  cached?: boolean;
}

/** Names of the steps that really ran, and of those that the cache answered, in order of completion. */
export function steps(outcome: Outcome): { ran: string[]; cached: string[] } {
  const events = outcome.stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Event);
  const names = new Map(
    events.filter((event) => event.type === 'vertex').map((event) => [event.id, event.name ?? '']),
  );
  const done = events.filter((event) => event.type === 'completed');
  const select = (cached: boolean) =>
    done.filter((event) => event.cached === cached).map((event) => names.get(event.id) ?? '');
  return { ran: select(false), cached: select(true) };
}
