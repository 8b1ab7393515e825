/** Names of all instructions, in upper case and sorted. */
export const instructionNames = [
  'ADD',
  'ARG',
  'CMD',
  'COPY',
  'ENTRYPOINT',
  'ENV',
  'EXPOSE',
  'FROM',
  'HEALTHCHECK',
  'LABEL',
  'MAINTAINER',
  'ONBUILD',
  'RUN',
  'SHELL',
  'STOPSIGNAL',
  'USER',
  'VOLUME',
  'WORKDIR',
] as const;

const known: ReadonlySet<string> = new Set(instructionNames);
/** By the code of their first character. */
const byInitial = new Map<number, string[]>();
for (const name of instructionNames) {
  const initial = name.charCodeAt(0);
  byInitial.set(initial, [...(byInitial.get(initial) ?? []), name]);
}

export function isInstructionName(name: string): boolean {
  return known.has(name);
}

/** The text from `start` to `end`: for the name of an instruction the one string that all of them share. */
export function keywordAt(text: string, start: number, end: number): string {
  const names = byInitial.get(text.charCodeAt(start));
  if (names !== undefined) {
    for (const name of names) if (name.length === end - start && text.startsWith(name, start)) return name;
  }
  return text.slice(start, end);
}
