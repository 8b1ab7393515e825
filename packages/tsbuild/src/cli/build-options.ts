/** Flags of `tsbuild build` to the library's BuildOptions. */
import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { TsbuildError } from '@tsbuild/core';
import type {
  CacheLimits,
  BuildOptions,
  HostEntry,
  OutputSpec,
  RegistryOptions,
  SecretSpec,
  SshSpec,
  UlimitSpec,
} from '../api/types.js';
import { parseCacheMount } from './cache-mount.js';
import { parseCacheFrom, parseCacheTo } from './cache-spec.js';
import { csvPairs } from './csv.js';
import { parseOutput } from './output-spec.js';
import type { Args } from './parse.js';
import { parsePairs, parsePlatforms, parseSize, parseVariables } from './values.js';

export interface OptionsSurroundings {
  env: NodeJS.ProcessEnv;
  stdoutIsTTY: boolean;
}

/** Everything but context and Dockerfile, which can need standard input. */
export function buildOptions(args: Args, around: OptionsSurroundings): BuildOptions {
  refuseAttestations(args);
  const options: BuildOptions = { ...storeOptions(args), ...registryOptions(args) };
  const text = (name: string) => args.string(name);
  const target = text('target');
  if (target) options.target = target;
  if (args.has('tag')) options.tags = [...args.list('tag')];
  options.buildArgs = {
    ...proxyArgs(around.env),
    ...parseVariables('build-arg', args.list('build-arg'), around.env),
  };
  if (args.has('label')) options.labels = textPairs('label', args.list('label'));
  if (args.has('annotation')) {
    options.annotations = textPairs('annotation', args.list('annotation'), true);
    for (const name of Object.keys(options.annotations)) checkAnnotation(name);
  }
  if (args.has('platform')) options.platforms = parsePlatforms(args.list('platform'));
  if (args.bool('no-cache')) options.noCache = true;
  else if (args.has('no-cache-filter')) options.noCache = [...args.list('no-cache-filter')];
  if (args.has('cache-from'))
    options.cacheFrom = args.list('cache-from').flatMap((text) => parseCacheFrom(text) ?? []);
  if (args.has('cache-mount')) options.cacheMounts = args.list('cache-mount').map(parseCacheMount);
  if (args.has('cache-to'))
    options.cacheTo = args.list('cache-to').flatMap((text) => parseCacheTo(text) ?? []);
  if (args.bool('pull')) options.pull = true;
  const cacheSign = text('cache-sign');
  if (cacheSign) options.cacheSign = cacheSign;
  if (args.has('cache-verify')) options.cacheVerify = [...args.list('cache-verify')];
  if (args.bool('explain')) options.explain = true;
  const network = text('network');
  if (network) options.network = network as NonNullable<BuildOptions['network']>;
  if (args.has('add-host')) options.addHosts = args.list('add-host').map(parseHost);
  const outputs = args.list('output').map((output) => parseOutput(output, { isTTY: around.stdoutIsTTY }));
  refuseTwoOnStdout(outputs);
  if (outputs.length > 0) options.outputs = outputs;
  if (args.bool('push')) options.push = true;
  if (args.has('secret')) options.secrets = args.list('secret').map(parseSecret);
  if (args.has('ssh')) options.ssh = args.list('ssh').map(parseSsh);
  if (args.has('build-context')) {
    options.buildContexts = textPairs('build-context', args.list('build-context'), true);
  }
  if (args.has('allow')) options.allow = [...args.list('allow')];
  if (args.has('ulimit')) options.ulimits = args.list('ulimit').map(parseUlimit);
  const shmSize = text('shm-size');
  if (shmSize) options.shmSize = parseSize('shm-size', shmSize);
  const cgroupParent = text('cgroup-parent');
  if (cgroupParent) options.cgroupParent = cgroupParent;
  const snapshotter = text('snapshotter');
  if (snapshotter) options.snapshotter = snapshotter as NonNullable<BuildOptions['snapshotter']>;
  if (args.bool('no-stat-cache')) options.noStatCache = true;
  Object.assign(options, limitOptions(args));
  return options;
}

