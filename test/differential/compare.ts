/** Differences of two results as lines `what: ours | theirs`. */
import type { Facts, Result } from './facts.js';

export function compare(ours: Result, theirs: Result): string[] {
  if ('fails' in ours || 'fails' in theirs) {
    const outcome = (result: Result) => ('fails' in result ? `fails: ${result.fails}` : 'builds');
    const isSame = 'fails' in ours && 'fails' in theirs;
    return isSame ? [] : [`outcome: ${outcome(ours)} | ${outcome(theirs)}`];
  }
  return [
    ...compareConfig(ours, theirs),
    ...compareLists('history', ours.history, theirs.history),
    ...compareLayers(ours, theirs),
  ];
}

function compareConfig(ours: Facts, theirs: Facts): string[] {
  const flat = ({ config }: Facts) => {
    const { config: inner = {}, ...outer } = config;
    const named = Object.entries(inner as Record<string, unknown>).map(([key, value]) => [
      `config.${key}`,
      value,
    ]);
    return Object.fromEntries([...Object.entries(outer), ...named]) as Record<string, unknown>;
  };
  return compareMaps('', flat(ours), flat(theirs));
}

function compareMaps(what: string, ours: Record<string, unknown>, theirs: Record<string, unknown>): string[] {
  const keys = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])].sort();
  return keys.flatMap((key) => {
    const [left, right] = [JSON.stringify(sorted(ours[key])), JSON.stringify(sorted(theirs[key]))];
    return left === right ? [] : [`${what}${key}: ${left} | ${right}`];
  });
}

/** The same value with the keys of objects in order: the order in JSON has no meaning. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]): [string, unknown] => [key, sorted(item)]);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function compareLists(what: string, ours: string[], theirs: string[]): string[] {
  const length = Math.max(ours.length, theirs.length);
  return Array.from({ length }, (_, index) => index).flatMap((index) =>
    ours[index] === theirs[index] ? [] : [`${what} ${index}: ${ours[index]} | ${theirs[index]}`],
  );
}

/** Layer by layer, entry by entry, order included; then the root file system that they give together. */
function compareLayers(ours: Facts, theirs: Facts): string[] {
  const lines: string[] = [];
  const length = Math.max(ours.layers.length, theirs.layers.length);
  for (let index = 0; index < length; index++) {
    const [left, right] = [ours.layers[index], theirs.layers[index]];
    if (!left || !right) {
      lines.push(`layer ${index}: ${left ? 'there' : 'missing'} | ${right ? 'there' : 'missing'}`);
      continue;
    }
    const byPath = (layer: string[]) =>
      Object.fromEntries(layer.map((line) => [pathOf(line), line.slice(pathOf(line).length)]));
    const differences = compareMaps(`layer ${index} `, byPath(left), byPath(right));
    if (differences.length === 0 && left.join('\n') !== right.join('\n')) {
      differences.push(
        `layer ${index} order: ${left.map(pathOf).join(' ')} | ${right.map(pathOf).join(' ')}`,
      );
    }
    lines.push(...differences);
  }
  return [...lines, ...compareMaps('/', rootOf(ours), rootOf(theirs))];
}

/** Everything before the kind; no path of the cases has such a word in it. */
function pathOf(line: string): string {
  return line.slice(0, line.search(/ (?:\d+ (?:"|[0-9a-f]{12}\b)|= |-> |char |block |dir\b|fifo\b|type )/));
}

/** Path to entry, the layers of the case applied in turn. */
function rootOf({ layers }: Facts): Record<string, unknown> {
  const root = new Map<string, string>();
  for (const layer of layers) {
    for (const line of layer) {
      const path = pathOf(line).replace(/\/$/, '');
      const hidden = /^(.*\/)?\.wh\.([^/]+)$/.exec(path);
      const isDirectory = / dir /.test(line.slice(path.length));
      const gone = hidden ? `${hidden[1] ?? ''}${hidden[2]}` : isDirectory ? undefined : path;
      if (gone !== undefined)
        for (const key of root.keys()) if (key === gone || key.startsWith(`${gone}/`)) root.delete(key);
      root.set(path, line.slice(pathOf(line).length));
    }
  }
  return Object.fromEntries(root);
}
