/**
 * AST to text, in one plain layout. Parsing what is printed gives an equal tree, but for ranges, the logical lines
 * (`original`) and the order between the paths and the heredocs of one COPY.
 */
import type {
  AddInstruction,
  Command,
  CopyInstruction,
  Dockerfile,
  EscapeToken,
  FromInstruction,
  HealthcheckInstruction,
  Heredoc,
  Instruction,
  RawPair,
} from './ast.js';
import { formatDuration } from './duration.js';
import { heredocText } from './heredoc.js';

/** Longest physical line that is printed, characters; three bytes each at most stay below the parser's limit. */
const maxLine = 20_000;

export function printDockerfile(file: Dockerfile): string {
  const directives = file.directives.map(({ name, value }) => `# ${name}=${value}\n`).join('');
  const body = [
    ...file.metaArgs.map((arg) => printInstruction(arg, file.escape)),
    ...file.stages.map((stage) =>
      [stage.from, ...stage.instructions]
        .map((instruction) => printInstruction(instruction, file.escape))
        .join(''),
    ),
  ];
  // The blank line keeps a comment below it from being read as a directive.
  return `${directives}\n${body.join('\n')}`;
}

/** One instruction with its comments, ending in a line end. */
export function printInstruction(instruction: FromInstruction | Instruction, escape: EscapeToken): string {
  const comments = instruction.comments.map((comment) => `# ${comment}\n`).join('');
  const [line, tail] = argumentsOf(instruction, escape);
  return `${comments}${wrap(join(instruction.keyword, line), escape)}${tail}\n`;
}

/** The arguments on the instruction's line, and what follows on lines of its own. */
function argumentsOf(
  instruction: FromInstruction | Instruction,
  escape: EscapeToken,
): [line: string, tail: string] {
  switch (instruction.kind) {
    case 'from': {
      const { image, platform, as, asKeyword } = instruction;
      return [join(flag('platform', platform, escape), image, as && `${asKeyword ?? 'AS'} ${as}`), ''];
    }
    case 'run': {
      const { mounts, network, security, devices, command, heredocs } = instruction;
      const flags = join(
        ...mounts.map((mount) => flag('mount', mount, escape)),
        flag('network', network, escape),
        flag('security', security, escape),
        ...devices.map((device) => flag('device', device, escape)),
      );
      return [join(flags, printCommand(command)), heredocText(heredocs)];
    }
    case 'copy':
    case 'add':
      return printFiles(instruction, escape);
    case 'arg':
      return [
        join(...instruction.args.map(({ name, value }) => (value === undefined ? name : `${name}=${value}`))),
        '',
      ];
    case 'env':
    case 'label':
      return [join(...instruction.pairs.map(printPair)), ''];
    case 'cmd':
    case 'entrypoint':
      return [printCommand(instruction.command), ''];
    case 'shell':
      return [json(instruction.args), ''];
    case 'healthcheck':
      return [printHealthcheck(instruction), ''];
    case 'volume': {
      const plain = instruction.paths.every((path) => !/[\s["]/.test(path));
      return [plain ? separated(join(...instruction.paths)) : json(instruction.paths), ''];
    }
    case 'expose':
      return [separated(join(...instruction.ports)), ''];
    case 'workdir':
      return [separated(instruction.path), ''];
    case 'user':
      return [separated(instruction.user), ''];
    case 'stopsignal':
      return [separated(instruction.signal), ''];
    case 'maintainer':
      return [separated(instruction.name), ''];
    case 'onbuild': {
      const end = instruction.trigger.indexOf('\n');
      const { trigger } = instruction;
      return end < 0 ? [trigger, ''] : [trigger.slice(0, end), trigger.slice(end)];
    }
  }
}

function printFiles(instruction: CopyInstruction | AddInstruction, escape: EscapeToken): [string, string] {
  const { sources, destination, heredocs } = instruction;
  const on = (name: string, value: boolean | undefined) => value && `--${name}`;
  const flags = join(
    instruction.kind === 'copy' && flag('from', instruction.from, escape),
    flag('chown', instruction.chown, escape),
    flag('chmod', instruction.chmod, escape),
    on('link', instruction.link),
    instruction.kind === 'copy' && on('parents', instruction.parents),
    ...(instruction.kind === 'add' ? [flag('checksum', instruction.checksum, escape)] : []),
    instruction.kind === 'add' &&
      instruction.keepGitDir !== undefined &&
      `--keep-git-dir=${instruction.keepGitDir}`,
    instruction.kind === 'add' && instruction.unpack !== undefined && `--unpack=${instruction.unpack}`,
    ...instruction.exclude.map((pattern) => flag('exclude', pattern, escape)),
  );
  if (instruction.json) return [join(flags, json([...sources, destination])), ''];
  const words = separated(join(...sources, ...heredocs.map(heredocWord), destination));
  return [join(flags, words), heredocText(heredocs)];
}

function heredocWord({ name, expand, chomp, fileDescriptor }: Heredoc): string {
  const delimiter = expand ? name.replace(/[\\'"]/g, '\\$&') : name.includes("'") ? `"${name}"` : `'${name}'`;
  return `${fileDescriptor || ''}<<${chomp ? '-' : ''}${delimiter}`;
}

function printHealthcheck(instruction: HealthcheckInstruction): string {
  const { none, command, interval, timeout, startPeriod, startInterval, retries } = instruction;
  if (none || command === undefined) return 'NONE';
  const duration = (name: string, value: number | undefined) =>
    value !== undefined && `--${name}=${formatDuration(value)}`;
  return join(
    duration('interval', interval),
    duration('timeout', timeout),
    duration('start-period', startPeriod),
    duration('start-interval', startInterval),
    retries !== undefined && `--retries=${retries}`,
    `CMD ${command.form === 'exec' ? json(command.args) : command.text}`,
  );
}

function printCommand(command: Command): string {
  return command.form === 'exec' ? json(command.args) : separated(command.text);
}

/** Text that looks like a flag stands after `--`. */
function separated(text: string): string {
  return text.startsWith('--') ? `-- ${text}` : text;
}

function printPair({ key, value, hasEquals }: RawPair): string {
  return hasEquals ? `${key}=${value}` : `${key} ${value}`;
}

function json(items: readonly string[]): string {
  return `[${items.map((item) => JSON.stringify(item)).join(', ')}]`;
}

function flag(name: string, value: string | undefined, escape: EscapeToken): string | undefined {
  if (value === undefined) return undefined;
  const safe = value.replace(/[\s\u0085'"\\`]/g, (char) =>
    /[\\`]/.test(char) && char !== escape ? char : escape + char,
  );
  return `--${name}=${safe}`;
}

function join(...parts: (string | false | undefined)[]): string {
  return parts.filter(Boolean).join(' ');
}

/** Breaks a line that is too long to be read again, where a break changes nothing. */
function wrap(line: string, escape: EscapeToken): string {
  if (line.length <= maxLine) return line;
  const parts: string[] = [];
  let start = 0;
  for (let end = maxLine; end < line.length; end += 1) {
    if (end - start < maxLine) continue;
    if (/[\s#\u0085\udc00-\udfff]/.test(line.charAt(end)) || line.charAt(end - 1) === escape) continue;
    parts.push(line.slice(start, end));
    start = end;
  }
  return [...parts, line.slice(start)].join(`${escape}\n`);
}
