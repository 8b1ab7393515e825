/**
 * Which proxy a URL is reached through: HTTP_PROXY, HTTPS_PROXY and NO_PROXY by the rules of Go's
 * golang.org/x/net/http/httpproxy, so that the same environment does the same as for docker.
 */
import { BlockList, isIP } from 'node:net';
import { TsbuildError } from '@tsbuild/core';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The proxy for the URL, or undefined for a direct connection. @throws TsbuildError TSB_USAGE_BAD_PROXY */
export function proxyFor(url: URL, env: Environment): URL | undefined {
  const name = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const text = env[name] || env[name.toLowerCase()];
  if (!text || !useProxy(url, env['NO_PROXY'] || env['no_proxy'] || '')) return undefined;
  const proxy = parseProxy(text);
  if (proxy === undefined) {
    throw new TsbuildError('TSB_USAGE_BAD_PROXY', `${name} is not the URL of a proxy`, {
      hint: `Set ${name} to http://HOST:PORT (https and socks5 work too), or unset it.`,
    });
  }
  return proxy;
}

function parseProxy(text: string): URL | undefined {
  const candidate = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(candidate)) return undefined;
  const url = new URL(candidate);
  return ['http:', 'https:', 'socks5:'].includes(url.protocol) && url.hostname !== '' ? url : undefined;
}

/** Host name without the brackets of an IPv6 address. */
export function bareHost(hostname: string): string {
  return hostname.startsWith('[') && hostname.endsWith(']') ? hostname.slice(1, -1) : hostname;
}

/** localhost, 127.0.0.0/8 and ::1: never proxied, and spoken to by plain http where needed. */
export function isLoopback(hostname: string): boolean {
  const host = bareHost(hostname.toLowerCase());
  if (host === 'localhost' || host.endsWith('.localhost')) return true;
  return isIP(host) === 4 ? host.startsWith('127.') : host === '::1';
}

function useProxy(url: URL, noProxy: string): boolean {
  const host = bareHost(url.hostname.toLowerCase()).replace(/\.$/, '');
  if (isLoopback(host)) return false;
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return !noProxy
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .some((entry) => entry !== '' && matches(entry, host, port));
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  const network = /^(.+)\/([0-9]{1,3})$/.exec(entry);
  if (network !== null) return inNetwork(host, network[1] as string, Number(network[2]));

  let name = entry;
  const withPort = /^(\[[^\]]+\]|[^:]+):([0-9]+)$/.exec(entry);
  if (withPort !== null) {
    if (withPort[2] !== port) return false;
    name = withPort[1] as string;
  }
  name = bareHost(name);
  if (isIP(name) !== 0) return isIP(host) !== 0 && inNetwork(host, name, isIP(name) === 4 ? 32 : 128);
  if (name.startsWith('*.')) name = name.slice(1);
  if (name.startsWith('.')) return host.endsWith(name);
  return host === name || host.endsWith(`.${name}`);
}

/** Whether a literal address lies in the network; names are not looked up. */
export function inNetwork(host: string, network: string, bits: number): boolean {
  const family = isIP(network);
  if (family === 0 || isIP(host) !== family || bits > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  const type = family === 4 ? 'ipv4' : 'ipv6';
  list.addSubnet(network, bits, type);
  return list.check(host, type);
}
