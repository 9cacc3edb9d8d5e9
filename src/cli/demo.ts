import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CryoetPicksError } from '../errors.ts';
import { competition } from '../metric/competition.ts';
import { type Report, scorePicks } from '../metric/score.ts';
import { openProject } from '../node.ts';
import { formatSubmission } from '../picks/submission.ts';
import type { Zyx } from '../space/zyx.ts';
import type { CommonFlags, Outcome } from './command.ts';
import { detectRuns, type RunSummary } from './detect.ts';
import { renderFigure } from './figure.ts';
import { figureObjects } from './figure-objects.ts';
import { buildFolder, writeWhole } from './files.ts';
import { openModel } from './runtime.ts';
import { scoreLines } from './score-table.ts';
import { simulateInto, truthLines } from './simulate.ts';
import type { Terminal } from './terminal.ts';

/** What `demo` was asked for. */
export interface DemoInput extends CommonFlags {
  readonly directory: string;
  /** Voxels of each tomogram. @defaultValue `[96, 320, 320]` */
  readonly shape?: Zyx | undefined;
  /** @defaultValue 2 */
  readonly runs?: number | undefined;
}

/** What `demo --json` prints. */
export interface DemoDocument {
  readonly report: Report;
  readonly runs: readonly RunSummary[];
  /** Absolute paths of what was written. */
  readonly files: DemoFiles;
}

interface DemoFiles {
  readonly config: string;
  readonly picks: string;
  readonly submission: string;
  readonly figure: string;
}

const user = { userId: 'cryoet-picks', sessionId: '0' };

/** A folder that holds this file is a demo's, and a new demo may replace what the old one made there. */
const readme = 'README.txt';
const signature = 'Made by "cryoet-picks demo".';

/** Simulates a project, detects its particles, writes picks, submission and figure, and scores them. */
export async function demo(terminal: Terminal, input: DemoInput): Promise<Outcome> {
  const { directory, shape = [96, 320, 320], runs = 2 } = input;
  const folder = resolve(directory);
  const files = filesIn(folder);
  await prepare(folder, terminal.signal);
  terminal.print(`Simulating ${runs} tomograms of ${shape.join('×')} voxels …`);
  await buildFolder(join(folder, 'project'), {
    build: async (partial) => {
      terminal.print(...truthLines(await simulateInto(terminal, { folder: partial, runs, seed: 1, shape })), '');
    },
  });

  terminal.print('Finding particles with the network that comes along …');
  const project = await openProject(files.config, { signal: terminal.signal });
  const model = await openModel({});
  const tomogram = { type: 'denoised' };
  const { summaries, found } = await detectRuns(terminal, { project, model, tomogram, ...user }).finally(() =>
    model.dispose(),
  );
  const failure = summaries.find(({ error }) => error !== undefined)?.error;
  if (failure !== undefined) throw new CryoetPicksError('model-failed', `the demo stopped: ${failure.message}`);
}
