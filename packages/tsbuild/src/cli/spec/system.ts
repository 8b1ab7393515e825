/** Commands on the store as a whole and on this machine. */
import { debugFlag, formatFlag, limitFlags, noTruncFlag, rootFlag, storeFlags } from './common.js';
import type { CommandSpec } from './types.js';

export const systemSpecs: readonly CommandSpec[] = [
  {
    name: 'prune',
    summary: 'Free the space of what is not needed',
    positionals: '',
    arity: { min: 0, max: 0 },
    description: [
      'Removes build cache that no image needs, blobs without a name, and what crashed builds left. Running builds keep what they use.',
      'Sizes are those of du(1). With a size, what was not used for the longest time goes first.',
    ],
    flags: [
      { name: 'all', short: 'a', type: 'boolean', summary: 'Images too, named or not' },
      {
        name: 'filter',
        type: 'list',
        value: 'FILTER',
        summary:
          'Only what was not used for a time, until=24h or unused-for=24h, or what a field says: type=mount, id=npm, description~=REGEXP, type!=blob; all of several must hold',
      },
      ...limitFlags,
      { name: 'verbose', type: 'boolean', summary: 'List what goes' },
      { name: 'force', short: 'f', type: 'boolean', summary: 'Do not ask' },
      { name: 'dry-run', type: 'boolean', summary: 'Only say what would go' },
      formatFlag,
      ...storeFlags,
    ],
    examples: [
      { command: 'tsbuild prune -f', text: 'Free what is safe to free' },
      {
        command: 'tsbuild prune -af --filter until=168h',
        text: 'All images and cache that were not used for a week',
      },
      { command: 'tsbuild prune -f --cache-max-size 10GB', text: 'Bring the store down to a size' },
      {
        command: 'tsbuild prune -f --filter type=mount --filter id=npm',
        text: 'The cache mount with the id npm',
      },
    ],
    load: () => import('../commands/prune.js'),
  },
  {
    name: 'du',
    summary: 'Show what takes space in the store',
    positionals: '',
    arity: { min: 0, max: 0 },
    flags: [
      { name: 'verbose', type: 'boolean', summary: 'Each entry too; the sizes add up to the total' },
      formatFlag,
      ...storeFlags,
    ],
    examples: [{ command: 'tsbuild du', text: 'Sums by kind' }],
    load: () => import('../commands/du.js'),
  },
  {
    name: 'cache',
    summary: 'List the results of steps that can be reused, or show all that is known of one',
    positionals: 'ls | inspect KEY',
    arity: { min: 1, max: 2 },
    choices: ['ls', 'inspect'],
    description: [
      'ls has the records that were used last first. inspect takes a key or its first digits, and shows the parts the key is made of, the layers, and which Dockerfile it comes from.',
      'Whether a build would find them, and why not: "tsbuild explain".',
    ],
    flags: [
      {
        name: 'filter',
        type: 'list',
        value: 'FILTER',
        summary: 'ls: until=DURATION (unused for so long), id=KEY, description~=REGEXP, inuse=true|false',
      },
      formatFlag,
      noTruncFlag,
      ...storeFlags,
    ],
    examples: [
      { command: 'tsbuild cache ls', text: 'All records' },
      {
        command: "tsbuild cache ls --filter 'description~=npm' --format json",
        text: 'Those of npm, as JSON',
      },
      { command: 'tsbuild cache inspect 3516c4a62890', text: 'One of them' },
    ],
    load: () => import('../commands/cache.js'),
  },
  {
    name: 'fsck',
    summary: 'Check the store for damage',
    positionals: '',
    arity: { min: 0, max: 0 },
    description: [
      'Reads all blobs, records, names, snapshots and cache mounts, and says of each fault what it means. Exits with 1 if there is one that was not repaired. Builds can go on meanwhile.',
    ],
    flags: [
      {
        name: 'repair',
        type: 'boolean',
        summary: 'Remove what is broken, so that it is made or fetched again, and what killed processes left',
      },
      formatFlag,
      ...storeFlags,
    ],
    examples: [
      { command: 'tsbuild fsck', text: 'Check everything' },
      { command: 'tsbuild fsck --repair', text: 'And take what is broken out of the way' },
    ],
    load: () => import('../commands/fsck.js'),
  },
  {
    name: 'doctor',
    summary: 'Show what this machine allows and how to get what is missing',
    positionals: '',
    arity: { min: 0, max: 0 },
    direct: true,
    description: ['Exits with 1 if builds cannot run here.'],
    flags: [{ name: 'json', type: 'boolean', summary: 'As JSON' }, rootFlag, debugFlag],
    examples: [{ command: 'tsbuild doctor', text: 'Look at this machine' }],
    load: () => import('../commands/doctor.js'),
  },
  {
    name: 'version',
    summary: 'Print the version',
    positionals: '',
    arity: { min: 0, max: 0 },
    direct: true,
    flags: [{ name: 'json', type: 'boolean', summary: 'As JSON, with the versions of node and the kernel' }],
    examples: [{ command: 'tsbuild version --json', text: 'For a bug report' }],
    load: () => import('../commands/version.js'),
  },
  {
    name: 'completion',
    summary: 'Print a completion script for a shell',
    positionals: 'bash|zsh|fish',
    arity: { min: 1, max: 1 },
    choices: ['bash', 'zsh', 'fish'],
    direct: true,
    flags: [],
    examples: [
      { command: 'source <(tsbuild completion bash)', text: 'For this bash' },
      { command: 'tsbuild completion zsh > "$fpath[1]/_tsbuild"', text: 'For zsh, once' },
      {
        command: 'tsbuild completion fish > ~/.config/fish/completions/tsbuild.fish',
        text: 'For fish, once',
      },
    ],
    load: () => import('../commands/completion.js'),
  },
  {
    name: 'help',
    summary: 'Print help on a command',
    positionals: '[COMMAND]',
    arity: { min: 0, max: 1 },
    completes: 'command',
    direct: true,
    flags: [],
    examples: [{ command: 'tsbuild help build', text: 'The same as "tsbuild build --help"' }],
    load: () => import('../commands/help.js'),
  },
];
