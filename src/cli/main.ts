#!/usr/bin/env node

import { exitCodes, runCli } from './program.ts';

const controller = new AbortController();
/** These signals abort the work; by convention the exit code is 128 plus the number of the signal. */
const codeOfSignal = { SIGINT: exitCodes.interrupted, SIGTERM: 143, SIGHUP: 129 } as const;
let interruptedCode: number = exitCodes.interrupted;
for (const [name, code] of Object.entries(codeOfSignal)) {
  process.on(name, () => {
    // A second Ctrl-C exits at once. Other signals often come in pairs, and their senders can kill.
    if (controller.signal.aborted && name === 'SIGINT') process.exit(code);
    if (controller.signal.aborted) return;
    interruptedCode = code;
    controller.abort();
    // Work that does not notice, such as a runtime that starts, would keep the process.
    setTimeout(() => process.exit(code), 8_000).unref();
  });
}
const exitCode = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  signal: controller.signal,
});
process.exitCode = exitCode === exitCodes.interrupted ? interruptedCode : exitCode;
