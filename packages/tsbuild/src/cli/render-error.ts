/**
 * The text of an error, composed once: the failed step's last output, the Dockerfile frame, the message, its causes,
 * the way out and the code. Credentials are taken out here, control characters too: both can come from a registry.
 */
import { type SourceLocation, TsbuildError, exitCodeOf, frame } from '@tsbuild/core';
import { redact } from './redact.js';

export interface RenderOptions {
  color: boolean;
  /** Stack traces too. */
  debug: boolean;
  /** The view has shown the failed step's output. */
  outputShown: boolean;
}

const shownOutputLines = 20;

export function renderError(error: unknown, options: RenderOptions): string {
  const text = TsbuildError.is(error) ? renderKnown(error, options) : renderBug(error, options);
  return redact(text);
}

function renderKnown(thrown: TsbuildError, options: RenderOptions): string {
  const error = cancellation(thrown);
  const paint = painter(options.color);
  const parts: string[] = [];
  if (error.outputTail !== undefined && error.outputTail.trim() !== '' && !options.outputShown) {
    parts.push(renderTail(error.outputTail));
  }
  if (error.source !== undefined) parts.push(clean(frameWithCaret(error.source)));
  parts.push(`${paint.red('ERROR')}: ${clean(error.message)}`);
  const where = [
    error.stage === undefined ? '' : `stage ${error.stage}`,
    error.platform === undefined ? '' : `platform ${error.platform}`,
  ].filter((part) => part !== '');
  if (where.length > 0) parts.push(`  in ${clean(where.join(', '))}`);
  for (const cause of causes(error)) parts.push(`  cause: ${clean(cause)}`);
  if (error.hint !== undefined) parts.push(`  ${paint.cyan('try')}: ${clean(error.hint)}`);
  parts.push(`  ${paint.dim(`code: ${error.code}`)}`);
  if (options.debug && error.stack !== undefined) parts.push(clean(error.stack));
  return `${parts.join('\n')}\n`;
}

/** What was cancelled matters less than what cancelled it (Ctrl-C, a closed pipe). */
function cancellation(error: TsbuildError): TsbuildError {
  const { cause } = error;
  return exitCodeOf(error) === 130 && TsbuildError.is(cause) && exitCodeOf(cause) === 130
    ? cancellation(cause)
    : error;
}

/** A thrown thing that is no TsbuildError is a fault of tsbuild's own. */
function renderBug(error: unknown, options: RenderOptions): string {
  const paint = painter(options.color);
  const stack =
    error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : `thrown: ${String(error)}`;
  const lines = [`${paint.red('BUG')}: tsbuild met an error that it does not know.`, clean(stack)];
  if (error instanceof Error) for (const cause of causes(error)) lines.push(`  cause: ${clean(cause)}`);
  lines.push(
    `  ${paint.cyan('try')}: Please report it to the tsbuild project, with this text and the Dockerfile.`,
  );
  return `${lines.join('\n')}\n`;
}

function renderTail(tail: string): string {
  const lines = tail.replace(/\n$/, '').split('\n');
  const shown = lines.slice(-shownOutputLines);
  const title = lines.length > shown.length ? `last ${shown.length} lines of output:` : 'output:';
  return ['------', ` > ${title}`, ...shown, '------'].join('\n');
}

/** The messages of the chain of causes that say something new. */
function causes(error: Error): string[] {
  const texts: string[] = [];
  let known = error.message;
  let cause: unknown = error.cause;
  for (let depth = 0; cause !== undefined && cause !== null && depth < 8; depth++) {
    const inner = cause instanceof AggregateError ? (cause.errors[0] as unknown) : cause;
    const message = inner instanceof Error ? inner.message : String(inner);
    if (message !== '' && !known.includes(message)) {
      texts.push(message);
      known += `\n${message}`;
    }
    cause = inner instanceof Error ? inner.cause : undefined;
  }
  return texts;
}

/** Core's frame; a fault that is only a part of one line gets a caret line below it. */
function frameWithCaret(source: SourceLocation): string {
  const text = frame(source).replace(/\n+$/, '');
  const { startLine, startColumn, endLine, endColumn } = source.range;
  const line = source.text.split(/\r?\n/)[startLine - 1] ?? '';
  const whole =
    startColumn <= 1 + (line.length - line.trimStart().length) && endColumn > line.trimEnd().length;
  if (startLine !== endLine || endColumn <= startColumn || whole || startColumn > line.length) return text;
  const indent = line.slice(0, startColumn - 1).replace(/[^\t]/g, ' ');
  const marks = '^'.repeat(Math.min(endColumn, line.length + 1) - startColumn);
  const lines = text.split('\n');
  const at = lines.findIndex((row) => /^ +\d+ \| >>>/.test(row));
  if (at >= 0) lines.splice(at + 1, 0, `     |     ${indent}${marks}`);
  return lines.join('\n');
}

/** Makes control characters visible, newlines and tabs excepted. */
function clean(text: string): string {
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (character) =>
    character === '\r' ? '' : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

function painter(color: boolean) {
  const paint = (code: string) => (text: string) => (color ? `\x1b[${code}m${text}\x1b[0m` : text);
  return { red: paint('1;31'), cyan: paint('36'), dim: paint('2') };
}
