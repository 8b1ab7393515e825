/** EXPOSE: port specifications as docker/go-connections reads them, of which only the container's ports stay. */
import type { ExposeInstruction } from '@tsbuild/parser';
import { addEntries } from './entries.js';
import { fault } from './fault.js';
import { plainList, recordConfig } from './history.js';
import { Expander, type Located } from './lowering.js';
import type { StageState } from './stage-state.js';

export function lowerExpose(state: StageState, located: Located<ExposeInstruction>): void {
  const expander = new Expander(state, located);
  // Sorted before expansion, as BuildKit does it.
  const words = located.instruction.ports.toSorted().flatMap((port) => expander.words(port));
  const ports = words.flatMap(containerPorts);
  const exposed = ports.map((port) => [port, {}] as const);
  state.config.ExposedPorts = addEntries(state.config.ExposedPorts, exposed);
  recordConfig(state, `EXPOSE ${plainList(ports)}`);
}

/** `[ip:][host:]port[-port][/protocol]` to `port/protocol` of each container port. */
export function containerPorts(spec: string): string[] {
  const slash = spec.lastIndexOf('/');
  const protocol = slash < 0 ? 'tcp' : spec.slice(slash + 1).toLowerCase() || 'tcp';
  const { ip, host, container } = splitParts(slash < 0 ? spec : spec.slice(0, slash));
  if (ip !== '' && !isAddress(ip)) throw bad(`invalid IP address: ${ip}`);
  if (container === '') throw bad(`no port specified: ${spec}<empty>`);
  const range = readRange(container);
  if (range === undefined) throw bad(`invalid containerPort: ${container}`);
  const hostRange = host === '' ? undefined : readRange(host);
  if (host !== '' && hostRange === undefined) throw bad(`invalid hostPort: ${host}`);
  if (
    hostRange !== undefined &&
    range[1] !== range[0] &&
    hostRange[1] - hostRange[0] !== range[1] - range[0]
  ) {
    throw bad(`invalid ranges specified for container and host Ports: ${container} and ${host}`);
  }
  if (!['tcp', 'udp', 'sctp'].includes(protocol))
    throw bad(`invalid port: ${JSON.stringify(spec)}: invalid proto: ${protocol}`);
  const count = range[1] - range[0] + 1;
  return Array.from({ length: count }, (_, at) => `${range[0] + at}/${protocol}`);
}

function splitParts(text: string): { ip: string; host: string; container: string } {
  const last = text.lastIndexOf(':');
  if (last < 0) return { ip: '', host: '', container: text };
  const container = text.slice(last + 1);
  const before = text.slice(0, last);
  const colon = before.lastIndexOf(':');
  if (colon < 0) return { ip: '', host: before, container };
  return { ip: before.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), host: before.slice(colon + 1), container };
}

function readRange(text: string): [first: number, last: number] | undefined {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  return first <= last && last <= 65535 ? [first, last] : undefined;
}

function isAddress(text: string): boolean {
  const octets = text.split('.');
  if (octets.length === 4 && octets.every((octet) => /^\d{1,3}$/.test(octet) && Number(octet) < 256))
    return true;
  return text.includes(':') && /^[0-9a-f:.]+$/i.test(text);
}

function bad(message: string): Error {
  return fault(
    'EXPOSE',
    message,
    'Write ports as 80, 53/udp or 8000-8010/tcp; ports go up to 65535, protocols are tcp, udp and sctp.',
  );
}
