import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TsbuildError } from '@tsbuild/core';
import { isTransientStatus, retryAfterMs } from '../src/http/retry.js';
import { isLoopback, proxyFor } from '../src/http/proxy.js';
import { createTrust } from '../src/http/trust.js';
import { makeCertificate } from './support/certificates.js';
import { testClient } from './support/client.js';
import { gather } from './support/images.js';

const signal = AbortSignal.timeout(60_000);

async function listen(server: Server): Promise<{ port: number; stop(): Promise<void> }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    port,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('proxies are chosen as Go chooses them', () => {
  const env = { HTTP_PROXY: 'http://plain:1', https_proxy: 'secure:2', NO_PROXY: '' };
  const no = (list: string) => ({ ...env, NO_PROXY: list });
  const table: [string, Record<string, string>, string | undefined][] = [
    ['http://a.example/', env, 'http://plain:1/'],
    ['https://a.example/', env, 'http://secure:2/'],
    [
      'https://a.example/',
      { HTTPS_PROXY: 'http://upper:1', https_proxy: 'http://lower:1' },
      'http://upper:1/',
    ],
    ['https://a.example/', {}, undefined],
    ['http://localhost:5000/', env, undefined],
    ['http://127.9.9.9/', env, undefined],
    ['http://[::1]:80/', env, undefined],
    ['https://a.example/', no('example'), undefined],
    ['https://a.example/', no('a.example'), undefined],
    ['https://ba.example/', no('a.example'), 'http://secure:2/'],
    ['https://b.a.example/', no('.a.example'), undefined],
    ['https://a.example/', no('.a.example'), 'http://secure:2/'],
    ['https://b.a.example/', no('*.a.example'), undefined],
    ['https://a.example/', no('x, A.EXAMPLE'), undefined],
    ['https://a.example:8443/', no('a.example:8443'), undefined],
    ['https://a.example/', no('a.example:8443'), 'http://secure:2/'],
    ['https://a.example/', no('a.example:443'), undefined],
    ['https://10.1.2.3/', no('10.0.0.0/8'), undefined],
    ['https://11.1.2.3/', no('10.0.0.0/8'), 'http://secure:2/'],
    ['https://10.1.2.3/', no('10.1.2.3'), undefined],
    ['https://[fd00::1]/', no('fd00::/8'), undefined],
    ['https://a.example/', no('*'), undefined],
    ['https://a.example/', { ...env, NO_PROXY: '', no_proxy: 'a.example' }, undefined],
  ];
  for (const [url, environment, expected] of table) {
    assert.equal(
      proxyFor(new URL(url), environment)?.href,
      expected,
      `${url} ${JSON.stringify(environment)}`,
    );
  }
  assert.throws(() => proxyFor(new URL('http://a/'), { HTTP_PROXY: 'ftp://x' }), {
    code: 'TSB_USAGE_BAD_PROXY',
  });
});

test('loopback and listed hosts are insecure, others not', () => {
  const trust = createTrust({
    env: {},
    home: '/',
    insecureRegistries: ['reg.example:5000', '10.0.0.0/8'],
    certsDirectories: [],
  });
  const table: [string, boolean][] = [
    ['localhost:5000', true],
    ['127.0.0.1', true],
    ['[::1]:5000', true],
    ['reg.example:5000', true],
    ['reg.example', false],
    ['10.2.3.4:5000', true],
    ['11.2.3.4', false],
  ];
  for (const [host, expected] of table) assert.equal(trust.isInsecure(host), expected, host);
  assert.equal(isLoopback('128.0.0.1'), false);
});

test('what is tried again, and when', () => {
  assert.deepEqual([408, 429, 500, 502, 503, 504].map(isTransientStatus), [
    true,
    true,
    true,
    true,
    true,
    true,
  ]);
  assert.deepEqual([400, 401, 403, 404, 413, 416, 501].map(isTransientStatus), [
    false,
    false,
    false,
    false,
    false,
    false,
    false,
  ]);
  assert.equal(retryAfterMs('7', 0), 7000);
  assert.equal(retryAfterMs('Thu, 01 Jan 1970 00:00:10 GMT', 4000), 6000);
  assert.equal(retryAfterMs('soon', 0), undefined);
  assert.equal(retryAfterMs(undefined, 0), undefined);
});

test('a URL is fetched through redirects; the password stays with its host', async () => {
  const seen: [string | undefined, string | undefined, string | undefined][] = [];
  const handler = (request: IncomingMessage, response: ServerResponse) => {
    seen.push([request.headers.host, request.url, request.headers.authorization]);
    if (request.url === '/start') response.writeHead(302, { location: '/next' }).end();
    else if (request.url === '/next')
      response.writeHead(307, { location: `http://localhost:${port}/end` }).end();
    else if (request.url === '/loop') response.writeHead(302, { location: '/loop' }).end();
    else if (request.url === '/busy' && seen.length === 1) response.writeHead(503).end();
    else response.writeHead(request.url === '/none' ? 404 : 200, { etag: '"1"' }).end('content');
  };
  const { port, stop } = await listen(createServer(handler));
  const client = testClient();
  try {
    const answer = await client.fetchUrl(
      `http://u:p@127.0.0.1:${port}/start`,
      { 'if-none-match': '"0"' },
      signal,
    );
    assert.equal((await gather(answer.body)).toString(), 'content');
    assert.equal(answer.headers['etag'], '"1"');
    const basic = `Basic ${Buffer.from('u:p').toString('base64')}`;
    assert.deepEqual(seen, [
      [`127.0.0.1:${port}`, '/start', basic],
      [`127.0.0.1:${port}`, '/next', basic],
      [`localhost:${port}`, '/end', undefined],
    ]);
    await assert.rejects(
      client.fetchUrl(`http://u:p@127.0.0.1:${port}/loop`, {}, signal),
      (error: TsbuildError) => {
        assert.equal(error.code, 'TSB_CONTEXT_URL');
        assert.equal(
          error.message,
          `failed to fetch http://127.0.0.1:${port}/loop: stopped after 10 redirects`,
        );
        return true;
      },
    );
    const none = await client.fetchUrl(`http://127.0.0.1:${port}/none`, {}, signal);
    assert.equal(none.status, 404);
    await gather(none.body);
    seen.length = 0;
    const busy = await client.fetchUrl(`http://127.0.0.1:${port}/busy`, {}, signal);
    assert.equal(busy.status, 200);
    await gather(busy.body);
    await assert.rejects(client.fetchUrl('ftp://x/', {}, signal), { code: 'TSB_CONTEXT_URL' });
    await assert.rejects(client.fetchUrl('http://127.0.0.1:1/', {}, signal), { code: 'TSB_CONTEXT_URL' });
  } finally {
    await client.close();
    await stop();
  }
});

