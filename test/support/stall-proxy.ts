/** A reverse proxy on loopback in which bodies of chosen requests stop moving, for tests that act in the middle. */
import { createServer, request as forward } from 'node:http';
import { pipeline } from 'node:stream';

export interface StallProxy {
  /** `127.0.0.1:PORT`. */
  host: string;
  /** Bytes of the request's or the answer's body after which nothing more moves; undefined: all of it moves. */
  stall: (method: string, path: string) => number | undefined;
  stop(): Promise<void>;
}

/** @param target `host:port` of the registry */
export async function startStallProxy(target: string): Promise<StallProxy> {
  const [hostname = '', port = ''] = target.split(':');
  const server = createServer((incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming;
    const limit = proxy.stall(method, url);
    const upload = method === 'PUT' || method === 'PATCH' || method === 'POST';
    const upstream = forward({ hostname, port, method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      if (limit === undefined || upload) return void pipeline(answer, outgoing, () => {});
      let sent = 0;
      answer.on('data', (chunk: Buffer) => {
        const part = chunk.subarray(0, Math.max(0, limit - sent));
        sent += part.length;
        if (part.length > 0) outgoing.write(part);
      });
    });
    upstream.on('error', () => incoming.socket.destroy());
    incoming.on('error', () => upstream.destroy());
    outgoing.on('close', () => upstream.destroy());
    if (limit === undefined || !upload) return void pipeline(incoming, upstream, () => {});
    incoming.once('data', (chunk: Buffer) => {
      upstream.write(chunk.subarray(0, limit));
      incoming.pause();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: own } = server.address() as { port: number };
  const proxy: StallProxy = {
    host: `127.0.0.1:${own}`,
    stall: () => undefined,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}
