/** A reverse proxy on loopback that spoils what it is told to. */
import { createServer, request as forward, type IncomingMessage } from 'node:http';

export type Fault =
  /** An answer of its own; the registry is not asked. */
  | { type: 'answer'; status: number; headers?: Record<string, string>; body?: string }
  /** The connection is cut after so many bytes of the request's body, or of the answer's. */
  | { type: 'cut-request'; after: number }
  | { type: 'cut-answer'; after: number }
  /** The answer ends in good order after so many bytes, without its length. */
  | { type: 'short'; after: number }
  /** The registry does its work, its answer is lost. */
  | { type: 'lose-answer' }
  /** The answer's first byte is another one. */
  | { type: 'corrupt' }
  /** The answer stops moving after so many bytes. */
  | { type: 'stall'; after: number };

export interface SeenRequest {
  method: string;
  /** With query. */
  url: string;
  headers: IncomingMessage['headers'];
  /** How many requests of the same method to the same path were there before. */
  times: number;
}

export interface FaultProxy {
  host: string;
  seen: SeenRequest[];
  fault: (request: SeenRequest) => Fault | undefined;
  stop(): Promise<void>;
}

/** @param target `host:port` of the registry */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const [hostname = '', port = ''] = target.split(':');
  const server = createServer((incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming;
    const path = (full: string) => full.split('?', 1)[0];
    const times = proxy.seen.filter((one) => one.method === method && path(one.url) === path(url)).length;
    const seen = { method, url, headers, times };
    proxy.seen.push(seen);
    const fault = proxy.fault(seen);
    incoming.on('error', () => undefined);
    outgoing.on('error', () => undefined);
    if (fault?.type === 'answer') {
      outgoing.writeHead(fault.status, fault.headers ?? {}).end(fault.body ?? '');
      return;
    }
    const upstream = forward({ hostname, port, method, path: url, headers }, (answer) => {
      if (fault?.type === 'lose-answer') {
        answer.resume().once('end', () => incoming.socket.destroy());
        return;
      }
      const answerHeaders = { ...answer.headers };
      if (fault?.type === 'short') delete answerHeaders['content-length'];
      outgoing.writeHead(answer.statusCode ?? 502, answerHeaders);
      let sent = 0;
      answer.on('data', (data: Buffer) => {
        let chunk = data;
        if (fault?.type === 'corrupt' && sent === 0) {
          chunk = Buffer.from(data);
          chunk[0] = (chunk[0] as number) ^ 0xff;
        }
        if (fault !== undefined && 'after' in fault && fault.type !== 'cut-request') {
          chunk = chunk.subarray(0, Math.max(0, fault.after - sent));
        }
        sent += chunk.length;
        if (chunk.length > 0) outgoing.write(chunk);
        if (fault?.type === 'cut-answer' && sent >= fault.after)
          setTimeout(() => incoming.socket.destroy(), 20);
        if (fault?.type === 'short' && sent >= fault.after) outgoing.end();
      });
      answer.on('end', () => {
        if (fault?.type !== 'stall' && fault?.type !== 'cut-answer') outgoing.end();
      });
    });
    upstream.on('error', () => incoming.socket.destroy());
    let received = 0;
    incoming.on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (fault?.type === 'cut-request' && received >= fault.after) {
        upstream.destroy();
        incoming.socket.destroy();
      } else if (!upstream.write(chunk)) {
        incoming.pause();
        upstream.once('drain', () => incoming.resume());
      }
    });
    incoming.on('end', () => upstream.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: own } = server.address() as { port: number };
  const proxy: FaultProxy = {
    host: `127.0.0.1:${own}`,
    seen: [],
    fault: () => undefined,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}
