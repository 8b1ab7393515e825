/** WORKDIR. */
import type { WorkdirInstruction } from '@tsbuild/parser';
import type { FileOp } from '../ops.js';
import { stepName } from './display.js';
import { recordConfig, recordLayer } from './history.js';
import { Expander, type Located, type Lowering } from './lowering.js';
import { requireFilesFor } from './modes.js';
import { absolute, slashed } from './paths.js';
import type { StageState } from './stage-state.js';

/** Makes the directory in a layer of its own, except for the root. The layer comes from the cache even with --no-cache. */
export function lowerWorkdir(
  lowering: Lowering,
  state: StageState,
  located: Located<WorkdirInstruction>,
): void {
  const written = new Expander(state, located).word(located.instruction.path);
  enter(state, written);
  const text = `WORKDIR ${state.config.WorkingDir ?? '/'}`;
  if (state.cwd === '/') {
    recordConfig(state, text);
    return;
  }
  const name = stepName(lowering, state, `${located.trigger ? 'ONBUILD ' : ''}WORKDIR ${written}`);
  const owner = state.config.User;
  if (owner) requireFilesFor(lowering, state.root, owner);
  const op: FileOp = {
    kind: 'file',
    base: state.root,
    actions: [
      {
        type: 'mkdir',
        path: state.cwd,
        mode: 0o755,
        ...(owner ? { owner } : {}),
        ...(lowering.epoch === undefined ? {} : { mtime: `${lowering.epoch}000000000` }),
      },
    ],
  };
  const { platform, label } = state;
  const id = lowering.graph.add({
    op,
    name,
    stage: label,
    platform,
    range: located.range,
    ignoreCache: false,
  });
  state.root = id;
  recordLayer(state, text, id);
}

/** Sets the working directory. The config keeps an absolute path as it was written. */
export function enter(state: StageState, written: string): void {
  const path = slashed(state.imagePlatform.os, written);
  if (path !== '') {
    const current = state.config.WorkingDir || '/';
    state.config = { ...state.config, WorkingDir: path.startsWith('/') ? path : absolute(current, path) };
  }
  state.cwd = absolute('/', state.config.WorkingDir ?? '/');
}
