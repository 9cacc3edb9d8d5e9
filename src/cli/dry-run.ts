import type { Project } from '../copick/project.ts';
import { isCryoetPicksError } from '../core/errors.ts';
import { detectCandidates } from '../detect/candidates.ts';
import { featureBytes } from '../detect/features.ts';
import { inShard, type RunMask, tomogramTypeOf } from '../detect/project-runs.ts';
import type { Shard } from '../detect/shards.ts';
import type { Model } from '../inference/model.ts';
import { defaultDecodeThreads } from '../node/decode-pool.ts';
import { readingBytes } from '../ome-zarr/chunk-cache.ts';
import { counted } from '../page/counted.ts';
import { picksFromCandidates } from '../picks/candidates.ts';
import { type Box, boxShape, formatZyx, voxelCount, type Zyx } from '../space/grid.ts';
import { planTiles, type TilePlan } from '../tiles/plan.ts';
import { readPaddedInto, type VolumeSource } from '../volume/volume.ts';
import { wantedRuns } from './choose.ts';
import type { DetectInput, Outcome } from './command.ts';
import { fitting, namedRun, openModel } from './runtime.ts';
import { describeFailure, type Failure, failureOf, formatTable, type Terminal } from './terminal.ts';

/** The estimated cost of a run. */
interface RunForecast {
  readonly run: string;
  /** Voxels z, y, x. */
  readonly shape: Zyx;
  /** Voxels z, y, x of a tile of this run. */
  readonly tile: Zyx;
  readonly tiles: number;
  /** Voxels that the network scores; those in overlaps count once per tile. */
  readonly voxels: number;
  /**
   * Peak memory in bytes of a process that searches this run alone: after the network has run once, plus the plan's memory, plus that
   * of reading, plus that of its features if they are kept.
   */
  readonly memory: number;
  readonly seconds: number;
  /** Bytes of picks, records and candidates; absent if that cannot be told. */
  readonly disk?: number | undefined;
  /** Bytes of the features that are kept in memory. */
  readonly features?: number | undefined;
}

/** The fields of `finished`, the only line of `detect --dry-run --json`. */
export interface DryRunDocument {
  /** Voxels z, y, x of the tile in the model card. */
  readonly tile: Zyx;
  /** Seconds of each tile that was timed, reading and scoring. */
  readonly timed: readonly number[];
  readonly runs: readonly (RunForecast | { readonly run: string; readonly error: Failure })[];
  /** Sums over the runs that would not fail, and the peak memory of a process that searches `jobs` of them at once. */
  readonly total: {
    readonly seconds: number;
    readonly memory?: number | undefined;
    readonly disk?: number | undefined;
  };
}

/** Estimates run time and memory of a detection; writes nothing. */
export async function dryRun(
  terminal: Terminal,
  input: Omit<DetectInput, 'shard'> & Pick<ForecastOptions, 'project' | 'shard' | 'mask'>,
): Promise<Outcome> {
  const model = await openModel(terminal, input);
  const document = await forecastRuns(terminal, { ...input, model }).finally(() => model.dispose());
  return { json: document, failed: document.runs.some((run) => 'error' in run) };
}

/** Options of {@link forecastRuns}. */
export interface ForecastOptions
  extends Pick<DetectInput, 'run' | 'tomogram' | 'resample' | 'invert' | 'max' | 'memory' | 'candidates' | 'jobs'> {
  readonly project: Project;
  readonly model: Model;
  /** Forecasts one share of the runs. */
  readonly shard?: Shard | undefined;
  /** Made for every run, so that one without the labels that it needs shows before the work. */
  readonly mask?: RunMask | undefined;
  /** True if the scores are features, and kept in memory until all runs are done. @defaultValue false: picks are written */
  readonly keepsFeatures?: boolean | undefined;
}

const TIMED_TILES = 3;

/**
 * Estimates the cost of a detection: plans every run, and times three tiles in the middle of the first run, after a tile of zeros
 * as large as the largest of all runs.
 *
 * The time includes reading each volume once more, for its intensity, as fast as the timed tiles were read. The disk that results take
 * follows from what one tile in the middle of the first run gives.
 */
