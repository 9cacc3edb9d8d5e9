import {
  type AnyPicksFormat,
  describeLosses,
  encodePicks,
  type FormatOptions,
  formatRequirements,
  type PicksFormatName,
  picksFormat,
  requireOneVoxelSize,
} from '../entry/formats.ts';
import type { ParticlePick, RunPicks, VoxelGrid } from '../entry/index.ts';
import { counted } from './counted.ts';
import type { Page } from './page.ts';
import { hasScore, type MovedReviewInput, type Review, reviewOf, submissionOf, toSave } from './review.ts';
import { NO_VOXEL_SIZE } from './state.ts';
import { tomogramNameOf } from './tomogram-name.ts';
import { hasVoxelSize } from './volume-place.ts';
import type { Work } from './work.ts';
import type { Workspace } from './workspace.ts';

/** The picks of a run, and the tomogram that they were found in. */
export interface RunToExport extends RunPicks {
  readonly grid?: VoxelGrid | undefined;
}

/** The review whose kept picks a file of a format holds: a submission has picks of its own. */
function reviewFor(format: PicksFormatName | undefined): (input: MovedReviewInput) => Review {
  return format === 'submission' ? submissionOf : reviewOf;
}

/** The run that is open, with the picks that are kept. */
export function thisRun({ live }: Pick<Page, 'live'>, format?: PicksFormatName): RunToExport {
  const { run = 'run', grid } = live.state;
  return { run, picks: reviewFor(format)(live.state).kept.map(toSave), grid };
}

/** What all runs keep of a set. */
export interface ExportedRuns {
  readonly runs: readonly RunToExport[];
  /** The set that was shown. */
  readonly set: string | undefined;
  /** The runs that do not have it. */
  readonly without: readonly string[];
}

/**
 * The set that shows, of every run: what each would show of it when it is opened, with the thresholds that were moved. Volumes without
 * a project have no sets: of each what was found or added in it. The run, the set and the thresholds are those of now, whatever is
 * shown while the others are read.
 */
export async function allRuns(
  page: Page,
  workspace: Pick<Workspace, 'collection' | 'otherReviews'>,
  { signal, show }: Work,
  format?: PicksFormatName,
): Promise<ExportedRuns> {
  const { runs, set, tomogram, run: own } = page.live.state;
  const { collection } = workspace;
  const shown = thisRun(page, format);
  const reviewIn = workspace.otherReviews();
  const found: RunToExport[] = [];
  const without: string[] = [];
  for (const [done, name] of runs.entries()) {
    show({ what: 'Exporting', done, total: runs.length });
    if (name === own) {
      found.push(shown);
      continue;
    }
    const run = await collection?.open(name, signal);
    const choice = run?.tomograms.find(({ label }) => label === tomogram) ?? run?.tomograms[0];
    const levels = (await choice?.open(signal)) ?? [];
    const input = run && (await reviewIn(name, run, { levels, signal }));
    const review = input && reviewFor(format)(input);
    signal.throwIfAborted();
    const isUnscaled = choice?.place.kind === 'file' && levels[0] !== undefined && !hasVoxelSize(levels[0].grid);
    if (isUnscaled && review && review.kept.length > 0) throw new Error(`${name}: ${NO_VOXEL_SIZE}`);
    if (review === undefined) without.push(name);
    else found.push({ run: name, picks: review.kept.map(toSave), grid: levels[0]?.grid });
  }
  return { runs: found, set, without };
}

/** Runs that are files, under the names that other programs give their tomograms: without endings, unless two would be one. */
export function namedAsTomograms(runs: readonly RunToExport[]): readonly RunToExport[] {
  const named = runs.map((one) => ({
    ...one,
    run: tomogramNameOf(one.run),
  }));
  return new Set(named.map(({ run }) => run)).size === runs.length ? named : runs;
}

/** The picks of one object. */
export function ofObject(run: RunToExport, object: string): RunToExport {
  return { ...run, picks: run.picks.filter((pick) => pick.object === object) };
}

/** A file for another program. */
export interface ExportedFile {
  readonly name: string;
  readonly content: Uint8Array;
}

/** What a format may need to know. */
export interface ExportNeeds {
  /** Names in the order of the project: their numbers, where a format has numbers, count from 1. */
  readonly objects: readonly string[];
  /** Of the tilt series, in Å. @defaultValue the voxel size of the tomogram */
  readonly pixelSize?: number | undefined;
}

/**
 * The files of a format: one if it can hold all runs and objects, else one per run, or per run and object.
 *
 * @throws What a format cannot hold, or does not know.
 */
