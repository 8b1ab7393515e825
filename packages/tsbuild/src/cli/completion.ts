// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the strings are shell code.
/** Completion scripts for bash, zsh and fish, made from the command table. */
import { helpFlag } from './parse.js';
import { commands } from './spec/table.js';
import type { CommandSpec, FlagSpec } from './spec/types.js';

export type Shell = 'bash' | 'zsh' | 'fish';

export function completionScript(shell: Shell): string {
  switch (shell) {
    case 'bash':
      return bash();
    case 'zsh':
      return zsh();
    case 'fish':
      return fish();
  }
}

function flagsOf(command: CommandSpec): FlagSpec[] {
  return [...command.flags, helpFlag].filter((flag) => !flag.ignored);
}

function names(command: CommandSpec): string[] {
  return [command.name, ...(command.aliases ?? [])];
}

const allNames = (): string[] => commands.map((command) => command.name);

function written(flag: FlagSpec): string[] {
  return [`--${flag.name}`, ...(flag.short === undefined ? [] : [`-${flag.short}`])];
}

function bash(): string {
  const lines = [
    '# bash completion for tsbuild; load it with: source <(tsbuild completion bash)',
    '_tsbuild() {',
    '  local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" command=build i',
    '  for ((i = 1; i < COMP_CWORD; i++)); do',
    '    case "${COMP_WORDS[i]}" in',
    `      ${commands.flatMap(names).join('|')}) command="\${COMP_WORDS[i]}"; break ;;`,
    '    esac',
    '  done',
    '  COMPREPLY=()',
    '  case "$command $prev" in',
  ];
  for (const command of commands) {
    for (const flag of flagsOf(command)) {
      const reply = bashValues(flag);
      if (reply === undefined) continue;
      const patterns = names(command).flatMap((name) => written(flag).map((word) => `"${name} ${word}"`));
      lines.push(`    ${patterns.join('|')}) ${reply}; return ;;`);
    }
  }
  lines.push('  esac', '  if [[ "$cur" == -* ]]; then', '    case "$command" in');
  for (const command of commands) {
    const words = flagsOf(command).flatMap(written).join(' ');
    lines.push(`      ${names(command).join('|')}) COMPREPLY=($(compgen -W "${words}" -- "$cur")) ;;`);
  }
  lines.push(
    '    esac',
    '    return',
    '  fi',
    '  if ((COMP_CWORD == 1)); then',
    `    COMPREPLY=($(compgen -W "${allNames().join(' ')}" -- "$cur") $(compgen -d -- "$cur"))`,
    '    return',
    '  fi',
    '  case "$command" in',
  );
  for (const command of commands) {
    const reply = bashValues({
      ...(command.completes ? { completes: command.completes } : {}),
      ...(command.choices ? { choices: command.choices } : {}),
    });
    if (reply !== undefined) lines.push(`    ${names(command).join('|')}) ${reply} ;;`);
  }
  lines.push('  esac', '}', 'complete -o filenames -F _tsbuild tsbuild');
  return `${lines.join('\n')}\n`;
}

function bashValues(what: Pick<FlagSpec, 'completes' | 'choices'>): string | undefined {
  if (what.choices !== undefined) return `COMPREPLY=($(compgen -W "${what.choices.join(' ')}" -- "$cur"))`;
  switch (what.completes) {
    case 'file':
      return 'COMPREPLY=($(compgen -f -- "$cur"))';
    case 'directory':
      return 'COMPREPLY=($(compgen -d -- "$cur"))';
    case 'image':
      return 'COMPREPLY=($(compgen -W "$(tsbuild images --format name 2>/dev/null)" -- "$cur"))';
    case 'command':
      return `COMPREPLY=($(compgen -W "${allNames().join(' ')}" -- "$cur"))`;
    default:
      return undefined;
  }
}

