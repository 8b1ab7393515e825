/** What `tsbuild doctor` looks at: files of /proc, /sys and /etc, programs, the launcher's own probe. */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { homedir, release, userInfo } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';

export interface IdRange {
  start: number;
  count: number;
}

export interface Facts {
  user: string;
  uid: number;
  node: string;
  kernel: string;
  /** Path of each program that was looked for. */
  programs: Record<string, string | undefined>;
  /** newuidmap and newgidmap have their setuid bit or file capabilities. */
  mapPrograms: 'ok' | 'missing' | 'powerless';
  subuid: IdRange[];
  subgid: IdRange[];
  /** First id from which 65536 are in no line of /etc/subuid and /etc/subgid. */
  freeIds: number;
  /** user.max_user_namespaces; undefined where the kernel has none. */
  maxUserNamespaces: number | undefined;
  unprivilegedUsernsClone: string | undefined;
  apparmorRestrictsUserns: string | undefined;
  inContainer: boolean;
  /** Seccomp mode of this process: 0 none, 2 filter. */
  seccompMode: string | undefined;
  seccompActions: string | undefined;
  cgroup: { version: 1 | 2 | 0; controllers: string[]; delegated: boolean };
  store: { path: string; existing: string; filesystem: string; writable: boolean };
  /** Lines `key=value` of `tsbuild-helper probe`; undefined where the helper is not built. */
  probe: Record<string, string> | undefined;
}

const programs = ['newuidmap', 'newgidmap', 'git'];

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

export function collectFacts(options: {
  root: string | undefined;
  env: NodeJS.ProcessEnv;
  helper: string | undefined;
}): Facts {
  const { env } = options;
  const uid = process.getuid?.() ?? 0;
  const user = userName(uid);
  const found = Object.fromEntries(programs.map((name) => [name, findProgram(name, env)]));
  const status = read('/proc/self/status') ?? '';
  return {
    user,
    uid,
    node: process.versions.node,
    kernel: release(),
    programs: found,
    mapPrograms: mapPrograms(found['newuidmap'], found['newgidmap']),
    subuid: parseIdRanges(read('/etc/subuid') ?? '', user, uid),
    subgid: parseIdRanges(read('/etc/subgid') ?? '', user, uid),
    freeIds: firstFreeId(`${read('/etc/subuid') ?? ''}\n${read('/etc/subgid') ?? ''}`),
    maxUserNamespaces: numberOf(read('/proc/sys/user/max_user_namespaces')),
    unprivilegedUsernsClone: read('/proc/sys/kernel/unprivileged_userns_clone')?.trim(),
    apparmorRestrictsUserns: read('/proc/sys/kernel/apparmor_restrict_unprivileged_userns')?.trim(),
    inContainer:
      existsSync('/.dockerenv') || existsSync('/run/.containerenv') || env['container'] !== undefined,
    seccompMode: /^Seccomp:\s*(\d)/m.exec(status)?.[1],
    seccompActions: read('/proc/sys/kernel/seccomp/actions_avail')?.trim(),
    cgroup: cgroupFacts(read('/proc/self/mountinfo') ?? '', read('/proc/self/cgroup') ?? ''),
    store: storeFacts(options.root ?? defaultRoot(uid, env), read('/proc/self/mountinfo') ?? ''),
    probe: options.helper === undefined ? undefined : runProbe(options.helper),
  };
}

function userName(uid: number): string {
  try {
    return userInfo().username;
  } catch {
    // No entry in /etc/passwd, as in many containers.
    return String(uid);
  }
}

function defaultRoot(uid: number, env: NodeJS.ProcessEnv): string {
  if (uid === 0) return '/var/lib/tsbuild';
  return join(env['XDG_DATA_HOME'] || join(env['HOME'] || homedir(), '.local/share'), 'tsbuild');
}

