/** A token server as the distribution docs describe it (spec/auth/token.md, jwt.md), signing what docker-registry checks. */
import { createSign, randomUUID, X509Certificate } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { makeCertificate } from './certificates.js';

export interface TokenRequest {
  method: string;
  scopes: string[];
  user: string | undefined;
  grant: string | undefined;
}

export interface TokenServer {
  url: string;
  service: string;
  issuer: string;
  /** PEM that its tokens are checked against. */
  certificate: string;
  requests: TokenRequest[];
  /** Seconds that tokens given out from now on stay valid. */
  lifetimeSeconds: number;
  /** Answers 401 to scopes for which this says so. */
  refuse: (scope: string) => boolean;
  stop(): Promise<void>;
}

export async function startTokenServer(users: Record<string, string>): Promise<TokenServer> {
  const { certificate, key } = makeCertificate('token signer');
  const issuer = 'test-issuer';
  const service = 'test-service';
  const requests: TokenRequest[] = [];

  function sign(subject: string, scopes: string[], lifetimeSeconds: number): string {
    const now = Math.floor(Date.now() / 1000);
    const access = scopes.map((scope) => {
      const [type, name, actions = ''] = scope.split(':');
      return { type, name, actions: actions.split(',') };
    });
    const claims = {
      iss: issuer,
      sub: subject,
      aud: service,
      jti: randomUUID(),
      access,
      iat: now - 120,
      nbf: now - 120,
      exp: now + lifetimeSeconds,
    };
    const header = {
      typ: 'JWT',
      alg: 'RS256',
      x5c: [new X509Certificate(certificate).raw.toString('base64')],
    };
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signed = `${encode(header)}.${encode(claims)}`;
    return `${signed}.${createSign('RSA-SHA256').update(signed).sign(key, 'base64url')}`;
  }

  const http = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://token');
    const form = new URLSearchParams(request.method === 'POST' ? await readText(request) : '');
    const scopes =
      request.method === 'POST'
        ? (form.get('scope') ?? '').split(' ').filter(Boolean)
        : url.searchParams.getAll('scope');
    const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    const [name, ...rest] = Buffer.from(basic ?? '', 'base64')
      .toString()
      .split(':');
    const refresh = form.get('refresh_token');
    const user = refresh?.startsWith('refresh-') ? refresh.slice('refresh-'.length) : name || undefined;
    requests.push({ method: request.method ?? '', scopes, user, grant: form.get('grant_type') ?? undefined });
    const known =
      refresh !== null
        ? users[user ?? ''] !== undefined
        : user === undefined || users[user] === rest.join(':');
    if (!known || scopes.some(server.refuse)) {
      response
        .writeHead(401, { 'content-type': 'application/json' })
        .end('{"details":"incorrect username or password"}');
      return;
    }
    const granted =
      user === undefined ? scopes.map((scope) => scope.replace(/:pull,push$/, ':pull')) : scopes;
    const token = sign(user ?? '', granted, server.lifetimeSeconds);
    const offline = url.searchParams.get('offline_token') === 'true' && user !== undefined;
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(
        JSON.stringify({ token, expires_in: 300, ...(offline ? { refresh_token: `refresh-${user}` } : {}) }),
      );
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as { port: number };
  const server: TokenServer = {
    url: `http://127.0.0.1:${port}/token`,
    service,
    issuer,
    certificate,
    requests,
    lifetimeSeconds: 300,
    refuse: () => false,
    async stop() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
  return server;
}

async function readText(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}
