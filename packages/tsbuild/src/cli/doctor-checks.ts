/** Facts about this machine to findings: what works, what is missing, what that costs, how to get it. */
import type { Facts } from './doctor-facts.js';

export interface Finding {
  name: string;
  /** `missing` costs something; `broken` means that builds cannot run. */
  state: 'ok' | 'missing' | 'broken';
  /** What was found. */
  found: string;
  /** What cannot be had without it. */
  cost?: string;
  /** Commands or settings, each a line. */
  cure?: readonly string[];
}

export function findings(facts: Facts): Finding[] {
  const root = facts.uid === 0;
  return [
    nodeVersion(facts),
    nativePart(facts),
    root ? rootUser(facts) : userNamespaces(facts),
    ...(root ? [] : [idRanges(facts), mapPrograms(facts)]),
    kernel(facts),
    store(facts),
    overlay(facts),
    seccomp(facts),
    cgroups(facts),
    program(facts, 'git', 'Git contexts and ADD of git repositories.'),
  ];
}

function install(name: string): string {
  return `apt-get install ${name}     # Fedora: dnf install ${name}; Alpine: apk add ${name}`;
}

function nodeVersion({ node }: Facts): Finding {
  const [major = 0, minor = 0, patch = 0] = node.split('.').map(Number);
  const ok = major > 20 || (major === 20 && (minor > 18 || (minor === 18 && patch >= 1)));
  if (ok) return { name: 'node', state: 'ok', found: node };
  return {
    name: 'node',
    state: 'broken',
    found: node,
    cost: 'tsbuild needs Node 20.18.1 or newer.',
    cure: ['Install a newer Node, or name one in TSBUILD_NODE.'],
  };
}

function nativePart({ probe }: Facts): Finding {
  if (probe !== undefined) return { name: 'native part', state: 'ok', found: 'built' };
  return {
    name: 'native part',
    state: 'broken',
    found: 'not built',
    cost: 'Builds cannot run without it.',
    cure: ['apt-get install g++ python3', 'npm rebuild @tsbuild/native'],
  };
}

/** A probe's value that says no; a missing key says nothing. */
function denied(facts: Facts, key: string): string | undefined {
  const value = facts.probe?.[key];
  return value === undefined || /^(ok|yes|1|true)\b/i.test(value) ? undefined : value;
}

/** Root of a container may lack the capability; the launcher then makes a user namespace, as for other users. */
function privileged({ uid, probe }: Facts): boolean {
  return uid === 0 && probe?.['cap_sys_admin'] !== 'no';
}

function rootUser(facts: Facts): Finding {
  if (privileged(facts))
    return { name: 'root', state: 'ok', found: 'builds run as root, no user namespace is needed' };
  const reason = denied(facts, 'userns');
  const found = 'this is root without CAP_SYS_ADMIN';
  if (reason === undefined)
    return { name: 'root', state: 'ok', found: `${found}; builds run in a user namespace` };
  return {
    name: 'root',
    state: 'broken',
    found: `${found}, and user namespaces are refused (${reason})`,
    cost: 'Builds cannot run.',
    cure: [
      'In docker: docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined --cap-add SYS_ADMIN …',
      'In Kubernetes: securityContext: { capabilities: { add: [SYS_ADMIN] }, seccompProfile: { type: Unconfined } }',
    ],
  };
}