function findProgram(name: string, env: NodeJS.ProcessEnv): string | undefined {
  const folders = [...(env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/bin'];
  return folders
    .map((folder) => join(folder || '.', name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function mapPrograms(...paths: (string | undefined)[]): Facts['mapPrograms'] {
  if (paths.some((path) => path === undefined)) return 'missing';
  // Debian and Ubuntu install them setuid; Fedora gives them file capabilities, which getcap would show.
  return paths.every(
    (path) => path !== undefined && ((statSync(path).mode & 0o4000) !== 0 || hasCapabilities(path)),
  )
    ? 'ok'
    : 'powerless';
}

function hasCapabilities(path: string): boolean {
  try {
    return execFileSync('getcap', [path], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 2000,
    }).includes('cap_set');
  } catch {
    return false;
  }
}

/** subuid(5): `user:start:count`, the user by name or number. */
export function parseIdRanges(text: string, user: string, uid: number): IdRange[] {
  return text.split('\n').flatMap((line) => {
    const [owner, start, count] = line.trim().split(':');
    if (owner !== user && owner !== String(uid)) return [];
    return [{ start: Number(start), count: Number(count) }];
  });
}

/** Above all ranges, from 100000 on, where useradd begins too. */
export function firstFreeId(text: string): number {
  return text.split('\n').reduce((free, line) => {
    const [, start, count] = line.trim().split(':').map(Number);
    return Math.max(free, (start || 0) + (count || 0));
  }, 100000);
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text.trim());
}

interface Mount {
  point: string;
  type: string;
}

/** proc_pid_mountinfo(5): the mount point is field 5, octal escapes in it; the type follows the lone dash. */
export function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [left, right] = line.split(' - ');
    const point = left?.split(' ')[4];
    const type = right?.split(' ')[0];
    if (point === undefined || type === undefined) return [];
    return [
      {
        point: point.replace(/\\([0-7]{3})/g, (_, octal: string) =>
          String.fromCharCode(Number.parseInt(octal, 8)),
        ),
        type,
      },
    ];
  });
}

export function cgroupFacts(mountinfo: string, own: string): Facts['cgroup'] {
  const mounts = parseMounts(mountinfo).filter(
    (mount) => mount.type === 'cgroup' || mount.type === 'cgroup2',
  );
  const controllers = (read('/sys/fs/cgroup/cgroup.controllers') ?? '')
    .trim()
    .split(' ')
    .filter((name) => name !== '');
  if (mounts.some((mount) => mount.type === 'cgroup2' && mount.point === '/sys/fs/cgroup')) {
    const path = /^0::(.*)$/m.exec(own)?.[1] ?? '/';
    return { version: 2, controllers, delegated: canWrite(join('/sys/fs/cgroup', path, 'cgroup.procs')) };
  }
  const v1 = mounts.filter((mount) => mount.type === 'cgroup').map((mount) => mount.point);
  if (v1.length === 0) return { version: 0, controllers: [], delegated: false };
  const names = v1
    .flatMap((point) => (point.split('/').at(-1) ?? '').split(','))
    .filter((name) => name !== 'systemd');
  return { version: 1, controllers: names, delegated: v1.some((point) => canWrite(point)) };
}

function canWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

export function storeFacts(root: string, mountinfo: string): Facts['store'] {
  const path = resolve(root);
  let existing = path;
  while (!existsSync(existing) && existing !== '/') existing = dirname(existing);
  const mounts = parseMounts(mountinfo).filter(
    ({ point }) => point === '/' || existing === point || existing.startsWith(`${point}/`),
  );
  // The longest one holds the path; of two on one point the later is on top.
  const best = mounts.reduce<Mount | undefined>(
    (a, b) => (a === undefined || b.point.length >= a.point.length ? b : a),
    undefined,
  );
  return { path, existing, filesystem: best?.type ?? 'unknown', writable: canWrite(existing) };
}

function runProbe(helper: string): Record<string, string> | undefined {
  let text: string;
  try {
    text = execFileSync(helper, ['probe'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 10_000,
    });
  } catch (error) {
    // A probe that finds something missing may say so by its status too; what it printed counts.
    text = String((error as { stdout?: unknown }).stdout ?? '');
    if (text === '') return undefined;
  }
  return Object.fromEntries(
    text.split('\n').flatMap((line) => {
      const equals = line.indexOf('=');
      return equals > 0 ? [[line.slice(0, equals).trim(), line.slice(equals + 1).trim()]] : [];
    }),
  );
}
