/** The names BuildKit's cache gives to steps, so that caches can be shared with it. */
export { type BuildkitView, buildkitView } from './node-of.js';
export {
  type BuildkitContent,
  type BuildkitInput,
  type BuildkitNode,
  type BuildkitSelector,
  type BuildkitSource,
  contentRecord,
} from './node.js';
