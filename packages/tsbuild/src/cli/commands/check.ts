/**
 * `tsbuild check`: the build checks as text or JSON in the forms that docker buildx has. Nothing but the Dockerfile and
 * its ignore file is looked at, so it works without network, store and namespaces.
 */
import { type TsbuildError, formatPlatform, frame, hostPlatform } from '@tsbuild/core';
import { type Lint, checkDockerfile, parseDockerfile } from '@tsbuild/parser';
import { readDockerfile } from '../dockerfile-text.js';
import type { Io } from '../io.js';
import type { Args } from '../parse.js';
import { parsePlatforms, parseVariables } from '../values.js';

export async function run(args: Args, io: Io): Promise<number> {
  const { text, name, ignore } = await readDockerfile(args, io);
  const file = parseDockerfile(text, name);
  const unreadable: TsbuildError[] = [];
  const target = args.string('target');
  const platform = parsePlatforms(args.list('platform'))[0] ?? formatPlatform(hostPlatform());
  const lints = checkDockerfile(file, {
    buildArgs: parseVariables('build-arg', args.list('build-arg'), io.env),
    targetPlatform: platform,
    buildPlatform: formatPlatform(hostPlatform()),
    ...(target ? { target } : {}),
    ...(ignore === undefined ? {} : { ignore }),
    onError: (error) => unreadable.push(error),
  });
  const [first] = unreadable;
  if (first !== undefined) throw first;
  io.stdout.write(args.string('format') === 'json' ? renderJson(lints) : renderText(lints, name, file.text));
  return lints.length === 0 ? 0 : 1;
}

function renderJson(lints: readonly Lint[]): string {
  const warnings = lints.map(({ rule, message, description, url, range }) => ({
    ruleName: rule,
    description,
    ...(url === undefined ? {} : { url }),
    detail: message,
    location: {
      ranges: [
        {
          start: { line: range.startLine, character: range.startColumn },
          end: { line: range.endLine, character: range.endColumn },
        },
      ],
    },
  }));
  return `${JSON.stringify({ warnings }, null, 2)}\n`;
}

export function renderText(lints: readonly Lint[], name: string, text: string): string {
  if (lints.length === 0) return 'Check complete, no warnings found.\n';
  const blocks = lints.map(({ rule, message, url, range }) =>
    [
      `WARNING: ${rule}${url === undefined ? '' : ` - ${url}`}`,
      message,
      frame({ file: name, range, text }),
    ].join('\n'),
  );
  const count = lints.length === 1 ? '1 warning has' : `${lints.length} warnings have`;
  return `Check complete, ${count} been found!\n\n${blocks.join('\n')}`;
}
