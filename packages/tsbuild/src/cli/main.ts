/** The command line's entry: signals, streams, exit status around the commands. */
import { TsbuildError } from '@tsbuild/core';
import { main } from './dispatch.js';

const controller = new AbortController();
let received: NodeJS.Signals | undefined;

function onSignal(signal: NodeJS.Signals): void {
  if (received !== undefined) {
    // The second one kills at once: mounts and namespaces end with this process, steps with their parent.
    process.stderr.write('\x1b[?25h');
    process.kill(process.pid, 'SIGKILL');
    return;
  }
  received = signal;
  controller.abort(
    new TsbuildError('TSB_CANCELLED_SIGNAL', `cancelled by ${signal}`, { hint: 'Nothing half-made is left behind; run it again to go on.' }),
  );
}
process.on('SIGINT', onSignal);
process.on('SIGTERM', onSignal);
process.on('SIGHUP', onSignal);
// A reader that went away (`tsbuild images | head -1`) is no error worth a stack trace.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
process.stderr.on('error', () => {});

process.exitCode = await main(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  signal: controller.signal,
});
process.stdin.unref?.();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, onSignal);
