/** The table of what an engine can do. Each entry loads its code when it is called. */
import type * as api from '../api/types.js';
import type { OperationContext } from './context.js';
import type { OperationName } from './protocol.js';

/** Options as they arrive here: without what the client keeps to itself. */
type Options<T> = Omit<T, 'signal' | 'onEvent'>;

export const operations = {
  build: async (options: Options<api.BuildOptions>, context: OperationContext) =>
    await (await import('./build.js')).runBuild(options, context),
  explain: async (options: Options<api.ExplainOptions>, context: OperationContext) =>
    await (await import('./explain-command.js')).explain(options, context),
  cacheRecords: async (options: Options<api.CacheListOptions>, context: OperationContext) =>
    await (await import('../store/cache-list.js')).cacheRecords(options, context),
  cacheRecord: async (options: Options<api.CacheInspectOptions>, context: OperationContext) =>
    await (await import('../store/cache-list.js')).cacheRecord(options, context),
  check: async (options: Options<api.CheckOptions>, context: OperationContext) =>
    await (await import('./describe.js')).check(options, context),
  outline: async (options: Options<api.DockerfileOptions>, context: OperationContext) =>
    await (await import('./describe.js')).outline(options, context),
  targets: async (options: Options<api.DockerfileOptions>, context: OperationContext) =>
    await (await import('./describe.js')).targets(options, context),
  pull: async (options: Options<api.PullOptions>, context: OperationContext) =>
    await (await import('../image/pull.js')).pull(options, context),
  push: async (options: Options<api.PushOptions>, context: OperationContext) =>
    await (await import('../image/push.js')).push(options, context),
  images: async (options: Options<api.CallOptions>, context: OperationContext) =>
    await (await import('../image/list.js')).images(options, context),
  tag: async (options: Options<api.TagOptions>, context: OperationContext) =>
    await (await import('../image/tag.js')).tag(options, context),
  remove: async (options: Options<api.RemoveOptions>, context: OperationContext) =>
    await (await import('../image/tag.js')).remove(options, context),
  inspect: async (options: Options<api.InspectOptions>, context: OperationContext) =>
    await (await import('../image/inspect.js')).inspect(options, context),
  history: async (options: Options<api.InspectOptions>, context: OperationContext) =>
    await (await import('../image/inspect.js')).history(options, context),
  importImage: async (options: Options<api.ImportOptions>, context: OperationContext) =>
    await (await import('../image/import.js')).importImage(options, context),
  load: async (options: Options<api.LoadOptions>, context: OperationContext) =>
    await (await import('../image/load.js')).load(options, context),
  save: async (options: Options<api.SaveOptions>, context: OperationContext) =>
    await (await import('../image/save.js')).save(options, context),
  login: async (options: Options<api.LoginOptions>, context: OperationContext) =>
    await (await import('../image/login.js')).login(options, context),
  logout: async (options: Options<api.LogoutOptions>) =>
    await (await import('../image/login.js')).logout(options),
  run: async (options: Options<api.RunOptions>, context: OperationContext) =>
    await (await import('../image/run.js')).run(options, context),
  prune: async (options: Options<api.PruneOptions>, context: OperationContext) =>
    await (await import('../store/prune.js')).prune(options, context),
  fsck: async (options: Options<api.FsckOptions>, context: OperationContext) =>
    await (await import('../store/fsck/fsck.js')).fsck(options, context),
  diskUsage: async (options: Options<api.CallOptions>, context: OperationContext) =>
    await (await import('../store/disk-usage.js')).diskUsage(options, context),
} satisfies Record<OperationName, unknown>;
