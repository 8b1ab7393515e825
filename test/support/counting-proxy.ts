/** A TCP proxy on loopback that counts the bytes each way: what a builder sends to a registry and fetches from it. */
import { connect, createServer, type Socket } from 'node:net';

export interface CountingProxy {
  /** `127.0.0.1:PORT`. */
  host: string;
  /** Bytes since the last call. */
  take(): { sent: number; fetched: number };
  stop(): Promise<void>;
}

/** @param target `host:port` of the registry */
export async function startCountingProxy(target: string): Promise<CountingProxy> {
  const [host = '', port = ''] = target.split(':');
  let sent = 0;
  let fetched = 0;
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(port), host);
    open.add(client);
    client.on('close', () => open.delete(client));
    client.on('data', (chunk) => {
      sent += chunk.length;
    });
    upstream.on('data', (chunk) => {
      fetched += chunk.length;
    });
    client.pipe(upstream).pipe(client);
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: own } = server.address() as { port: number };
  return {
    host: `127.0.0.1:${own}`,
    take() {
      const counted = { sent, fetched };
      sent = 0;
      fetched = 0;
      return counted;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const client of open) client.destroy();
      }),
  };
}