export async function forecastRuns(terminal: Terminal, options: ForecastOptions): Promise<DryRunDocument> {
  const { project, model, run: names, shard, tomogram, resample, invert, mask, memory } = options;
  const { signal } = terminal;
  const prepare = fitting(terminal, { spec: model.spec, resample, invert });
  const planned: (PlannedRun | { run: string; error: Failure })[] = [];
  const named = await wantedRuns(project, { names, signal });
  const { voxelSpacing } = tomogram ?? {};
  const type = tomogram?.type ?? (await tomogramTypeOf(named, { signal }));
  const runs = inShard(named, { shard });
  for (const run of runs) {
    try {
      const opened = await run.tomogram(type, { voxelSpacing, signal });
      const source = prepare(opened, namedRun(run));
      const plan = planTiles(source.grid.shape, model.spec, { memory });
      await mask?.of(run, source.grid);
      const features = options.keepsFeatures ? featureBytes(plan, model.spec.classes.length) : undefined;
      planned.push({ run: run.name, plan, source, reading: readingBytes(opened, 4, defaultDecodeThreads()), features });
    } catch (error) {
      signal.throwIfAborted();
      planned.push({ run: run.name, error: describeFailure(error) });
    }
  }
  const keepsCandidates = options.candidates !== false;
  const { timing, runs: forecasts } = await forecastPlanned(planned, { model, keepsCandidates, signal });
  const { jobs = 1 } = options;
  terminal.print(...keptLines(options), ...forecastLines(timing, forecasts, jobs));
  const total = totalOf(forecasts, { timing, jobs });
  return { tile: model.spec.tile, timed: timing?.seconds ?? [], runs: forecasts, total };
}

interface PlannedRun {
  readonly run: string;
  readonly plan: TilePlan;
  readonly source: VolumeSource;
  /** Bytes that reading it takes. */
  readonly reading: number;
  /** Bytes of its features, if they are kept. */
  readonly features: number | undefined;
}

/** Times tiles of the first run that can be read, once the network has scored the largest tile of all. */
async function forecastPlanned(
  planned: readonly (PlannedRun | { readonly run: string; readonly error: Failure })[],
  options: DiskOptions,
): Promise<{ timing: Timing | undefined; runs: DryRunDocument['runs'] }> {
  const largest = largestTile(planned.flatMap((one) => ('plan' in one ? [one.plan.tile] : [])));
  const runs: (RunForecast | { run: string; error: Failure })[] = [];
  let timing: Timing | undefined;
  let disk: Disk | undefined;
  for (const one of planned) {
    if ('error' in one) {
      runs.push(one);
      continue;
    }
    try {
      timing ??= await timeTiles(one.source, one.plan, { ...options, largest });
      if (one.features === undefined) disk ??= await diskOf(one.source, one.plan, options);
      runs.push(forecast(one, timing));
    } catch (error) {
      options.signal.throwIfAborted();
      runs.push({ run: one.run, error: describeFailure(error) });
    }
  }
  return { timing, runs: runs.map((one) => ('error' in one ? one : { ...one, ...diskOfRun(one, disk) })) };
}

function diskOfRun({ shape }: RunForecast, disk: Disk | undefined): Pick<RunForecast, 'disk'> {
  return disk === undefined ? {} : { disk: Math.round(disk.fixed + voxelCount(shape) * disk.perVoxel) };
}

function largestTile(tiles: readonly Zyx[]): Zyx {
  return tiles.reduce((largest, tile) => (voxelCount(tile) > voxelCount(largest) ? tile : largest), [0, 0, 0] as Zyx);
}

/** The result of timing tiles. */
interface Timing {
  /** The tile that was timed, and its seconds each time. */
  readonly tile: Zyx;
  readonly seconds: readonly number[];
  /** Mean seconds of reading a voxel, and of reading and scoring one. */
  readonly perVoxelRead: number;
  readonly perVoxelScored: number;
  /** Memory of the process in bytes, after the network has run and before anything is read. */
  readonly memory: number;
}

