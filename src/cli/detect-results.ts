import { resolve } from 'node:path';
import type { Project } from '../copick/project.ts';
import { renderFigure } from '../figure/figure.ts';
import { figureObjects } from '../figure/objects.ts';
import type { RunPicks } from '../picks/run-picks.ts';
import { formatSubmission } from '../picks/submission.ts';
import type { DetectInput } from './detect.ts';
import { writeWhole } from './files.ts';
import type { Terminal } from './terminal.ts';

/** Absolute paths of what was written; `picks` is the overlay, if any run was done. */
export interface ResultFiles {
  readonly picks?: string | undefined;
  readonly submission?: string | undefined;
  readonly figure?: string | undefined;
}

/** Options of {@link writeResults}. */
export interface ResultsOptions extends globalThis.Pick<DetectInput, 'submission' | 'figure' | 'tomogram'> {
  readonly project: Project;
  readonly found: readonly RunPicks[];
}

/** Writes the submission and the figure that were asked for. */
export async function writeResults(
  { signal }: Terminal,
  { project, found, submission, figure, tomogram }: ResultsOptions,
): Promise<ResultFiles> {
  if (submission !== undefined) await writeWhole(submission, { data: formatSubmission(found), signal });
  const written = { ...(submission !== undefined && { submission: resolve(submission) }) };
  const [first] = found;
  if (first === undefined) return written;
  const picks = project.overlayLocation;
  if (figure === undefined) return { ...written, picks };
  const run = await project.run(first.run, { signal });
  const { type, voxelSpacing } = tomogram;
  const source = await run.tomogram(type, { voxelSpacing, signal });
  const objects = figureObjects(project.objects);
  const data = await renderFigure(source, { picks: first.picks, objects, title: `${first.run}, ${type}`, signal });
  await writeWhole(figure, { data, signal });
  return { ...written, picks, figure: resolve(figure) };
}
