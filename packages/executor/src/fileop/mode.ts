/** The mode of --chmod: octal digits, or the symbolic language of chmod(1) with an umask of 0. */
import { TsbuildError } from '@tsbuild/core';

export type ModeChange =
  | { type: 'octal'; mode: number }
  | { type: 'symbolic'; apply(mode: number, isDirectory: boolean): number };

const clausePattern = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/;
const actionPattern = /([-+=])([rwxXst]*|[ugo])/g;

/** @throws TsbuildError TSB_USAGE_BAD_CHMOD */
export function parseMode(text: string): ModeChange {
  if (/^[0-7]+$/.test(text) && Number.parseInt(text, 8) <= 0o7777) {
    return { type: 'octal', mode: Number.parseInt(text, 8) };
  }
  const clauses = text.split(',').map((clause) => clausePattern.exec(clause));
  if (clauses.some((clause) => clause === null)) {
    throw new TsbuildError(
      'TSB_USAGE_BAD_CHMOD',
      `invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`,
      { hint: 'Write an octal mode such as 0644, or a symbolic one such as u+x,go=rX.' },
    );
  }
  const steps = clauses.flatMap((clause) => {
    const [, who = '', actions = ''] = clause as RegExpExecArray;
    return [...actions.matchAll(actionPattern)].map(([, operator = '', permissions = '']) => ({
      who: who === '' || who.includes('a') ? 'ugo' : who,
      operator,
      permissions,
    }));
  });
  return {
    type: 'symbolic',
    apply: (mode, isDirectory) => steps.reduce((now, step) => applyStep(now, step, isDirectory), mode & 0o7777),
  };
}

const shifts = { u: 6, g: 3, o: 0 } as const;
type Class = keyof typeof shifts;

function applyStep(
  mode: number,
  step: { who: string; operator: string; permissions: string },
  isDirectory: boolean,
): number {
  const { who, operator, permissions } = step;
  const classes = (Object.keys(shifts) as Class[]).filter((name) => who.includes(name));
  const reach = classes.reduce((bits, name) => bits | (7 << shifts[name]), 0);
  const special = (who.includes('u') ? 0o4000 : 0) | (who.includes('g') ? 0o2000 : 0);
  let bits = 0;
  for (const name of classes) bits |= permissionBits(permissions, mode, isDirectory) << shifts[name];
  if (permissions.includes('s')) bits |= special;
  if (permissions.includes('t')) bits |= 0o1000;
  if (operator === '+') return mode | bits;
  if (operator === '-') return mode & ~bits;
  // chmod(1): `=` on a directory leaves set-id bits alone unless they are named.
  const cleared = reach | (isDirectory ? 0 : special) | (who === 'ugo' && !isDirectory ? 0o1000 : 0);
  return (mode & ~cleared) | bits;
}

function permissionBits(permissions: string, mode: number, isDirectory: boolean): number {
  if (permissions in shifts) return (mode >> shifts[permissions as Class]) & 7;
  let bits = 0;
  if (permissions.includes('r')) bits |= 4;
  if (permissions.includes('w')) bits |= 2;
  if (permissions.includes('x')) bits |= 1;
  if (permissions.includes('X') && (isDirectory || (mode & 0o111) !== 0)) bits |= 1;
  return bits;
}
