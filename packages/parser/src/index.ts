export * from './ast.js';
export { formatDuration, parseDuration } from './duration.js';
export * from './expand.js';
export { heredocText } from './heredoc.js';
export { instructionNames } from './instructions/index.js';
export * from './mount.js';
export { parseDockerfile, parseTrigger } from './parse.js';
export { printDockerfile, printInstruction } from './print.js';
