/** JSON of checks, outlines and targets, in the form that `docker buildx build --call METHOD,format=json` has. */
import { basename } from 'node:path';
import type { SourceRange, TsbuildError } from '@tsbuild/core';
import type { CheckResult, DockerfileText, OutlineResult, TargetsResult } from '../api/types.js';

/** A list that is empty is left out, as Go does it. */
const some = <T>(name: string, items: readonly T[]) => (items.length === 0 ? {} : { [name]: items });

export function checkJson({ file, warnings, error }: CheckResult): string {
  const found = warnings.map(({ rule, description, url, message, range }) => ({
    ruleName: rule,
    description,
    ...(url === undefined ? {} : { url }),
    detail: message,
    location: location(range.startLine, range.endLine),
  }));
  return print({
    // Go's nil slice.
    warnings: found.length === 0 ? null : found,
    sources: [{ filename: basename(file.name), data: base64(file), language: 'Dockerfile' }],
    ...(error === undefined ? {} : { buildError: buildError(error) }),
  });
}

export function outlineJson({ name, description, args, secrets, ssh, file }: OutlineResult): string {
  const inputs = (items: OutlineResult['secrets']) =>
    items.map(({ name, required, lines }) => ({
      name,
      ...(required ? { required } : {}),
      location: location(lines.start, lines.end),
    }));
  return print({
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...some(
      'args',
      args.map(({ name, description, value, lines }) => ({
        name,
        ...(description === undefined ? {} : { description }),
        ...(value === undefined || value === '' ? {} : { value }),
        location: location(lines.start, lines.end),
      })),
    ),
    ...some('secrets', inputs(secrets)),
    ...some('ssh', inputs(ssh)),
    sources: [base64(file)],
  });
}

export function targetsJson({ targets, file }: TargetsResult): string {
  return print({
    targets: targets.map(({ name, default: isDefault, description, base, platform, lines }) => ({
      ...(name === undefined ? {} : { name }),
      ...(isDefault ? { default: true } : {}),
      ...(description === undefined ? {} : { description }),
      base,
      ...(platform === undefined ? {} : { platform }),
      location: location(lines.start, lines.end),
    })),
    sources: [base64(file)],
  });
}

/** BuildKit has a range for each line. */
function location(start: number, end: number) {
  const lines = Array.from({ length: Math.max(1, end - start + 1) }, (_, index) => start + index);
  return { ranges: lines.map((line) => ({ start: { line }, end: { line } })) };
}

function buildError(error: TsbuildError) {
  const range: SourceRange | undefined = error.source?.range;
  const where = range !== undefined && error.code.startsWith('TSB_PARSE_');
  return {
    message: `${where ? `dockerfile parse error on line ${range.startLine}: ` : ''}${error.message}`,
    ...(range === undefined ? {} : { location: location(range.startLine, range.endLine) }),
  };
}

function base64({ text }: DockerfileText): string {
  return Buffer.from(text).toString('base64');
}

function print(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
