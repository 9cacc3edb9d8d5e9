import { readdir, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Project } from '../copick/project.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { figureObjects, renderFigure } from '../figure/figure.ts';
import type { Model } from '../inference/model.ts';
import { cziiRules } from '../metric/rules.ts';
import { type Report, type ScoredRun, scorePicks } from '../metric/score.ts';
import { counted } from '../page/counted.ts';
import type { RunPicks } from '../picks/pick.ts';
import { formatSubmission } from '../picks/submission.ts';
import { difficulties } from '../simulate/tomogram.ts';
import { formatZyx, type Zyx } from '../space/grid.ts';
import type { CommonFlags, Outcome } from './command.ts';
import { detectRuns, submissionRuns } from './detect.ts';
import { buildFolder, openCopick, writeWhole } from './files.ts';
import type { RunSummary } from './run-results.ts';
import { openModel } from './runtime.ts';
import { scoreLines } from './score.ts';
import { simulateInto, truthTable } from './simulate.ts';
import type { Terminal } from './terminal.ts';

/** The arguments of `demo`. */
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
  /** Absolute paths of the files that were written. */
  readonly files: DemoFiles;
}

interface DemoFiles {
  readonly project: string;
  readonly config: string;
  readonly picks: string;
  readonly submission: string;
  readonly figure: string;
}

const user = { userId: 'cryoet-picks', sessionId: '0' };

/** Marks the folder of a demo: a later demo may replace what an earlier one wrote there. */
const readme = 'README.txt';
const signature = 'Made by "cryoet-picks demo".';

/** Simulates a project, detects its particles, writes picks, submission and figure, and scores them. */
export async function demo(terminal: Terminal, input: DemoInput): Promise<Outcome> {
  const { directory, shape = [96, 320, 320], runs = 2 } = input;
  const files = filesIn(resolve(directory));
  await requireDemoFolder(resolve(directory));
  // Loaded first, so that a missing runtime shows at once and an older demo stays.
  const model = await openModel(terminal);
  try {
    await prepare(terminal, resolve(directory), files);
    await simulateDemo(terminal, { files, shape, runs });
    const { project, summaries, found } = await detectDemo(terminal, { files, model });
    const submitted = submissionRuns(terminal, { ...user, project, summaries, asked: { numbers: {} } });
    const scored = await withTruth(project, submitted, terminal.signal);
    await writeFiles(terminal, { project, found, scored, files });
    const report = scorePicks(scored, cziiRules);
    const what = 'of the submission, with competition thresholds; picks and figure have balanced ones';
    terminal.print('', ...scoreLines(report, cziiRules), what, '', ...fileLines(files));
    const document: DemoDocument = { report, runs: summaries, files };
    return { json: document };
  } finally {
    await model.dispose();
  }
}

function filesIn(folder: string): DemoFiles {
  const project = join(folder, 'project');
  return {
    project,
    config: join(project, 'copick.json'),
    picks: join(project, 'overlay', 'ExperimentRuns'),
    submission: join(folder, 'submission.csv'),
    figure: join(folder, 'picks.png'),
  };
}

async function requireDemoFolder(folder: string): Promise<void> {
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  if (entries.length === 0) return;
  if (entries.includes(readme) && (await readFile(join(folder, readme), 'utf8')).startsWith(signature)) return;
  throw new CryoetPicksError(
    'invalid-option',
    `${folder} is not empty and was not written by a demo, so nothing in it is changed; choose another folder`,
  );
}

/** Creates the folder, or deletes what an earlier demo wrote in it. */
async function prepare(terminal: Terminal, folder: string, files: DemoFiles): Promise<void> {
  const data = `${signature} The next demo in this folder replaces project, submission.csv and picks.png.\n`;
  await writeWhole(terminal, join(folder, readme), data);
  for (const path of [files.project, files.submission, files.figure]) await rm(path, { recursive: true, force: true });
}

async function simulateDemo(
  terminal: Terminal,
  { files, shape, runs }: { files: DemoFiles; shape: Zyx; runs: number },
): Promise<void> {
  terminal.print(`Simulating ${counted(runs, 'tomogram')} of ${formatZyx(shape)} voxels …`, '');
  await buildFolder(files.project, {
    async build(folder) {
      terminal.print(
        ...truthTable(await simulateInto(terminal, { ...difficulties.clean, folder, runs, seed: 1, shape })),
      );
    },
  });
}

async function detectDemo(terminal: Terminal, { files, model }: { files: DemoFiles; model: Model }): Promise<Detected> {
  terminal.print('', `Detecting particles with the model "${model.spec.name}" …`, '');
  const project = await openCopick(terminal, files.config);
  const tomogram = { type: 'denoised' };
  const { summaries, found } = await detectRuns(terminal, { ...user, project, model, tomogram });
  if (found.length < summaries.length)
    throw new CryoetPicksError('model-failed', 'the demo stops because a run failed; see above');
  return { project, summaries, found };
}

interface Detected {
  readonly project: Project;
  readonly summaries: readonly RunSummary[];
  readonly found: readonly RunPicks[];
}

async function withTruth(project: Project, found: AsyncIterable<RunPicks>, signal: AbortSignal): Promise<ScoredRun[]> {
  const scored: ScoredRun[] = [];
  for await (const { run: name, picks } of found) {
    const run = await project.run(name, { signal });
    scored.push({ run: name, picks, truth: await run.picks({ userId: 'curation', signal }) });
  }
  return scored;
}

async function writeFiles(
  terminal: Terminal,
  {
    project,
    found,
    scored,
    files,
  }: { project: Project; found: readonly RunPicks[]; scored: readonly ScoredRun[]; files: DemoFiles },
): Promise<void> {
  await writeWhole(terminal, files.submission, formatSubmission(scored));
  const { signal } = terminal;
  const { run, picks } = found[0]!;
  const { truth } = scored[0]!;
  const source = await (await project.run(run, { signal })).tomogram('denoised', { signal });
  const title = `${run}: simulated tomogram, picks and ground truth`;
  const data = await renderFigure(source, { picks, truth, objects: figureObjects(project.objects), title, signal });
  await writeWhole(terminal, files.figure, data);
}

function fileLines({ config, picks, submission, figure }: DemoFiles): string[] {
  return [`project     ${config}`, `picks       ${picks}`, `submission  ${submission}`, `figure      ${figure}`];
}