export async function filesOf(
  runs: readonly RunToExport[],
  name: PicksFormatName,
  { objects, pixelSize }: ExportNeeds,
): Promise<ExportedFile[]> {
  const { extension, oneRun, oneObject } = formatRequirements[name];
  const shared: FormatOptions = { ...numbersOf(runs, objects), voxelSize: pixelSize };
  const parts = oneRun || runs.length === 1 ? runs.map((run) => [run]) : [runs];
  const files: ExportedFile[] = [];
  for (const part of parts) {
    for (const one of oneObject ? byObject(part[0] as RunToExport) : [{ stem: stemOf(part), part }]) {
      files.push({ name: `${one.stem}.${extension}`, content: await encoded(one.part, name, shared) });
    }
  }
  return files;
}

/** Which number stands for which object and run, where a format has numbers. */
function numbersOf(runs: readonly RunToExport[], objects: readonly string[]): Pick<FormatOptions, 'objects' | 'runs'> {
  const numbered = (names: readonly string[]) => Object.fromEntries(names.map((one, index) => [index + 1, one]));
  return {
    objects: numbered([...new Set([...objects, ...runs.flatMap(({ picks }) => picks.map(({ object }) => object))])]),
    runs: numbered(runs.map(({ run }) => run)),
  };
}

/** What a format cannot hold of the picks, a sentence each, and which class numbers stand for the objects that it does not name. */
export function exportNotes(
  runs: readonly RunToExport[],
  name: PicksFormatName,
  { objects, pixelSize }: ExportNeeds,
): string[] {
  const numbers = numbersOf(runs, objects);
  const format = formatOf(runs, name, { ...numbers, voxelSize: pixelSize });
  const losses = describeLosses(
    runs.map(({ run, picks }) => ({ run, picks })),
    { format },
  );
  const found = new Set(runs.flatMap(({ picks }) => picks.map(({ object }) => object)));
  const classes = Object.entries(numbers.objects ?? {}).filter(([, object]) => found.has(object));
  const hasNumbers = classes.length > 0 && formatRequirements[name].numbersObjects === true;
  const legend = classes.map(([number, object]) => `${number} is ${object}`).join(', ');
  const lost = hasNumbers ? losses.filter((loss) => !loss.startsWith('object:')) : losses;
  const added = runs.flatMap(({ picks }) => picks).filter((pick) => !hasScore(pick)).length;
  const hasScores = !format.losses.some(({ part }) => part === 'score');
  const told = name === 'csv' ? ', and "added" stands in the column "reviewed"' : '';
  return [
    ...(added > 0 && hasScores
      ? [`${counted(added, 'added pick')} ${added === 1 ? 'has' : 'have'} the score 1, which no network gave${told}`]
      : []),
    ...(hasNumbers ? [`Its classes: ${legend}`] : []),
    ...lost.map((loss) => `Not in the file: ${loss}`),
  ];
}

function stemOf(runs: readonly RunToExport[]): string {
  return runs.length === 1 ? (runs[0] as RunToExport).run : 'picks';
}

interface Part {
  readonly stem: string;
  readonly part: readonly RunToExport[];
}

function byObject(one: RunToExport): Part[] {
  const objects = new Map<string, ParticlePick[]>();
  for (const pick of one.picks) {
    const own = objects.get(pick.object);
    if (own) own.push(pick);
    else objects.set(pick.object, [pick]);
  }
  return [...objects].map(([object, picks]) => ({ stem: `${one.run}_${object}`, part: [{ ...one, picks }] }));
}

function encoded(runs: readonly RunToExport[], name: PicksFormatName, shared: FormatOptions): Promise<Uint8Array> {
  if (formatRequirements[name].tomogram !== undefined) {
    const sizes = Object.fromEntries(runs.flatMap(({ run, grid }) => (grid ? [[run, grid.voxelSize]] : [])));
    requireOneVoxelSize(sizes, { remedy: 'export them run by run, or as CSV' });
  }
  return encodePicks(
    runs.map(({ run, picks }) => ({ run, picks })),
    { format: formatOf(runs, name, shared) },
  );
}

function formatOf(runs: readonly RunToExport[], name: PicksFormatName, shared: FormatOptions): AnyPicksFormat {
  const [first] = runs;
  const shapes = Object.fromEntries(runs.flatMap(({ run, grid }) => (grid ? [[run, grid.shape]] : [])));
  return picksFormat(name, {
    ...shared,
    voxelSize: shared.voxelSize ?? first?.grid?.voxelSize,
    // A file of one run takes its shape; a file of several runs takes the shapes of all.
    ...(runs.length === 1 ? { run: first?.run, shape: first?.grid?.shape } : {}),
    shapes,
  });
}

/** Gives a file to the browser to keep. */
export function download({ name, content }: ExportedFile): void {
  const address = URL.createObjectURL(new Blob([content as BlobPart]));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
