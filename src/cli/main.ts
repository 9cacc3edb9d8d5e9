#!/usr/bin/env node

import { exitCodes, runCli } from './program.ts';

const controller = new AbortController();
/** What ends a program ends it tidily; by convention the exit code is 128 and the signal's number. */
const codeOfSignal = { SIGINT: exitCodes.interrupted, SIGTERM: 143, SIGHUP: 129 } as const;
let interruptedCode: number = exitCodes.interrupted;
for (const [name, code] of Object.entries(codeOfSignal)) {
  process.on(name, () => {
    // The second Ctrl-C does not wait for anything. Other signals often come in pairs, and those who send them can kill.
    if (controller.signal.aborted && name === 'SIGINT') process.exit(code);
    if (controller.signal.aborted) return;
    interruptedCode = code;
    controller.abort();
  });
}
for (const stream of [process.stdout, process.stderr]) {
  // Whoever read the output has left, as `| head` does, or the terminal was closed; the work itself goes on.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
  });
}

const exitCode = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  signal: controller.signal,
});
process.exitCode = exitCode === exitCodes.interrupted ? interruptedCode : exitCode;