interface TimeOptions {
  readonly model: Model;
  /** The largest tile of all runs, for which the network needs the most memory. */
  readonly largest: Zyx;
  readonly signal: AbortSignal;
}

/** Times tiles from the middle of a plan, after a tile of zeros of the largest shape, for which the network allocates memory. */
async function timeTiles(
  source: VolumeSource,
  plan: TilePlan,
  { model, largest, signal }: TimeOptions,
): Promise<Timing> {
  const count = Math.min(TIMED_TILES, plan.tiles.length);
  const first = Math.floor((plan.tiles.length - count) / 2);
  const size = voxelCount(plan.tile);
  const score = (data: Float32Array, tile: Zyx) => model.score({ data, shape: [1, ...tile] }, { signal });
  await score(new Float32Array(voxelCount(largest)), largest);
  // Measured before the tiles: later it would include chunks and tiles, which are added below.
  const memory = process.memoryUsage().rss;
  const seconds: number[] = [];
  let reading = 0;
  for (const { start } of plan.tiles.slice(first, first + count)) {
    const voxels = new Float32Array(size);
    const end: Zyx = [start[0] + plan.tile[0], start[1] + plan.tile[1], start[2] + plan.tile[2]];
    const started = performance.now();
    await readPaddedInto(source, { start, end }, voxels, { signal });
    reading += performance.now() - started;
    await score(voxels, plan.tile);
    seconds.push((performance.now() - started) / 1000);
  }
  return {
    tile: plan.tile,
    seconds,
    perVoxelRead: reading / 1000 / (count * size),
    perVoxelScored: seconds.reduce((sum, one) => sum + one, 0) / (count * size),
    memory,
  };
}

function forecast({ run, plan, reading, features }: PlannedRun, timing: Timing): RunForecast {
  const { shape, tiles, tile, memory } = plan;
  const voxels = tiles.length * voxelCount(tile);
  return {
    run,
    shape,
    tile,
    tiles: tiles.length,
    voxels,
    memory: timing.memory + memory.total + reading + (features ?? 0),
    seconds: voxels * timing.perVoxelScored + voxelCount(shape) * timing.perVoxelRead,
    ...(features !== undefined && { features }),
  };
}

interface DiskOptions {
  readonly model: Model;
  readonly keepsCandidates: boolean;
  readonly signal: AbortSignal;
}

/** Bytes of results: of a run, and of each of its voxels. */
interface Disk {
  readonly fixed: number;
  readonly perVoxel: number;
}

/** Bytes of a pick in its file, of a candidate, compressed, and of the record and the rest of the file of an object. */
const diskBytes = { pick: 768, candidate: 15, object: 1600 } as const;

/** Searches the tile in the middle of a plan, for its picks and candidates; undefined if it cannot be searched alone. */
async function diskOf(
  source: VolumeSource,
  { tiles, tile, shape }: TilePlan,
  { model, keepsCandidates, signal }: DiskOptions,
): Promise<Disk | undefined> {
  const { start } = tiles[Math.floor(tiles.length / 2)]!;
  const box: Box = {
    start: start.map((from) => Math.max(0, from)) as unknown as Zyx,
    end: start.map((from, axis) => Math.min(shape[axis]!, from + tile[axis]!)) as unknown as Zyx,
  };
  try {
    const candidates = await detectCandidates(partOf(source, box), { model, allowMissingChunks: true, signal });
    const { scores, objects } = candidates;
    const bytes = picksFromCandidates(candidates).length * diskBytes.pick;
    const kept = keepsCandidates ? scores.length * diskBytes.candidate : 0;
    return { fixed: objects.length * diskBytes.object, perVoxel: (bytes + kept) / voxelCount(boxShape(box)) };
  } catch (error) {
    signal.throwIfAborted();
    if (!isCryoetPicksError(error)) throw error;
    return undefined;
  }
}

/** A box of a volume as a volume of its own. */
function partOf({ grid, read }: VolumeSource, { start, end }: Box): VolumeSource {
  const moved = (place: Zyx): Zyx => [place[0] + start[0], place[1] + start[1], place[2] + start[2]];
  return {
    grid: { ...grid, shape: boxShape({ start, end }) },
    read: (box, { signal } = {}) => read({ start: moved(box.start), end: moved(box.end) }, { signal }),
  };
}

