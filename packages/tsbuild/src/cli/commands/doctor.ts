/** `tsbuild doctor`. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Finding, findings } from '../doctor-checks.js';
import { collectFacts } from '../doctor-facts.js';
import { type Io, wantsColor } from '../io.js';
import type { Args } from '../parse.js';

export async function run(args: Args, io: Io): Promise<number> {
  const facts = collectFacts({ root: args.string('root'), env: io.env, helper: helperProgram() });
  const list = findings(facts);
  io.stdout.write(
    args.bool('json')
      ? `${JSON.stringify({ findings: list, facts }, null, 2)}\n`
      : render(list, wantsColor(io.stdout, io.env)),
  );
  return list.some((finding) => finding.state === 'broken') ? 1 : 0;
}

/** Found without loading the native part, which may be just what is missing. */
function helperProgram(): string | undefined {
  try {
    const path = fileURLToPath(new URL('./build/tsbuild-helper', import.meta.resolve('@tsbuild/native')));
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

const colors = { ok: '32', missing: '33', broken: '31' } as const;

export function render(list: readonly Finding[], color: boolean): string {
  const width = Math.max(...list.map((finding) => finding.name.length)) + 2;
  const lines: string[] = [];
  for (const finding of list) {
    const state = finding.state.padEnd(9);
    lines.push(
      `${color ? `\x1b[${colors[finding.state]}m${state}\x1b[0m` : state}${finding.name.padEnd(width)}${finding.found}`,
    );
    const indent = ' '.repeat(9 + width);
    if (finding.cost !== undefined) lines.push(`${indent}costs: ${finding.cost}`);
    for (const [i, cure] of (finding.cure ?? []).entries())
      lines.push(`${indent}${i === 0 ? 'try:   ' : '       '}${cure}`);
  }
  const broken = list.filter((finding) => finding.state === 'broken').length;
  const missing = list.filter((finding) => finding.state === 'missing').length;
  lines.push(
    '',
    broken > 0
      ? `Builds cannot run here: ${broken} thing${broken === 1 ? ' is' : 's are'} broken.`
      : missing > 0
        ? `Builds can run here; ${missing} thing${missing === 1 ? ' is' : 's are'} missing.`
        : 'Builds can run here; nothing is missing.',
  );
  return `${lines.join('\n')}\n`;
}
