/** The web server that ADD fetches from. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { packTar } from '../support/tar.js';

const archive = packTar([
  { name: 'in/', type: '5' },
  { name: 'in/side', data: 'inside\n', mode: 0o600, uid: 12, gid: 34 },
]);

interface Answer {
  body?: string | Uint8Array;
  status?: number;
  headers?: Record<string, string>;
}

const dated = { 'last-modified': 'Sun, 09 Sep 2001 01:46:40 GMT' };

const answers: Record<string, Answer> = {
  '/file.txt': { body: 'from the web\n', headers: dated },
  '/undated': { body: 'no date\n' },
  '/a/deep/path/name.bin': { body: 'deep\n', headers: dated },
  '/': { body: 'root\n', headers: dated },
  '/dir/': { body: 'slash\n', headers: dated },
  '/query?x=1': { body: 'query\n', headers: dated },
  '/archive.tar': { body: archive, headers: dated },
  '/archive.tar.gz': { body: gzipSync(archive), headers: dated },
  '/moved': { status: 302, headers: { location: '/file.txt' } },
  '/named': {
    body: 'named\n',
    headers: { ...dated, 'content-disposition': 'attachment; filename="given.txt"' },
  },
  '/empty': { body: '', headers: dated },
};

export interface WebServer {
  /** `127.0.0.1:PORT` */
  host: string;
  close(): Promise<void>;
}

export async function startWebServer(): Promise<WebServer> {
  const server: Server = createServer((request, response) => {
    const answer = answers[request.url ?? ''] ?? { status: 404, body: 'nothing\n' };
    response.writeHead(answer.status ?? 200, answer.headers);
    response.end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
