/** The builders of the suite, each reduced to: this case's command line into an OCI layout. */
import { type CommandOptions, type Outcome, type Tsbuild, command } from '../support/command.js';

export type Build = (args: string[], layout: string, options: CommandOptions) => Promise<Outcome>;

export function ours(tsbuild: Tsbuild): Build {
  return (args, layout, options) =>
    tsbuild.run(
      [
        'build',
        '--no-cache',
        '--output',
        `type=oci,dest=${layout},tar=false,compression=uncompressed`,
        ...args,
      ],
      options,
    );
}

/** @param peer the command that runs others beside the daemon, as test/peers/setup.sh makes it */
export function buildx(peer: string, socket: string): Build {
  const docker = ['docker', '-H', `unix://${socket}`, 'buildx', 'build', '--no-cache', '--provenance=false'];
  return (args, layout, { env, ...options }) => {
    const output = [
      '--network',
      'host',
      '--output',
      `type=oci,dest=${layout},tar=false,compression=uncompressed`,
    ];
    const settings = Object.entries(env ?? {}).map(([key, value]) => `${key}=${value}`);
    return command(peer, ['env', ...settings, ...docker, ...output, ...args], options);
  };
}