export function storeOptions(args: Args): { root?: string } {
  const root = args.string('root');
  return root ? { root } : {};
}

/** The limits of the store's size, each under docker's name or ours. */
export function limitOptions(args: Args): CacheLimits {
  const size = (...names: string[]) => {
    const name = names.find((each) => args.string(each));
    return name === undefined ? undefined : parseSize(name, args.string(name) ?? '');
  };
  const maxUsedBytes = size('max-used-space', 'cache-max-size');
  const minFreeBytes = size('min-free', 'min-free-space');
  const keepBytes = size('keep-storage', 'reserved-space');
  return {
    ...(maxUsedBytes === undefined ? {} : { maxUsedBytes }),
    ...(minFreeBytes === undefined ? {} : { minFreeBytes }),
    ...(keepBytes === undefined ? {} : { keepBytes }),
  };
}

export function registryOptions(args: Args): RegistryOptions {
  const conf = args.string('registries-conf');
  return {
    ...(args.has('insecure-registry') ? { insecureRegistries: [...args.list('insecure-registry')] } : {}),
    ...(conf ? { registriesConf: conf } : {}),
  };
}

export function textPairs(
  flag: string,
  items: readonly string[],
  needsValue = false,
): Record<string, string> {
  return Object.fromEntries(
    [...parsePairs(flag, items, needsValue)].map(([key, value]) => [key, value ?? '']),
  );
}

/** A prefix that is no level would become part of the name without a word. */
function checkAnnotation(name: string): void {
  const levels = ['manifest', 'index', 'manifest-descriptor', 'index-descriptor'];
  const prefix = /^([a-z-]+(?:\[[^\]]*\])?(?:,[a-z-]+(?:\[[^\]]*\])?)*):/.exec(name)?.[1];
  const wrong = prefix
    ?.replace(/\[[^\]]*\]/g, '')
    .split(',')
    .find((level) => !levels.includes(level));
  if (wrong === undefined) return;
  throw new TsbuildError('TSB_USAGE_BAD_VALUE', `unknown annotation level ${JSON.stringify(wrong)}`, {
    hint: `Write KEY=VALUE, or a level before it: ${levels.join(', ')}, with a platform as in manifest[linux/amd64]:KEY=VALUE.`,
  });
}

/** `name:address`, `name=address`; an IPv6 address may stand in brackets. */
export function parseHost(text: string): HostEntry {
  const match = /^([^:=]+)[:=](.+)$/.exec(text);
  if (match === null) {
    throw new TsbuildError('TSB_USAGE_BAD_VALUE', `invalid value ${JSON.stringify(text)} for --add-host`, {
      hint: 'Write it as HOST:IP, for example --add-host db:10.0.0.5.',
    });
  }
  return { name: match[1] ?? '', address: (match[2] ?? '').replace(/^\[(.*)\]$/, '$1') };
}

export function parseSecret(text: string): SecretSpec {
  const pairs = csvPairs('secret', text);
  const bad = (why: string) =>
    new TsbuildError('TSB_USAGE_BAD_VALUE', `invalid value for --secret: ${why}`, {
      hint: 'Write it as id=ID,src=FILE or id=ID,env=NAME.',
    });
  for (const [key, value] of pairs) {
    if (!['id', 'type', 'src', 'source', 'env'].includes(key))
      throw bad(`unknown field ${JSON.stringify(key)}`);
    if (value === undefined) throw bad(`field ${JSON.stringify(key)} has no value`);
  }
  const type = pairs.get('type');
  if (type !== undefined && type !== 'file' && type !== 'env')
    throw bad(`unknown type ${JSON.stringify(type)}`);
  const id = pairs.get('id');
  if (id === undefined || id === '') throw bad('id= is missing');
  const src = pairs.get('src') ?? pairs.get('source');
  const env = pairs.get('env') ?? (type === 'env' ? (src ?? id) : undefined);
  if (env !== undefined) return { id, env };
  return src === undefined ? { id } : { id, src };
}

