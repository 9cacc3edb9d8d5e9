import { join, resolve } from 'node:path';
import { directoryStore } from '../node/directory-store.ts';
import { counted } from '../page/counted.ts';
import type { RunPicks } from '../picks/pick.ts';
import { parseSubmission } from '../picks/submission.ts';
import type { ReconstructionFilter } from '../simulate/imaging-options.ts';
import { type SimulateProjectOptions, simulateProject } from '../simulate/project.ts';
import { type Difficulty, difficulties } from '../simulate/tomogram.ts';
import type { Zyx } from '../space/grid.ts';
import type { CommonFlags, Outcome } from './command.ts';
import { buildFolder, readText } from './files.ts';
import { runBars } from './run-bars.ts';
import { countByObject, countTable, type Terminal, warningsTo } from './terminal.ts';

/** The arguments of `simulate`. */
export interface SimulateInput extends CommonFlags {
  readonly directory: string;
  /** @defaultValue 1, or all runs in `positions` */
  readonly runs?: number | undefined;
  readonly seed: number;
  readonly shape?: Zyx | undefined;
  readonly positions?: string | undefined;
  readonly noise?: number | undefined;
  readonly difficulty?: Difficulty | undefined;
  readonly filter?: ReconstructionFilter | undefined;
}

/** What `simulate --json` prints. */
export interface SimulateDocument {
  /** Absolute path of the project file. */
  readonly config: string;
  /** True positions per run and object. */
  readonly runs: readonly { readonly run: string; readonly truth: Readonly<Record<string, number>> }[];
}

/** Writes a project of simulated tomograms: all of it, or nothing. */
export async function simulate(terminal: Terminal, input: SimulateInput): Promise<Outcome> {
  const { directory, seed, shape, noise, filter, difficulty = 'default' } = input;
  const imaging = { ...difficulties[difficulty], ...(noise === undefined ? {} : { noise }) };
  const positions = await readPositions(input, terminal.signal);
  let runs: SimulateDocument['runs'] = [];
  await buildFolder(directory, {
    async build(folder) {
      runs = await simulateInto(terminal, {
        ...imaging,
        folder,
        absolutePath: resolve(directory),
        runs: input.runs ?? 1,
        seed,
        shape,
        filter,
        positions,
      });
    },
  });
  const config = join(resolve(directory), 'copick.json');
  terminal.print(...truthTable(runs), '', `${counted(runs.length, 'run')} in ${config}`);
  const document: SimulateDocument = { config, runs };
  return { json: document };
}

async function readPositions({ positions, runs }: SimulateInput, signal: AbortSignal): Promise<RunPicks[] | undefined> {
  if (positions === undefined) return undefined;
  const text = await readText(positions, { what: 'positions', code: 'invalid-submission', signal });
  return parseSubmission(text, { source: positions }).slice(0, runs);
}

/**
 * Simulates a project into a folder, with a bar per run.
 *
 * @returns The true positions per run and object.
 */
export async function simulateInto(
  terminal: Terminal,
  { folder, ...options }: Omit<SimulateProjectOptions, 'signal' | 'onProgress'> & { readonly folder: string },
): Promise<SimulateDocument['runs']> {
  const bars = runBars(terminal);
  try {
    const { runs } = await simulateProject(directoryStore(folder, { onWarning: warningsTo(terminal) }), {
      ...options,
      signal: terminal.signal,
      onProgress: bars.update,
    });
    return runs.map(({ run, picks }) => ({ run, truth: countByObject(picks) }));
  } finally {
    bars.stop();
  }
}

/** The true particles as a table. */
export function truthTable(runs: SimulateDocument['runs']): string[] {
  return countTable('true particles', { runs: runs.map(({ run, truth }) => ({ run, counts: truth })) });
}
