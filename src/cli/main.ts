#!/usr/bin/env node
import { exitCodes, runCli } from './program.ts';

const controller = new AbortController();
process.on('SIGINT', () => {
  // The second Ctrl-C does not wait for anything.
  if (controller.signal.aborted) process.exit(exitCodes.interrupted);
  controller.abort();
});
for (const stream of [process.stdout, process.stderr]) {
  // Whoever read the output has left, as `| head` does; the work itself goes on.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

process.exitCode = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  signal: controller.signal,
});