/** `ID`, `ID=SOCKET` or `ID=KEY[,KEY]`, as buildx has it. */
export function parseSsh(text: string): SshSpec {
  const equals = text.indexOf('=');
  if (equals < 0) return { id: text };
  const id = text.slice(0, equals);
  const paths = text.slice(equals + 1).split(',');
  const [socket = ''] = paths.filter(isSocket);
  if (socket === '') return { id, keys: paths };
  if (paths.length === 1) return { id, socket };
  throw new TsbuildError('TSB_USAGE_SSH_KEY', `--ssh ${text}: ${socket} is a socket, and not the only path`, {
    hint: 'Give one agent socket, or one or more private keys.',
  });
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() === true;
}

export function parseUlimit(text: string): UlimitSpec {
  const match = /^([a-z]+)=(-?\d+|unlimited)(?::(-?\d+|unlimited))?$/.exec(text);
  if (match === null) {
    throw new TsbuildError('TSB_USAGE_BAD_VALUE', `invalid value ${JSON.stringify(text)} for --ulimit`, {
      hint: 'Write it as NAME=SOFT[:HARD], for example nofile=1024:4096.',
    });
  }
  const number = (value: string) => (value === 'unlimited' ? -1 : Number(value));
  const soft = number(match[2] ?? '');
  return { name: match[1] ?? '', soft, hard: match[3] === undefined ? soft : number(match[3]) };
}

function refuseTwoOnStdout(outputs: readonly OutputSpec[]): void {
  if (outputs.filter((output) => 'dest' in output && output.dest === '-').length > 1) {
    throw new TsbuildError('TSB_USAGE_BAD_OUTPUT', 'only one output can go to standard output', {
      hint: 'Name a file for the others with dest=FILE.',
    });
  }
}

/** An image that lacks the attestation that was asked for would be worse than an error. */
function refuseAttestations(args: Args): void {
  const asked = ['provenance', 'sbom'].find(
    (name) => args.has(name) && !/^(false|0|mode=none|disabled=true)$/i.test(args.string(name) ?? ''),
  );
  const attest = args.list('attest').find((value) => !/(^|,)disabled=(true|1)(,|$)/i.test(value));
  if (asked === undefined && attest === undefined) return;
  const written = asked === undefined ? `--attest ${attest}` : `--${asked}=${args.string(asked)}`;
  throw new TsbuildError('TSB_USAGE_NO_ATTESTATIONS', `${written}: attestations are not supported`, {
    hint: 'Leave the flag out, or say --provenance=false --sbom=false.',
  });
}

/** Proxies of docker's client configuration, which docker hands to builds as build arguments. */
export function proxyArgs(env: NodeJS.ProcessEnv): Record<string, string> {
  const file = join(env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker'), 'config.json');
  let config: unknown;
  try {
    config = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // A broken file is reported by the registry client, where it matters.
    return {};
  }
  const proxies = (config as { proxies?: Record<string, Record<string, unknown>> } | null)?.proxies?.[
    'default'
  ];
  const variables: Record<string, string> = {};
  for (const [key, name] of [
    ['httpProxy', 'HTTP_PROXY'],
    ['httpsProxy', 'HTTPS_PROXY'],
    ['ftpProxy', 'FTP_PROXY'],
    ['noProxy', 'NO_PROXY'],
    ['allProxy', 'ALL_PROXY'],
  ] as const) {
    const value = proxies?.[key];
    if (typeof value !== 'string' || value === '') continue;
    variables[name] = value;
    variables[name.toLowerCase()] = value;
  }
  return variables;
}
