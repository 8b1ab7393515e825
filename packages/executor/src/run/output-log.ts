/** Output of a step: passed on as log events, with its end kept for the error message. */
import { StringDecoder } from 'node:string_decoder';
import type { EventSink } from '@tsbuild/core';

type Stream = 'stdout' | 'stderr';

/** How much of the end an error shows. */
const tailLines = 20;
const tailCharacters = 16384;

export class OutputLog {
  private readonly decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') };
  private recent = '';

  constructor(
    private readonly vertexId: string,
    private readonly emit: EventSink,
  ) {}

  add(stream: Stream, chunk: Buffer): void {
    this.send(stream, this.decoders[stream].write(chunk));
  }

  /** Hands on what was left of an unfinished character. */
  end(): void {
    for (const stream of ['stdout', 'stderr'] as const) this.send(stream, this.decoders[stream].end());
  }

  /** The last lines of both streams, in order of arrival. */
  tail(): string {
    return this.recent.trimEnd().split('\n').slice(-tailLines).join('\n');
  }

  private send(stream: Stream, text: string): void {
    if (text === '') return;
    this.recent = (this.recent + text).slice(-tailCharacters);
    this.emit({ type: 'log', id: this.vertexId, stream, text, at: Date.now() });
  }
}
