/** The mode of --chmod: octal digits, or the symbolic language of chmod(1) with an umask of 0. */
import { TsbuildError } from '@tsbuild/core';

export type ModeChange =
  | { type: 'octal'; mode: number }
  | { type: 'symbolic'; apply(mode: number, isDirectory: boolean): number };

const clausePattern = /^([ugoa]*)((?:[-+=](?:[ugo]|[rwxXst]*))+)$/;
const actionPattern = /([-+=])([ugo]|[rwxXst]*)/g;

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
    return [...actions.matchAll(actionPattern)].map(
      ([, operator = '', permissions = '']): Step => ({
        who: who === '' || who.includes('a') ? 'ugo' : who,
        operator,
        permissions,
      }),
    );
  });
  return {
    type: 'symbolic',
    apply: (mode, isDirectory) => {
      const executable = isDirectory || (mode & 0o111) !== 0;
      return steps.reduce((now, step) => applyStep(now, step, executable), mode & 0o7777);
    },
  };
}

interface Step {
  /** Of u, g and o. */
  who: string;
  operator: string;
  permissions: string;
}

const classes = [
  { name: 'u', shift: 6, setId: 0o4000 },
  { name: 'g', shift: 3, setId: 0o2000 },
  { name: 'o', shift: 0, setId: 0 },
];

/**
 * As BSD's setmode(3), which BuildKit's parser follows: `s` and `t` for others alone do nothing; `=` clears the
 * set-id bits of its classes, but not when it copies another class, and never the sticky bit.
 */
function applyStep(mode: number, { who, operator, permissions }: Step, executable: boolean): number {
  const reached = classes.filter(({ name }) => who.includes(name));
  const copied = classes.find(({ name }) => name === permissions);
  const bits = copied === undefined ? permissionBits(permissions, executable) : (mode >> copied.shift) & 7;
  let change = 0;
  let reach = 0;
  for (const { shift, setId } of reached) {
    change |= bits << shift;
    reach |= 7 << shift;
    if (copied === undefined) reach |= setId;
    if (permissions.includes('s')) change |= setId;
  }
  if (permissions.includes('t') && who !== 'o') change |= 0o1000;
  if (operator === '+') return mode | change;
  if (operator === '-') return mode & ~change;
  return (mode & ~reach) | change;
}

function permissionBits(permissions: string, executable: boolean): number {
  let bits = 0;
  if (permissions.includes('r')) bits |= 4;
  if (permissions.includes('w')) bits |= 2;
  if (permissions.includes('x')) bits |= 1;
  if (permissions.includes('X') && executable) bits |= 1;
  return bits;
}
