/**
 * Matches units of an expression in at most units times characters steps. A JavaScript RegExp tries all ways to
 * divide a name among the stars of `*a*a*a*b`, which takes minutes for a single long name.
 */
import { parseRe2, type Re2Unit, toRegExp } from './re2.js';

/** With up to two loops backtracking costs at most the square of a path's length, and RegExp is faster. */
const fewLoops = 2;

/** A test for whole texts; undefined where Go's compiler would refuse the expression `^…$`. */
export function compileRe2(source: string): ((text: string) => boolean) | undefined {
  const units = parseRe2(source);
  const expression = units && toRegExp(units);
  if (units === undefined || expression === undefined) return undefined;
  const loops = units.filter(
    (unit) => unit.type === 'directories' || (unit.type === 'char' && unit.loop),
  ).length;
  if (loops <= fewLoops || units.some((unit) => unit.type === 'other'))
    return (text) => expression.test(text);
  return automaton(units);
}

interface Step {
  loop: boolean;
  directories: boolean;
  accepts(char: string): boolean;
}

function automaton(units: readonly Re2Unit[]): (text: string) => boolean {
  const steps = units.map(stepOf);
  const end = steps.length;
  // State 2n: step n is next. State 2n + 1: inside of the directories of step n.
  const reach = (states: Uint8Array, from: number) => {
    for (let at = from; ; at += 1) {
      states[2 * at] = 1;
      const step = steps[at];
      if (step === undefined || !(step.loop || step.directories)) return;
    }
  };
  return (text) => {
    let states = new Uint8Array(2 * end + 1);
    let next = new Uint8Array(2 * end + 1);
    reach(states, 0);
    for (const char of text) {
      next.fill(0);
      for (const [at, step] of steps.entries()) {
        if (states[2 * at] === 0 && states[2 * at + 1] === 0) continue;
        if (step.directories) {
          if (char !== '\n') next[2 * at + 1] = 1;
          if (char === '/') reach(next, at + 1);
        } else if (step.accepts(char)) {
          reach(next, step.loop ? at : at + 1);
        }
      }
      [states, next] = [next, states];
    }
    return states[2 * end] === 1;
  };
}

function stepOf(unit: Re2Unit): Step {
  if (unit.type !== 'char') return { loop: false, directories: true, accepts: () => false };
  if (unit.text === '[^\\u{2f}]')
    return { loop: unit.loop, directories: false, accepts: (char) => char !== '/' };
  const one = new RegExp(`^${unit.text}$`, 'u');
  return { loop: unit.loop, directories: false, accepts: (char) => one.test(char) };
}
