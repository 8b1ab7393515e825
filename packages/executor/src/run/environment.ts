/** What a step finds in its environment and in the files that docker puts over /etc/hosts and /etc/resolv.conf. */
import { readFileSync } from 'node:fs';
import type { RunOp } from '@tsbuild/solver';

export type Environment = [name: string, value: string][];

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const proxyNames = new Set(['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY']);

/**
 * The environment of a RUN step in BuildKit's order: the config's, proxies, PATH, secrets, HOME.
 * @param home used where nothing else sets HOME, as container runtimes do it
 */
export function buildEnvironment(
  op: Pick<RunOp, 'env' | 'proxyEnv'>,
  extra: Environment,
  home: string,
): Environment {
  const result = new Map(op.env);
  const setDefault = (name: string, value: string) => {
    if (!result.has(name)) result.set(name, value);
  };
  for (const [name, value] of op.proxyEnv) {
    const names = proxyNames.has(name.toUpperCase()) ? [name.toUpperCase(), name.toLowerCase()] : [name];
    for (const each of names) setDefault(each, value);
  }
  setDefault('PATH', defaultPath);
  for (const [name, value] of extra) result.set(name, value);
  setDefault('HOME', home);
  return [...result];
}

export function hostsFile(hostname: string, extraHosts: RunOp['extraHosts']): string {
  return [
    `127.0.0.1\tlocalhost ${hostname}`,
    '::1\tlocalhost ip6-localhost ip6-loopback',
    ...extraHosts.map(({ name, address }) => `${address}\t${name}`),
    '',
  ].join('\n');
}

const resolvFile = '/etc/resolv.conf';
/** systemd-resolved's list of the true servers, for those who cannot reach its stub on the loopback interface. */
const resolvedFile = '/run/systemd/resolve/resolv.conf';

/** The host's resolver settings; a step with a network namespace of its own gets no loopback servers. */
export function resolverFile(network: 'host' | 'none', read: (path: string) => string = readOrEmpty): string {
  const text = read(resolvFile);
  if (network === 'host') return text;
  const stubOnly = nameservers(text).join() === '127.0.0.53';
  return withoutLoopback((stubOnly && read(resolvedFile)) || text);
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

const serverLine = /^\s*nameserver\s+(\S+)/;

function nameservers(text: string): string[] {
  return text.split('\n').flatMap((line) => serverLine.exec(line)?.[1] ?? []);
}

function withoutLoopback(text: string): string {
  const isLoopback = (line: string) => /^(127\.|::1$|::1%)/.test(serverLine.exec(line)?.[1] ?? '');
  const lines = text.split('\n').filter((line) => !isLoopback(line));
  if (nameservers(lines.join('\n')).length > 0) return lines.join('\n');
  // Google's public resolvers, IPv4 and IPv6: what docker falls back to.
  const servers = ['8.8.8.8', '8.8.4.4', '2001:4860:4860::8888', '2001:4860:4860::8844'];
  return [
    ...lines.filter((line) => line !== ''),
    ...servers.map((server) => `nameserver ${server}`),
    '',
  ].join('\n');
}
