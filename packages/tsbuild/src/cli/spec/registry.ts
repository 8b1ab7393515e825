/** Commands that talk to registries. */
import { progressFlag, registryFlags, storeFlags } from './common.js';
import type { CommandSpec } from './types.js';

const quiet = {
  name: 'quiet',
  short: 'q',
  type: 'boolean',
  summary: 'No progress; print the digest',
} as const;

export const registrySpecs: readonly CommandSpec[] = [
  {
    name: 'push',
    summary: 'Push an image to its registry',
    positionals: 'IMAGE [DESTINATION]',
    arity: { min: 1, max: 2 },
    completes: 'image',
    description: [
      'Blobs that the registry has are not sent again. DESTINATION is another name to push the image under.',
    ],
    flags: [quiet, progressFlag, ...registryFlags, ...storeFlags],
    examples: [
      { command: 'tsbuild push registry.example.com/app:1.2', text: 'Push an image of the store' },
      { command: 'tsbuild push app registry.example.com/app:1.2', text: 'Push it under another name' },
    ],
    load: () => import('../commands/push.js'),
  },
  {
    name: 'pull',
    summary: 'Pull an image into the store',
    positionals: 'IMAGE',
    arity: { min: 1, max: 1 },
    flags: [
      {
        name: 'platform',
        type: 'string',
        value: 'OS/ARCH',
        summary: 'Platform to take of a multi-platform image (default: this machine)',
      },
      quiet,
      progressFlag,
      ...registryFlags,
      ...storeFlags,
    ],
    examples: [{ command: 'tsbuild pull debian:bookworm-slim', text: 'Get an image from Docker Hub' }],
    load: () => import('../commands/pull.js'),
  },
  {
    name: 'login',
    summary: 'Log in to a registry',
    positionals: '[REGISTRY]',
    arity: { min: 0, max: 1 },
    direct: true,
    description: [
      'Checks the password at the registry, then keeps it by the credential helper of the docker config, or in the config file.',
      'REGISTRY is Docker Hub if left out.',
    ],
    flags: [
      {
        name: 'username',
        short: 'u',
        type: 'string',
        value: 'NAME',
        summary: 'User name (asked for where missing)',
      },
      { name: 'password-stdin', type: 'boolean', summary: 'Read the password from standard input' },
      {
        name: 'password',
        short: 'p',
        type: 'string',
        value: 'TEXT',
        summary: 'Password; others can see it in the list of processes',
      },
      ...registryFlags,
      ...storeFlags.filter((flag) => flag.name === 'debug'),
    ],
    examples: [
      { command: 'tsbuild login registry.example.com', text: 'Asks for name and password' },
      {
        command: 'echo "$TOKEN" | tsbuild login -u ci --password-stdin registry.example.com',
        text: 'In a script',
      },
    ],
    load: () => import('../commands/login.js'),
  },
  {
    name: 'logout',
    summary: 'Forget the password of a registry',
    positionals: '[REGISTRY]',
    arity: { min: 0, max: 1 },
    direct: true,
    flags: storeFlags.filter((flag) => flag.name === 'debug'),
    examples: [{ command: 'tsbuild logout registry.example.com', text: 'Forget one registry' }],
    load: () => import('../commands/logout.js'),
  },
];
