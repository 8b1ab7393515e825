/** All groups of the suite, in the order they run. */
import type { Group } from '../types.js';
import { copyGroup } from './copy.js';

export const groups: Group[] = [copyGroup];