function userNamespaces(facts: Facts): Finding {
  const name = 'user namespaces';
  const cost = 'Builds as an unprivileged user cannot run.';
  const off = (found: string, ...cure: string[]): Finding => ({ name, state: 'broken', found, cost, cure });
  if (facts.maxUserNamespaces === undefined) {
    return off('this kernel has none', 'Use a kernel with CONFIG_USER_NS=y, or run tsbuild as root.');
  }
  if (facts.maxUserNamespaces === 0) {
    return off(
      'user.max_user_namespaces is 0',
      'sudo sysctl -w user.max_user_namespaces=28633',
      "echo 'user.max_user_namespaces=28633' | sudo tee /etc/sysctl.d/60-tsbuild.conf",
    );
  }
  if (facts.unprivilegedUsernsClone === '0') {
    return off(
      'kernel.unprivileged_userns_clone is 0',
      'sudo sysctl -w kernel.unprivileged_userns_clone=1',
      "echo 'kernel.unprivileged_userns_clone=1' | sudo tee /etc/sysctl.d/60-tsbuild.conf",
    );
  }
  const reason = denied(facts, 'userns');
  if (reason === undefined) return { name, state: 'ok', found: 'allowed' };
  if (facts.apparmorRestrictsUserns === '1') {
    return off(
      'AppArmor restricts them (kernel.apparmor_restrict_unprivileged_userns is 1, as Ubuntu 23.10 and later ship it)',
      'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0',
      "echo 'kernel.apparmor_restrict_unprivileged_userns=0' | sudo tee /etc/sysctl.d/60-tsbuild.conf",
    );
  }
  if (facts.inContainer) {
    return off(
      `refused in this container (${reason})`,
      'docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined …',
      'In Kubernetes: securityContext: { seccompProfile: { type: Unconfined }, appArmorProfile: { type: Unconfined } }',
    );
  }
  return off(
    `refused (${reason})`,
    facts.probe?.['userns.hint'] ??
      'Look for a seccomp filter or a security module that denies unshare(CLONE_NEWUSER).',
  );
}

function idRanges(facts: Facts): Finding {
  const name = 'subuid, subgid';
  const sum = (ranges: Facts['subuid']) => ranges.reduce((total, range) => total + range.count, 0);
  const range = `${facts.freeIds}-${facts.freeIds + 65535}`;
  const [uids, gids] = [sum(facts.subuid), sum(facts.subgid)];
  if (uids >= 65536 && gids >= 65536) return { name, state: 'ok', found: `${uids} and ${gids} ids` };
  return {
    name,
    state: 'missing',
    found:
      uids + gids === 0 ? `no range for ${facts.user}` : `${uids} and ${gids} ids, images use up to 65536`,
    cost: 'Only one id can be mapped: files cannot have other owners, and package managers that change owners fail.',
    cure: [`sudo usermod --add-subuids ${range} --add-subgids ${range} ${facts.user}`],
  };
}

function mapPrograms(facts: Facts): Finding {
  const name = 'newuidmap, newgidmap';
  if (facts.mapPrograms === 'ok') return { name, state: 'ok', found: facts.programs['newuidmap'] ?? '' };
  const cost = 'Only one id can be mapped.';
  if (facts.mapPrograms === 'missing') {
    return {
      name,
      state: 'missing',
      found: 'not installed',
      cost,
      cure: [
        'sudo apt-get install uidmap     # Fedora: dnf install shadow-utils; Alpine: apk add shadow-uidmap',
      ],
    };
  }
  const paths = [facts.programs['newuidmap'], facts.programs['newgidmap']].join(' ');
  return {
    name,
    state: 'missing',
    found: 'neither setuid nor with file capabilities',
    cost,
    cure: [`sudo chmod u+s ${paths}`],
  };
}

function kernel(facts: Facts): Finding {
  const [major = 0, minor = 0] = facts.kernel.split('.').map((part) => Number.parseInt(part, 10));
  const at = (a: number, b: number) => major > a || (major === a && minor >= b);
  if (at(6, 5)) return { name: 'kernel', state: 'ok', found: facts.kernel };
  if (!at(5, 6)) {
    return {
      name: 'kernel',
      state: 'broken',
      found: facts.kernel,
      cost: 'openat2 is missing: paths in images cannot be resolved safely.',
      cure: ['Use kernel 5.6 or newer.'],
    };
  }
  const cost =
    at(5, 11) || facts.uid === 0
      ? 'Images of more than about 100 layers cannot be mounted.'
      : 'Overlays need root; as this user every step copies the whole tree. Images of more than about 100 layers cannot be mounted.';
  return { name: 'kernel', state: 'missing', found: facts.kernel, cost, cure: ['Use kernel 6.5 or newer.'] };
}

