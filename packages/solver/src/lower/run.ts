/** RUN. */
import type { RunInstruction } from '@tsbuild/parser';
import { lex } from '@tsbuild/parser';
import type { RunOp } from '../ops.js';
import { own, proxyEnv } from './arg.js';
import { commandArgs, inShell } from './config.js';
import { heredocSummary, instructionText, stepName } from './display.js';
import { fault } from './fault.js';
import { recordLayer, runText } from './history.js';
import type { Located, Lowering } from './lowering.js';
import { lowerMounts } from './mounts.js';
import type { StageState } from './stage-state.js';

export function lowerRun(lowering: Lowering, state: StageState, located: Located<RunInstruction>): void {
  const { options } = lowering;
  const { instruction } = located;
  const command = commandOf(state, instruction);
  const op: RunOp = {
    kind: 'run',
    base: state.root,
    args: command.args,
    env: [...state.env].filter(([name]) => !scannerArgs.includes(name)),
    proxyEnv: proxyEnv(options.buildArgs),
    cwd: state.cwd,
    user: state.config.User ?? '',
    hostname: own(options.buildArgs, 'BUILDKIT_SANDBOX_HOSTNAME') || 'buildkitsandbox',
    network: networkOf(lowering, instruction),
    security: securityOf(lowering, instruction),
    ...lowerMounts(lowering, state, located),
    extraHosts: options.extraHosts.map(({ name, address }) => ({ name, address })),
    ...(options.shmSize === undefined ? {} : { shmSize: options.shmSize }),
    ulimits: options.ulimits.map(({ name, soft, hard }) => ({ name, soft, hard })),
    ...(options.cgroupParent === undefined ? {} : { cgroupParent: options.cgroupParent }),
    scripts: command.scripts,
    devices: instruction.devices.map(deviceOf),
  };
  const { platform, ignoreCache, label } = state;
  const name = stepName(lowering, state, instructionText(located, state, command.summary));
  const { range } = located;
  const args = argsOf(state, op);
  const id = lowering.graph.add({ op, name, stage: label, platform, range, ignoreCache, args });
  state.root = id;
  recordLayer(state, runText(op.args, state.args, state.env), id);
}

/** Variables that are not in the image's config. */
function argsOf({ config }: StageState, { env }: RunOp): string[] {
  const kept = new Set((config.Env ?? []).map((entry) => entry.slice(0, entry.indexOf('='))));
  return env.map(([name]) => name).filter((name) => !kept.has(name));
}

/** They steer the SBOM scanner and never become environment variables. */
const scannerArgs = ['BUILDKIT_SBOM_SCAN_CONTEXT', 'BUILDKIT_SBOM_SCAN_STAGE'];

interface RunCommand {
  args: string[];
  scripts: RunOp['scripts'];
  /** First line of a heredoc that is the whole command. */
  summary?: string;
}

/** The builder expands nothing: what the shell gets, it sees as written. */
function commandOf(state: StageState, { command, heredocs }: RunInstruction): RunCommand {
  const [first] = heredocs;
  if (first === undefined || command.form === 'exec')
    return { args: commandArgs(state, command), scripts: [] };
  if (!isOneHeredoc(command.text)) {
    // The shell does the heredocs itself, so it gets them as they were.
    const text = command.text + heredocs.map(({ rawBody, name }) => `\n${rawBody}${name}`).join('');
    return { args: inShell(state, text), scripts: [] };
  }
  const summary = heredocSummary(first.rawBody);
  if (!first.rawBody.startsWith('#!')) return { args: inShell(state, first.body), scripts: [], summary };
  const path = `/dev/pipes/${first.name}`;
  return { args: inShell(state, path), scripts: [{ path, data: first.body, mode: 0o755 }], summary };
}

/** Whether the command is a heredoc and nothing else. */
function isOneHeredoc(text: string): boolean {
  const rest = /^\d*<<-?[\t\n\f\r ]*([^<]+)$/.exec(text)?.[1];
  if (rest === undefined) return false;
  return lex(rest, () => undefined, { escape: '\\', keepUnset: true }).words.length === 1;
}

function networkOf({ options }: Lowering, { network = 'default' }: RunInstruction): RunOp['network'] {
  if (network === 'none') return 'none';
  if (network !== 'host') return options.network ?? 'default';
  if (options.network === 'host' || options.entitlements.includes('network.host')) return 'host';
  throw notAllowed('network.host');
}

function securityOf({ options }: Lowering, { security }: RunInstruction): RunOp['security'] {
  if (security !== 'insecure') return 'sandbox';
  if (options.entitlements.includes('security.insecure')) return 'insecure';
  throw notAllowed('security.insecure');
}

function notAllowed(entitlement: string): Error {
  return fault('NOT_ALLOWED', `${entitlement} is not allowed`, `Allow it with --allow ${entitlement}.`);
}

/** `[name=]NAME[,required]` */
function deviceOf(text: string): RunOp['devices'][number] {
  const fields = text.split(',');
  const name = fields.find((field) => field !== 'required')?.replace(/^name=/, '');
  if (!name)
    throw fault('DEVICE', `device name is required: ${text}`, 'Write --device=vendor.com/class=name.');
  return { name, required: fields.includes('required') };
}
