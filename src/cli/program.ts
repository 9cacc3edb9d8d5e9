import { Command, CommanderError } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import type { CommandBody, CommonFlags } from './command.ts';
import { defineCommands } from './commands.ts';
import { describeFailure, detailsOf, UsageError } from './failure.ts';
import { openTerminal, type TextStream } from './terminal.ts';

/** Options of {@link runCli}. */
export interface CliOptions {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  /** Aborts the command. */
  readonly signal: AbortSignal;
}

/** Exit codes of the program. */
export const exitCodes = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/**
 * Runs the command line.
 *
 * @param args - The arguments, without those of Node.
 * @returns The exit code: 0 done, 1 the work failed, 2 wrong usage, 130 interrupted. Never rejects.
 */
export async function runCli(args: readonly string[], options: CliOptions): Promise<number> {
  const { stdout, stderr } = options;
  let exitCode: number = exitCodes.done;
  const program: Command = new Command('cryoet-picks')
    .description('Finds protein particles in cryo-electron tomograms.')
    .version(manifest.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      outputError: (text, write) => write(`cryoet-picks: ${usageMessage(text, program, args)}\n`),
    });
  defineCommands(program, async (load, input) => {
    exitCode = await execute(await load(), input, options);
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    return reportFailure(error, { ...options, flags: {} });
  }
}

async function execute<Input extends CommonFlags>(
  body: CommandBody<Input>,
  input: Input,
  options: CliOptions,
): Promise<number> {
  const { stdout, signal } = options;
  try {
    signal.throwIfAborted();
    const outcome = await body(openTerminal({ ...options, json: input.json === true }), input);
    if (input.json) stdout.write(`${JSON.stringify(outcome.json, null, 2)}\n`);
    return outcome.failed ? exitCodes.failed : exitCodes.done;
  } catch (error) {
    return reportFailure(error, { ...options, flags: input });
  }
}

/** Writes one line to stderr; with `--json` also a document to stdout, and with `--verbose` all there is to know. */
function reportFailure(error: unknown, options: CliOptions & { readonly flags: CommonFlags }): number {
  const { stdout, stderr, signal, flags } = options;
  const interrupted = signal.aborted;
  const failure = interrupted
    ? { code: 'interrupted', message: 'interrupted; no file is half written' }
    : describeFailure(error);
  stderr.write(`cryoet-picks: ${failure.message}\n`);
  if (flags.verbose && !interrupted) stderr.write(`${detailsOf(error)}\n`);
  if (flags.json) stdout.write(`${JSON.stringify({ error: failure }, null, 2)}\n`);
  if (interrupted) return exitCodes.interrupted;
  return error instanceof UsageError ? exitCodes.usage : exitCodes.failed;
}

/** Commander's message on one line, and where to read on. */
function usageMessage(text: string, program: Command, [first]: readonly string[]): string {
  const message = text
    .trim()
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ');
  const known = program.commands.some((command) => command.name() === first);
  return `${message}${/[.)?]$/.test(message) ? '' : '.'} See cryoet-picks ${known ? `${first} ` : ''}--help.`;
}
