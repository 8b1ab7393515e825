/** The functions of the library beside build(). */
import { call } from './client.js';
import type * as api from './types.js';

/** The build checks of a Dockerfile. Nothing is built. */
export const check = (options: api.CheckOptions): Promise<api.CheckResult> => call('check', options);

/** What a build would find in the cache, and what changed where it would find nothing. No step runs. */
export const explain = (options: api.ExplainOptions): Promise<api.ExplainResult> => call('explain', options);

/** What a target takes: arguments, secrets and SSH keys. */
export const outline = (options: api.DockerfileOptions): Promise<api.OutlineResult> =>
  call('outline', options);

/** The targets of a Dockerfile. */
export const targets = (options: api.DockerfileOptions): Promise<api.TargetsResult> =>
  call('targets', options);

/** Fetches an image into the store. */
export const pull = (options: api.PullOptions): Promise<api.ImageSummary> => call('pull', options);

/** Pushes an image of the store; layers that are kept uncompressed are compressed on the way. */
export const push = (options: api.PushOptions): Promise<api.PushResult> => call('push', options);

/** The images of the store, by name. */
export const images = (options: api.CallOptions = {}): Promise<api.ImageSummary[]> => call('images', options);

/** Gives an image a further name. */
export const tag = (options: api.TagOptions): Promise<api.ImageSummary> => call('tag', options);

/** Takes names away. Blobs and cache stay until prune(). */
export const remove = (options: api.RemoveOptions): Promise<api.RemovedImage[]> => call('remove', options);

/** Makes an image from a root file system's tar, or takes in an archive. */
export const importImage = (options: api.ImportOptions): Promise<api.ImportedImage> =>
  call('importImage', options);

/** Takes the images of an archive or an OCI layout into the store. */
export const load = (options: api.LoadOptions): Promise<api.ImportedImage> => call('load', options);

/** Writes images to an archive or an OCI layout. */
export const save = (options: api.SaveOptions): Promise<api.ImportedImage> => call('save', options);

/** Manifest and config of an image of the store. */
export const inspect = (options: api.InspectOptions): Promise<api.ImageDetails> => call('inspect', options);

/** How an image was made, newest first. */
export const history = (options: api.InspectOptions): Promise<api.HistoryLine[]> => call('history', options);

/** Runs an image's command in the sandbox on this process's standard streams. */
export const run = (options: api.RunOptions): Promise<api.RunResult> => call('run', options);

/** Removes what no image needs and no live build uses. */
export const prune = (options: api.PruneOptions = {}): Promise<api.PruneResult> => call('prune', options);

/** Checks the whole store. */
export const fsck = (options: api.FsckOptions = {}): Promise<api.FsckResult> => call('fsck', options);

/** What the store holds. */
export const diskUsage = (options: api.CallOptions = {}): Promise<api.DiskUsage> =>
  call('diskUsage', options);

/** The results of steps that the store keeps, those used last first. */
export const cacheRecords = (options: api.CacheListOptions = {}): Promise<api.CacheRecordSummary[]> =>
  call('cacheRecords', options);

/** All that is known of one of them: its layers, what made it, what its key is made of. */
export const cacheRecord = (options: api.CacheInspectOptions): Promise<api.CacheRecordDetails> =>
  call('cacheRecord', options);

/** Checks a user's name and password with a registry and keeps them where docker keeps them. */
export const login = (options: api.LoginOptions): Promise<void> => call('login', options);

/** @returns whether there was anything to forget */
export const logout = (options: api.LogoutOptions): Promise<boolean> => call('logout', options);
