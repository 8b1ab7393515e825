/** Findings as SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0), which code hosts and editors read. */
import { relative, sep } from 'node:path';
import type { SourceRange, TsbuildError } from '@tsbuild/core';
import { rules } from '@tsbuild/parser';
import type { CheckResult } from '../api/types.js';
import { packageVersion } from './version.js';

interface Result {
  id: string;
  level: 'warning' | 'error';
  message: string;
  range: SourceRange | undefined;
}

export function sarif({ file, warnings, error }: CheckResult, cwd: string): string {
  const results: Result[] = [
    ...warnings.map(({ rule, message, range }): Result => ({ id: rule, level: 'warning', message, range })),
    ...(error === undefined
      ? []
      : [{ id: error.code, level: 'error' as const, message: withHint(error), range: error.source?.range }]),
  ];
  const described = [
    ...rules.map(({ name, description, url }) => ({
      id: name,
      shortDescription: { text: description },
      ...(url === undefined ? {} : { helpUri: url }),
      defaultConfiguration: { level: 'warning' },
    })),
    ...(error === undefined
      ? []
      : [{ id: error.code, shortDescription: { text: 'The Dockerfile cannot be built.' } }]),
  ];
  const uri = uriOf(file.name, cwd);
  const run = {
    tool: { driver: { name: 'tsbuild', semanticVersion: packageVersion(), rules: described } },
    columnKind: 'utf16CodeUnits',
    results: results.map(({ id, level, message, range }) => ({
      ruleId: id,
      ruleIndex: described.findIndex((rule) => rule.id === id),
      level,
      message: { text: message },
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri },
            ...(range === undefined ? {} : { region: regionOf(range) }),
          },
        },
      ],
    })),
  };
  const log = { $schema: 'https://json.schemastore.org/sarif-2.1.0.json', version: '2.1.0', runs: [run] };
  return `${JSON.stringify(log, null, 2)}\n`;
}

function withHint({ message, hint }: TsbuildError): string {
  return hint === undefined ? message : `${message}\n${hint}`;
}

/** Ends are exclusive in SARIF too. */
function regionOf({ startLine, startColumn, endLine, endColumn }: SourceRange) {
  return {
    startLine,
    startColumn,
    endLine,
    endColumn: Math.max(endColumn, startColumn + (startLine === endLine ? 1 : 0)),
  };
}

/** Relative to where the command runs, so that a code host finds the file in its checkout. */
function uriOf(file: string, cwd: string): string {
  const near = file.startsWith(sep) ? relative(cwd, file) : file;
  const path = near.startsWith('..') ? file : near;
  return path.split(sep).map(encodeURIComponent).join('/');
}
