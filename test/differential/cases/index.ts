/** All groups of the suite, in the order they run. */
import type { Group } from '../types.js';
import { addGroup } from './add.js';
import { configGroup, onbuildGroup } from './config.js';
import { copyGroup } from './copy.js';
import { dirsGroup } from './dirs.js';
import { fidelityGroup, namesGroup } from './fidelity.js';
import { excludeGroup, linkGroup, modesGroup, ownersGroup, parentsGroup } from './flags.js';
import { heredocsGroup } from './heredocs.js';
import { contextsGroup, ignoreGroup } from './ignore.js';
import { linesGroup } from './lines.js';
import { changesGroup, mountsGroup, runGroup } from './run.js';
import { argsGroup, stagesGroup } from './stages.js';
import { wordsGroup } from './words.js';

export const groups: Group[] = [
  linesGroup,
  wordsGroup,
  heredocsGroup,
  stagesGroup,
  argsGroup,
  configGroup,
  onbuildGroup,
  dirsGroup,
  copyGroup,
  ownersGroup,
  modesGroup,
  linkGroup,
  parentsGroup,
  excludeGroup,
  addGroup,
  ignoreGroup,
  contextsGroup,
  runGroup,
  changesGroup,
  mountsGroup,
  namesGroup,
  fidelityGroup,
];
