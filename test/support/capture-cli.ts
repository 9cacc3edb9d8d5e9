import { Writable } from 'node:stream';
import { expect } from 'vitest';
import { runCli } from '../../src/cli/program.ts';

/** A stream that keeps what is written to it. */
export class TextSink extends Writable {
  text = '';

  override _write(chunk: Buffer | string, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** What a run of the command line left behind. */
export interface Captured {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The lines of JSON that `detect --json` printed. */
export function eventsOf({ stdout }: Pick<Captured, 'stdout'>): ReturnType<typeof JSON.parse>[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** The last of these lines, which tells of all runs. */
export function finishedOf(captured: Pick<Captured, 'stdout'>): ReturnType<typeof JSON.parse> {
  const finished = eventsOf(captured).at(-1);
  expect(finished.event).toBe('finished');
  return finished;
}

/** Runs the command line inside this process. */
export async function captureCli(
  args: readonly string[],
  { signal = new AbortController().signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Captured> {
  const stdout = new TextSink();
  const stderr = new TextSink();
  const exitCode = await runCli(args, { stdout, stderr, signal });
  return { exitCode, stdout: stdout.text, stderr: stderr.text };
}
