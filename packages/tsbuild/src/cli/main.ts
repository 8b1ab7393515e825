/** The command line's entry: signals, streams, exit status around the commands. */
import { setMaxListeners } from 'node:events';
import { TsbuildError } from '@tsbuild/core';
import { main } from './dispatch.js';

// A build waits for one signal in as many places as it has steps: that is no leak to warn of.
setMaxListeners(0);

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
    new TsbuildError('TSB_CANCELLED_SIGNAL', `cancelled by ${signal}`, {
      hint: 'Nothing half-made is left behind; run it again to go on.',
    }),
  );
}
process.on('SIGINT', onSignal);
process.on('SIGTERM', onSignal);
process.on('SIGHUP', onSignal);
// A reader that went away ends what writes to it: `tsbuild images | head -1`, but also `tsbuild -o - . | false`.
process.stdout.on('error', () => {
  controller.abort(new TsbuildError('TSB_CANCELLED_OUTPUT_CLOSED', 'the reader of standard output has gone'));
});
process.stderr.on('error', () => {});

const status = await main(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  signal: controller.signal,
});
// Everything is done: do not wait for kept-alive connections or an open standard input, only for what was written.
await Promise.all(
  [process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write('', resolve))),
);
process.exit(status);