/** In single quotes for any of the three shells' plain strings (fish escapes a quote in its own way). */
function quote(text: string): string {
  return `'${text.replace(/'/g, `'\\''`)}'`;
}

function zsh(): string {
  const lines = [
    '#compdef tsbuild',
    '# zsh completion for tsbuild; write it to a folder of $fpath as _tsbuild',
    '_tsbuild_images() {',
    '  local -a images',
    '  images=(${(f)"$(tsbuild images --format name 2>/dev/null)"})',
    '  compadd -a images',
    '}',
    '_tsbuild_commands() {',
    '  local -a commands',
    '  commands=(',
    ...commands.map((command) => `    ${quote(`${command.name}:${command.summary}`)}`),
    '  )',
    "  _describe -t commands 'tsbuild command' commands",
    '}',
    '_tsbuild() {',
    '  local command=build',
    '  if ((CURRENT == 2)) && [[ "$PREFIX" != -* ]]; then',
    '    _tsbuild_commands',
    '    _files -/',
    '    return',
    '  fi',
    '  case "${words[2]}" in',
    `    ${commands.flatMap(names).join('|')}) command="\${words[2]}"; shift words; ((CURRENT--)) ;;`,
    '  esac',
    '  case "$command" in',
  ];
  for (const command of commands) {
    lines.push(`    ${names(command).join('|')})`, '      _arguments -s \\');
    for (const flag of flagsOf(command)) for (const spec of zshFlag(flag)) lines.push(`        ${spec} \\`);
    lines.push(`        ${quote(`*:argument:${zshValues(command)}`)} ;;`);
  }
  lines.push('  esac', '}', '_tsbuild "$@"');
  return `${lines.join('\n')}\n`;
}

function zshFlag(flag: FlagSpec): string[] {
  const text = flag.summary.replace(/[[\]\\:]/g, (character) => `\\${character}`);
  const value =
    flag.type === 'boolean' ? '' : `:${(flag.value ?? 'value').replace(/[:[\]]/g, ' ')}:${zshValues(flag)}`;
  const many = flag.type === 'list' || flag.type === 'csv' ? '*' : '';
  return [
    quote(`${many}--${flag.name}${value === '' ? '' : '='}[${text}]${value}`),
    ...(flag.short === undefined
      ? []
      : [quote(`${many}-${flag.short}${value === '' ? '' : '+'}[${text}]${value}`)]),
  ];
}

function zshValues(what: Pick<FlagSpec, 'completes' | 'choices'>): string {
  if (what.choices !== undefined) return `(${what.choices.join(' ')})`;
  switch (what.completes) {
    case 'file':
      return '_files';
    case 'directory':
      return '_files -/';
    case 'image':
      return '_tsbuild_images';
    case 'command':
      return '_tsbuild_commands';
    default:
      return ' ';
  }
}

function fish(): string {
  const fishQuote = (text: string) => `'${text.replace(/\\/g, '\\\\').replace(/'/g, `\\'`)}'`;
  const all = commands.flatMap(names).join(' ');
  const lines = [
    '# fish completion for tsbuild; write it to ~/.config/fish/completions/tsbuild.fish',
    'function __tsbuild_images',
    '  tsbuild images --format name 2>/dev/null',
    'end',
    'complete -c tsbuild -f',
  ];
  for (const command of commands) {
    lines.push(
      `complete -c tsbuild -n ${fishQuote(`not __fish_seen_subcommand_from ${all}`)} -a ${command.name} -d ${fishQuote(command.summary)}`,
    );
  }
  for (const command of commands) {
    const own = names(command).join(' ');
    const condition =
      command.name === 'build'
        ? `__fish_seen_subcommand_from ${own}; or not __fish_seen_subcommand_from ${all}`
        : `__fish_seen_subcommand_from ${own}`;
    for (const flag of flagsOf(command)) {
      const parts = [`complete -c tsbuild -n ${fishQuote(condition)} -l ${flag.name}`];
      if (flag.short !== undefined) parts.push(`-s ${flag.short}`);
      parts.push(`-d ${fishQuote(flag.summary)}`);
      if (flag.type !== 'boolean') parts.push(flag.completes === 'file' ? '-r' : '-x', fishValues(flag));
      lines.push(parts.filter((part) => part !== '').join(' '));
    }
    const values = fishValues(command);
    if (values !== '') lines.push(`complete -c tsbuild -n ${fishQuote(condition)} ${values}`);
  }
  return `${lines.join('\n')}\n`;
}

function fishValues(what: Pick<FlagSpec, 'completes' | 'choices'>): string {
  if (what.choices !== undefined) return `-a '${what.choices.join(' ')}'`;
  switch (what.completes) {
    case 'file':
      return '-F';
    case 'directory':
      return "-a '(__fish_complete_directories)'";
    case 'image':
      return "-a '(__tsbuild_images)'";
    case 'command':
      return `-a '${allNames().join(' ')}'`;
    default:
      return '';
  }
}
