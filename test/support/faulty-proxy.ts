/** A reverse proxy on loopback that makes a server fail in chosen ways: storage as networks and disks sometimes have it. */
import { createServer, type IncomingMessage, request as forward, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

export type Fault =
  /** Answers itself, with this status. */
  | { status: number; body?: string }
  /** Ends the connection before the answer. */
  | 'reset'
  /** Ends the connection when so many bytes of the body are out. */
  | { cut: number }
  /** Ends the body in order after so many bytes. */
  | { short: number }
  /** One bit of the body is another. */
  | 'flip'
  /** Waits before every chunk, milliseconds. */
  | { slow: number };

/** What a fault can be chosen by. */
export interface Passing {
  method: string;
  path: string;
  /** Bytes of the answer's body; of the request's where it has one. */
  size: number;
}

export interface FaultyProxy {
  /** `127.0.0.1:PORT`. */
  host: string;
  /** Undefined: everything passes as it is. */
  fault: (passing: Passing) => Fault | undefined;
  stop(): Promise<void>;
}

/** @param target `host:port` of the real server */
export async function startFaultyProxy(target: string): Promise<FaultyProxy> {
  const [hostname = '', port = ''] = target.split(':');
  const server = createServer((incoming, outgoing) => {
    const { method = '', url: path = '', headers } = incoming;
    const length = Number(headers['content-length'] ?? 0);
    if (length > 0) {
      const fault = proxy.fault({ method, path, size: length });
      if (fault !== undefined) return void fail(incoming, outgoing, fault);
    }
    const upstream = forward({ hostname, port, method, path, headers }, (answer) => {
      const size = Number(answer.headers['content-length'] ?? 0);
      const fault = length > 0 ? undefined : proxy.fault({ method, path, size });
      if (fault !== undefined) return void spoil(answer, incoming, outgoing, fault);
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      pipeline(answer, outgoing, () => {});
    });
    upstream.on('error', () => incoming.socket.destroy());
    outgoing.on('close', () => upstream.destroy());
    pipeline(incoming, upstream, () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: FaultyProxy = {
    host: `127.0.0.1:${(server.address() as { port: number }).port}`,
    fault: () => undefined,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}

/** In place of the real server: for requests with a body. */
async function fail(incoming: IncomingMessage, outgoing: ServerResponse, fault: Fault): Promise<void> {
  if (typeof fault === 'object' && 'status' in fault) {
    for await (const _ of incoming);
    outgoing.writeHead(fault.status).end(fault.body ?? '');
    return;
  }
  incoming.once('data', () => incoming.socket.destroy());
}

async function spoil(
  answer: IncomingMessage,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  fault: Fault,
): Promise<void> {
  answer.on('error', () => undefined);
  if (fault === 'reset') {
    answer.resume();
    incoming.socket.destroy();
    return;
  }
  if (fault !== 'flip' && 'status' in fault) {
    answer.resume();
    outgoing.writeHead(fault.status).end(fault.body ?? '');
    return;
  }
  const { 'content-length': _length, ...others } = answer.headers;
  const isShort = fault !== 'flip' && 'short' in fault;
  outgoing.writeHead(answer.statusCode ?? 502, isShort ? others : answer.headers);
  let left =
    fault !== 'flip' && 'cut' in fault ? fault.cut : isShort ? fault.short : Number.POSITIVE_INFINITY;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    const part = Buffer.from(chunk.subarray(0, left));
    if (fault === 'flip' && part.length > 0) part[part.length - 1] = (part.at(-1) ?? 0) ^ 1;
    if (fault !== 'flip' && 'slow' in fault) await sleep(fault.slow);
    left -= part.length;
    outgoing.write(part);
    if (left > 0) continue;
    if (isShort) break;
    outgoing.write('', () => setTimeout(() => incoming.socket.destroy(), 20));
    return;
  }
  outgoing.end();
}
