/** Platform strings `os/arch[/variant]` and their normal form, as containerd/platforms defines it. */
import { TsbuildError } from './errors.js';
import type { Platform } from './oci.js';

const machine: Record<string, [string, string?]> = {
  x86_64: ['amd64'],
  'x86-64': ['amd64'],
  amd64: ['amd64'],
  aarch64: ['arm64'],
  arm64: ['arm64'],
  i386: ['386'],
  armhf: ['arm', 'v7'],
  armel: ['arm', 'v6'],
};

const knownOs = new Set([
  'aix',
  'android',
  'darwin',
  'dragonfly',
  'freebsd',
  'illumos',
  'ios',
  'js',
  'linux',
  'netbsd',
  'openbsd',
  'plan9',
  'solaris',
  'wasi',
  'wasip1',
  'windows',
]);

/** Maps aliases to Go's names and drops variants that are the architecture's default. */
export function normalizePlatform(platform: Platform): Platform {
  const arch = platform.architecture.toLowerCase();
  const [name, alias] = machine[arch] ?? [arch];
  let variant = platform.variant?.toLowerCase() || alias;
  if (name === 'arm64' && (variant === 'v8' || variant === '8')) variant = undefined;
  if (name === 'amd64' && variant === 'v1') variant = undefined;
  if (name === 'arm') {
    if (variant === undefined || variant === '7') variant = 'v7';
    else if (/^[568]$/.test(variant)) variant = `v${variant}`;
  }
  const { variant: _dropped, ...rest } = platform;
  const os = platform.os.toLowerCase() === 'macos' ? 'darwin' : platform.os.toLowerCase();
  return { ...rest, os, architecture: name, ...(variant ? { variant } : {}) };
}

/** @throws TsbuildError TSB_USAGE_BAD_PLATFORM */
export function parsePlatform(text: string): Platform {
  const parts = text.split('/');
  const bad = () =>
    new TsbuildError('TSB_USAGE_BAD_PLATFORM', `failed to parse platform ${JSON.stringify(text)}`, {
      hint: 'Write it as os/arch or os/arch/variant, for example linux/amd64 or linux/arm/v7.',
    });
  if (parts.length > 3 || parts.some((part) => !/^[A-Za-z0-9_.-]+$/.test(part))) throw bad();
  const [first = '', second, third] = parts;
  if (second === undefined) {
    if (knownOs.has(first.toLowerCase())) return normalizePlatform({ ...hostPlatform(), os: first });
    if (
      machine[first.toLowerCase()] ||
      /^(arm|ppc64le|s390x|riscv64|mips64le|386|loong64)$/.test(first.toLowerCase())
    ) {
      return normalizePlatform({ os: 'linux', architecture: first });
    }
    throw bad();
  }
  return normalizePlatform({ os: first, architecture: second, ...(third ? { variant: third } : {}) });
}

/** Platform of this machine. */
export function hostPlatform(): Platform {
  const arch: Record<string, string> = { x64: 'amd64', ia32: '386', arm: 'arm', arm64: 'arm64' };
  return normalizePlatform({ os: 'linux', architecture: arch[process.arch] ?? process.arch });
}

export function formatPlatform(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/');
}
