import type { Terminal } from './terminal.ts';

/** What a command hands back when it is through. */
export interface Outcome {
  /** The document that `--json` prints. */
  readonly json: unknown;
  /** True if a part of the work failed while the rest was done; exit code 1. */
  readonly failed?: boolean | undefined;
}

/** A command: does its work with what the command line named. */
export type CommandBody<Input> = (terminal: Terminal, input: Input) => Promise<Outcome>;

/** Options that every command has. */
export interface CommonFlags {
  readonly json?: true | undefined;
  readonly verbose?: true | undefined;
}

/** Runs a command that is loaded first, so that starting the program and printing its help costs nothing. */
export type RunCommand = <Input extends CommonFlags>(
  load: () => Promise<CommandBody<Input>>,
  input: Input,
) => Promise<void>;
