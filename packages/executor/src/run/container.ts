/** `tsbuild run`: an image's command in the same sandbox as a RUN step, on this process's own streams. */
import { TsbuildError } from '@tsbuild/core';
import type { ContainerOptions } from '../api.js';
import { buildEnvironment, hostsFile, resolverFile } from './environment.js';
import { runInSandbox } from './sandbox.js';
import type { RootSpec } from './spec.js';
import { etcFile, userOf } from './step.js';

/**
 * @param rootfs its upper directory is the caller's to throw away
 * @throws TsbuildError TSB_EXEC_START where the command cannot be started; what runInSandbox and resolveUser throw
 */
export async function runContainer(
  rootfs: RootSpec,
  options: ContainerOptions,
): Promise<{ exitCode: number }> {
  const user = userOf(rootfs, options.user);
  const terminal: [string, string][] = options.tty ? [['TERM', 'xterm']] : [];
  const env = buildEnvironment({ env: [...terminal, ...options.env], proxyEnv: [] }, [], user.home);
  const result = await runInSandbox(
    {
      args: options.args,
      env,
      cwd: options.cwd || '/',
      uid: user.uid,
      gid: user.gid,
      groups: user.groups,
      hostname: options.hostname,
      root: rootfs,
      network: options.network,
      tty: options.tty,
      mounts: [
        etcFile('/etc/resolv.conf', resolverFile(options.network)),
        etcFile('/etc/hosts', hostsFile(options.hostname, [])),
        etcFile('/etc/hostname', `${options.hostname}\n`),
        ...options.volumes.map(({ source, target, readonly }) => ({
          type: 'bind' as const,
          target,
          source: { path: source },
          readonly,
          recursive: true,
        })),
      ],
    },
    { signal: options.signal, stdin: options.interactive || options.tty ? 'inherit' : 'none' },
  );
  if (result.startError !== undefined) {
    // What `docker run` answers: 127 for a command that is not there, 126 for one that cannot be executed.
    const missing = /not found|no such file/.test(result.startError);
    throw new TsbuildError('TSB_EXEC_START', result.startError, { commandExitCode: missing ? 127 : 126 });
  }
  return { exitCode: result.exitCode };
}
