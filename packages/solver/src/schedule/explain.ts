/** What the solver knows of an error: where it happened. */
import { formatPlatform, TsbuildError } from '@tsbuild/core';
import type { Vertex } from '../ops.js';

/** Adds the place in the Dockerfile, the stage and the platform. */
export function explainWith(
  dockerfileOf: (vertex: Vertex) => { filename: string; text: string } | undefined,
) {
  return (error: unknown, vertex: Vertex): unknown => {
    if (!TsbuildError.is(error)) return error;
    const file = dockerfileOf(vertex);
    const { range, stage, platform } = vertex;
    return error.with({
      ...(file === undefined || range === undefined
        ? {}
        : { source: { file: file.filename, text: file.text, range } }),
      stage,
      platform: formatPlatform(platform),
    });
  };
}
