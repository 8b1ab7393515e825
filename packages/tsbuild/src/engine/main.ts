/** The engine process of a library call: answers one call over its IPC channel, and ends. */
import { setMaxListeners } from 'node:events';
import { Socket } from 'node:net';
import type { BuildEvent } from '@tsbuild/core';
import { abortable } from './cancel.js';
import type { OperationContext } from './context.js';
import { operations } from './operations.js';
import { type FromEngine, serializeError, type StreamRef, type ToEngine } from './protocol.js';

// A build waits for one signal in as many places as it has steps: that is no leak to warn of.
setMaxListeners(0);

/** After the library is gone, how long tidying up may take, milliseconds. */
const orphanGrace = 5_000;

const controller = new AbortController();
let answered = false;

function post(message: FromEngine): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected || !process.send) return resolve();
    process.send(message, undefined, undefined, () => resolve());
  });
}

/** Replaces StreamRefs, which stand where the API has streams, by sockets on the inherited pipes. */
function attachStreams(value: unknown, opened: Socket[]): unknown {
  if (Array.isArray(value)) return value.map((item) => attachStreams(item, opened));
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (isStreamRef(value)) {
    const socket = new Socket({ fd: value.fd });
    opened.push(socket);
    return socket;
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, attachStreams(member, opened)]),
  );
}

function isStreamRef(value: object): value is StreamRef {
  return Object.keys(value).length === 1 && typeof (value as StreamRef).fd === 'number';
}

async function answer(call: Extract<ToEngine, { type: 'call' }>): Promise<void> {
  const sockets: Socket[] = [];
  try {
    const options = attachStreams(call.options, sockets) as never;
    const emit = (event: BuildEvent) => void post({ type: 'event', event });
    const { signal } = controller;
    const operation = operations[call.operation] as (
      options: never,
      context: OperationContext,
    ) => Promise<unknown>;
    const value = await abortable(signal, () => operation(options, { signal, emit }));
    await Promise.all(sockets.map(ended));
    await post({ type: 'result', value });
  } catch (error) {
    await post({ type: 'error', error: serializeError(error) });
  } finally {
    answered = true;
    for (const socket of sockets) socket.destroy();
    if (process.connected) process.disconnect();
  }
}

/** Until what was written has left. Inputs are simply let go. */
function ended(socket: Socket): Promise<void> {
  if (socket.writableFinished || !socket.writableEnded) return Promise.resolve();
  return new Promise((resolve) => socket.once('finish', resolve).once('close', () => resolve()));
}

process.on('message', (message: ToEngine) => {
  if (message.type === 'abort') controller.abort();
  else void answer(message);
});

process.on('disconnect', () => {
  if (answered) return;
  controller.abort();
  setTimeout(() => process.exit(1), orphanGrace).unref();
});

// A terminal's Ctrl-C reaches this process too: the library decides what it means, and says `abort`.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => controller.abort());
