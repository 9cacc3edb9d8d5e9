import { Writable } from 'node:stream';
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
