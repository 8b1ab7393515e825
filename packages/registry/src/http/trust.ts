/**
 * Which certificates are believed, and which registries may be spoken to without: one policy for registry, token and
 * redirect hosts. Node's own list is not the system's, which is what docker uses and administrators extend; so the system's
 * bundle is read.
 */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { TsbuildError } from '@tsbuild/core';
import { bareHost, inNetwork, isLoopback, type Environment } from './proxy.js';

export interface TlsSettings {
  ca: string[];
  cert?: string;
  key?: string;
  rejectUnauthorized: boolean;
}

export interface TrustOptions {
  env: Environment;
  /** Home folder of the user. */
  home: string;
  /** `host[:port]` or CIDR. */
  insecureRegistries: readonly string[];
  /** Folders with one folder per `host[:port]`; by default those of docker and of the containers tools. */
  certsDirectories?: readonly string[];
}

export interface Trust {
  /** Whether plain http and unknown certificates are allowed for `host[:port]`. */
  isInsecure(host: string): boolean;
  /** Allows them for `host[:port]`, before it is first spoken to. */
  allow(host: string): void;
  /** Settings for a TLS connection to `host[:port]`, read once. */
  tlsFor(host: string): Promise<TlsSettings>;
}

/** Where distributions keep the bundle (the list of Go's crypto/x509/root_linux.go). */
const bundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

export function createTrust(options: TrustOptions): Trust {
  const { env, home } = options;
  const certsDirectories = options.certsDirectories ?? [
    join(home, '.config/docker/certs.d'),
    join(home, '.config/containers/certs.d'),
    '/etc/docker/certs.d',
    '/etc/containers/certs.d',
  ];
  const settings = new Map<string, Promise<TlsSettings>>();
  const allowed = new Set<string>();
  let roots: Promise<string[]> | undefined;

  function isInsecure(host: string): boolean {
    const url = `https://${host}`;
    const name = URL.canParse(url) ? bareHost(new URL(url).hostname) : host;
    if (isLoopback(name) || allowed.has(host)) return true;
    return options.insecureRegistries.some((entry) => {
      const network = /^(.+)\/([0-9]{1,3})$/.exec(entry);
      if (network !== null) return inNetwork(name, network[1] as string, Number(network[2]));
      return entry.toLowerCase() === host.toLowerCase();
    });
  }

  async function load(host: string): Promise<TlsSettings> {
    roots ??= loadRoots(env);
    const ca = [...(await roots)];
    const result: TlsSettings = { ca, rejectUnauthorized: !isInsecure(host) };
    for (const directory of certsDirectories) {
      const folder = join(directory, host);
      for (const name of (await readdir(folder).catch(() => [])).sort()) {
        const path = join(folder, name);
        if (name.endsWith('.crt')) ca.push(await readPem(path));
        if (!name.endsWith('.cert') || result.cert !== undefined) continue;
        result.cert = await readPem(path);
        result.key = await readPem(path.replace(/\.cert$/, '.key'));
      }
    }
    return result;
  }

  return {
    isInsecure,
    allow: (host) => void allowed.add(host),
    tlsFor(host) {
      let found = settings.get(host);
      if (found === undefined) {
        found = load(host);
        settings.set(host, found);
      }
      return found;
    },
  };
}

async function loadRoots(env: Environment): Promise<string[]> {
  const roots: string[] = [];
  const chosen = env['SSL_CERT_FILE'];
  if (chosen) roots.push(await readPem(chosen, 'SSL_CERT_FILE'));
  else {
    for (const path of bundles) {
      const text = await readFile(path, 'utf8').catch(() => undefined);
      if (text === undefined) continue;
      roots.push(text);
      break;
    }
    if (roots.length === 0) roots.push(...rootCertificates);
  }
  const extra = env['NODE_EXTRA_CA_CERTS'];
  if (extra) roots.push(await readPem(extra, 'NODE_EXTRA_CA_CERTS'));
  return roots;
}

async function readPem(path: string, variable?: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const where = variable === undefined ? path : `${path} (named by ${variable})`;
    throw new TsbuildError('TSB_USAGE_BAD_CERTIFICATE', `cannot read ${where}: ${(error as Error).message}`, {
      hint: 'Make the file readable, or take the setting away.',
      cause: error,
    });
  }
}