interface TotalOptions {
  readonly timing: Timing | undefined;
  readonly jobs: number;
}

/** The network has its memory once; each run that is searched beside another may take what it takes alone. Features of all runs stay. */
function totalOf(runs: DryRunDocument['runs'], { timing, jobs }: TotalOptions): DryRunDocument['total'] {
  const planned = runs.filter((run): run is RunForecast => !('error' in run));
  const disk = planned.flatMap((run) => run.disk ?? []);
  const ownOf = ({ memory, features = 0 }: RunForecast) => memory - features;
  const largest = planned.toSorted((a, b) => ownOf(b) - ownOf(a)).slice(0, jobs);
  const features = keptFeatures(planned);
  return {
    seconds: planned.reduce((sum, { seconds }) => sum + seconds, 0),
    ...(timing && {
      memory: largest.reduce((sum, run) => sum + ownOf(run) - timing.memory, timing.memory + features),
    }),
    ...(disk.length > 0 && { disk: disk.reduce((sum, bytes) => sum + bytes, 0) }),
  };
}

/** Bytes of the features of all runs. */
function keptFeatures(runs: readonly RunForecast[]): number {
  return runs.reduce((sum, { features = 0 }) => sum + features, 0);
}

/** A forecast as lines: a table of runs, the total time, and the runs that would fail. */
function forecastLines(timing: Timing | undefined, runs: DryRunDocument['runs'], jobs: number): string[] {
  const planned = runs.filter((run): run is RunForecast => !('error' in run));
  const { seconds: total, memory: peak, disk } = totalOf(runs, { timing, jobs });
  const lines = formatTable({
    header: ['run', 'voxels z×y×x', 'tiles', 'tile z×y×x', 'Mvoxels scored', 'memory MB', 'seconds'],
    rows: planned.map(({ run, shape, tiles, tile, voxels, memory, seconds }) => [
      run,
      formatZyx(shape),
      tiles,
      formatZyx(tile),
      (voxels / 1e6).toFixed(1),
      Math.round(memory / 1e6),
      seconds < 9.95 ? Math.max(0.1, seconds).toFixed(1) : Math.round(seconds),
    ]),
  });
  const failures = runs.flatMap((run) =>
    'error' in run ? [`run "${run.run}" would fail: ${failureOf(run.run, run.error.message)}`] : [],
  );
  const features = keptFeatures(planned);
  return [
    ...lines,
    '',
    ...(timing ? [`${timedLine(timing)}; about ${duration(total)} in all`] : []),
    ...(peak === undefined || jobs === 1 ? [] : [`${counted(jobs, 'run')} at once take up to ${size(peak)} of memory`]),
    ...(features === 0
      ? []
      : [`features of all runs take ${size(features)} of memory, ${size(peak ?? 0)} with the rest`]),
    ...(disk === undefined ? [] : [`results will take about ${size(disk)} of disk, as far as one tile tells`]),
    ...failures,
    ...(timing ? ['not checked: chunks, beyond those of the tiles that were timed'] : []),
    'nothing was written',
  ];
}

/** Which picks would be kept, if options say so; that changes neither time nor memory much. */
function keptLines({ mask, max }: Pick<ForecastOptions, 'mask' | 'max'>): string[] {
  const settings = Object.entries(mask?.settings ?? {}).filter(([name]) => !name.endsWith('Sha256'));
  const masked =
    settings.length === 0 ? [] : [`where ${settings.map(([name, value]) => `${name} ${value}`).join(', ')}`];
  const kept = [...masked, ...(max === undefined ? [] : [`at most ${max} of each object`])];
  return kept.length === 0 ? [] : [`picks kept: ${kept.join('; ')}`];
}

function timedLine({ tile, seconds }: Timing): string {
  return `tiles of ${formatZyx(tile)} took ${seconds.map((one) => one.toFixed(2)).join(', ')} s`;
}

function size(bytes: number): string {
  return bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
