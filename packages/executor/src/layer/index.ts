/** Layers: tar streams in and out of snapshots. */
export { exportTree } from './export-tree.js';
export { packLayer, packRootfs } from './pack.js';
export { extractArchive, unpackLayer } from './unpack.js';