/** Filesystems that cannot hold an overlay's upper folder. */
const noUpper = new Set([
  'overlay',
  'nfs',
  'nfs4',
  'cifs',
  'smb3',
  'fuse',
  '9p',
  'vfat',
  'exfat',
  'fuseblk',
  'aufs',
  'ecryptfs',
]);

function store({ store: { path, existing, filesystem, writable } }: Facts): Finding {
  const name = 'store';
  if (!writable) {
    return {
      name,
      state: 'broken',
      found: `${path}: ${existing} cannot be written`,
      cost: 'Nothing can be built.',
      cure: ['Name another folder with --root DIR or TSBUILD_ROOT.'],
    };
  }
  if (!noUpper.has(filesystem) && !filesystem.startsWith('fuse.'))
    return { name, state: 'ok', found: `${path} on ${filesystem}` };
  return {
    name,
    state: 'missing',
    found: `${path} on ${filesystem}, which cannot hold overlays`,
    cost: 'Each step copies the whole tree, which takes time and space. The images are the same.',
    cure: [
      'Put the store on ext4, xfs, btrfs or tmpfs with --root DIR or TSBUILD_ROOT.',
      'In a container: docker run -v tsbuild:/var/lib/tsbuild …',
    ],
  };
}

function overlay(facts: Facts): Finding {
  const inUserns = !privileged(facts);
  const name = inUserns ? 'overlayfs (in a user namespace)' : 'overlayfs';
  const reason = denied(facts, inUserns ? 'overlay.userns' : 'overlay');
  if (facts.probe === undefined)
    return {
      name,
      state: 'missing',
      found: 'not tried: the native part is not built',
      cost: 'Unknown.',
      cure: ['npm rebuild @tsbuild/native'],
    };
  if (reason === undefined) return { name, state: 'ok', found: 'can be mounted' };
  return {
    name,
    state: 'missing',
    found: `cannot be mounted (${reason})`,
    cost: 'Each step copies the whole tree, which takes time and space. The images are the same.',
    cure: [
      'sudo modprobe overlay',
      ...(inUserns ? ['Unprivileged overlays need kernel 5.11 or newer.'] : []),
    ],
  };
}

function seccomp(facts: Facts): Finding {
  if (facts.seccompActions === undefined) {
    return {
      name: 'seccomp',
      state: 'missing',
      found: 'this kernel has none',
      cost: 'Steps run without a system call filter.',
      cure: ['Use a kernel with CONFIG_SECCOMP_FILTER=y.'],
    };
  }
  const inside = facts.seccompMode === '2' ? '; this process is itself under a filter' : '';
  return { name: 'seccomp', state: 'ok', found: `filters can be used${inside}` };
}

function cgroups({ cgroup, uid }: Facts): Finding {
  const name = 'cgroups';
  if (cgroup.version === 0) {
    return {
      name,
      state: 'missing',
      found: 'not mounted',
      cost: 'No limits for steps, no accounting of their memory.',
      cure: ['Mount cgroup2 on /sys/fs/cgroup.'],
    };
  }
  const found = `version ${cgroup.version} (${cgroup.controllers.join(', ') || 'no controllers'})`;
  if (cgroup.delegated) return { name, state: 'ok', found };
  return {
    name,
    state: 'missing',
    found: `${found}, not writable for this user`,
    cost: 'No limits for steps, no accounting of their memory.',
    cure:
      uid === 0
        ? ['Mount /sys/fs/cgroup writable in this container.']
        : cgroup.version === 2
          ? ['Start tsbuild by: systemd-run --user --scope -p Delegate=yes tsbuild …']
          : ['Only version 2 can be used without root: boot with systemd.unified_cgroup_hierarchy=1'],
  };
}

function program(facts: Facts, name: string, cost: string): Finding {
  const path = facts.programs[name];
  return path === undefined
    ? { name, state: 'missing', found: 'not installed', cost, cure: [install(name)] }
    : { name, state: 'ok', found: path };
}