test('plain requests go to the proxy as they are, https by CONNECT, with the proxy’s password', async () => {
  const { certificate, key } = makeCertificate('registry.test');
  const folder = await mkdtemp(join(tmpdir(), 'tsbuild-http-'));
  await writeFile(join(folder, 'ca.pem'), certificate);
  const target = await listen(
    createTlsServer({ cert: certificate, key }, (_request, response) => response.end('by tls')),
  );
  const seen: [string | undefined, string | undefined, string | undefined][] = [];
  const proxyServer = createServer((request, response) => {
    seen.push([request.method, request.url, request.headers['proxy-authorization']]);
    response.end('by proxy');
  });
  proxyServer.on('connect', (request, socket, head) => {
    seen.push([request.method, request.url, request.headers['proxy-authorization']]);
    const tunnel = connect(target.port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      tunnel.write(head);
      tunnel.pipe(socket).pipe(tunnel);
    });
    for (const one of [tunnel, socket]) one.on('error', () => undefined);
    tunnel.on('close', () => socket.destroy());
    socket.on('close', () => tunnel.destroy());
  });
  const proxy = await listen(proxyServer);
  const address = `http://me:pass@127.0.0.1:${proxy.port}`;
  const client = testClient({
    env: {
      http_proxy: address,
      HTTPS_PROXY: address,
      SSL_CERT_FILE: join(folder, 'ca.pem'),
      CONTAINERS_REGISTRIES_CONF: '/dev/null',
    },
  });
  try {
    const plain = await client.fetchUrl('http://registry.test/file?x=1', {}, signal);
    assert.equal((await gather(plain.body)).toString(), 'by proxy');
    const secure = await client.fetchUrl('https://registry.test/file', {}, signal);
    assert.equal((await gather(secure.body)).toString(), 'by tls');
    const basic = `Basic ${Buffer.from('me:pass').toString('base64')}`;
    assert.deepEqual(seen, [
      ['GET', 'http://registry.test/file?x=1', basic],
      ['CONNECT', 'registry.test:443', basic],
    ]);
  } finally {
    await client.close();
    await proxy.stop();
    await target.stop();
    await rm(folder, { recursive: true, force: true });
  }
});

test('a private authority is believed by certs.d, by SSL_CERT_FILE, by NODE_EXTRA_CA_CERTS, and else refused', async () => {
  const { certificate, key } = makeCertificate('registry.test');
  const folder = await mkdtemp(join(tmpdir(), 'tsbuild-tls-'));
  await writeFile(join(folder, 'ca.pem'), certificate);
  const server = await listen(
    createTlsServer({ cert: certificate, key }, (_request, response) => response.end('ok')),
  );
  const host = `registry.test:${server.port}`;
  await mkdir(join(folder, 'certs.d', host), { recursive: true });
  await writeFile(join(folder, 'certs.d', host, 'ca.crt'), certificate);
  // The name is not in DNS: a proxy leads there.
  const proxyServer = createServer();
  proxyServer.on('connect', (_request, socket) => {
    const tunnel = connect(server.port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      tunnel.pipe(socket).pipe(tunnel);
    });
    for (const one of [tunnel, socket]) one.on('error', () => undefined);
  });
  const proxy = await listen(proxyServer);
  const base = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`, CONTAINERS_REGISTRIES_CONF: '/dev/null' };
  const ask = async (
    env: Record<string, string>,
    certsDirectories: string[] = [],
    insecureRegistries: string[] = [],
  ) => {
    const client = testClient({ env: { ...base, ...env }, certsDirectories, insecureRegistries });
    try {
      const repository = await client.repository(`${host}/app`);
      return await repository.hasBlob(`sha256:${'a'.repeat(64)}` as never, { signal });
    } catch (error) {
      return (error as TsbuildError).code;
    } finally {
      await client.close();
    }
  };
  try {
    assert.equal(await ask({}), 'TSB_REGISTRY_CERTIFICATE');
    assert.equal(await ask({ SSL_CERT_FILE: join(folder, 'ca.pem') }), true);
    assert.equal(await ask({ NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') }), true);
    assert.equal(await ask({}, [join(folder, 'certs.d')]), true);
    assert.equal(await ask({}, [], [host]), true);
    assert.equal(await ask({ SSL_CERT_FILE: join(folder, 'none') }), 'TSB_USAGE_BAD_CERTIFICATE');
  } finally {
    await proxy.stop();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
