import {
  abortSignal,
  callback,
  fieldsOf,
  finiteLength,
  flag,
  optional,
  positiveBytes,
  positiveCount,
  positiveLength,
  type RulesFor,
  requireOptions,
  text,
} from '../core/arguments.ts';
import { mapOrdered, type Progress } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type Comparison, filterTable, readWithMargin } from '../match/correlate.ts';
import { RealTransform } from '../match/fft.ts';
import { maskOf, type SphericalMask } from '../match/mask.ts';
import { bytesOfPart, type MatchTemplateOptions, matchTemplate, partsOf, transferOf } from '../match/match-template.ts';
import { expectedFalse, noiseOf, type ScoreNoise, scoreOfExpected } from '../match/noise.ts';
import {
  boxTransformShape,
  type PeakBox,
  REACH,
  type RefinedPeak,
  type RefineTask,
  refineBoxes,
} from '../match/refine-boxes.ts';
import { evenRotations, rotationsNear } from '../match/rotations.ts';
import { surrogatesOf } from '../match/surrogate.ts';
import { requireSymmetry } from '../match/symmetry.ts';
import { type MakeTemplateOptions, makeTemplate, type Template, type TemplateShape } from '../match/template.ts';
import { threadsRule } from '../match/threads.ts';
import { ctfRule, type Transfer, transferTable, wedgeRule } from '../match/transfer.ts';
import { whiteningOf } from '../match/whitening.ts';
import { localMaxima } from '../peaks/local-maxima.ts';
import type { Peak } from '../peaks/planes.ts';
import { type Candidates, collectCandidates } from '../picks/candidates.ts';
import { type ParticlePick, toPick } from '../picks/pick.ts';
import { identity, rotationOf, transformOf } from '../picks/rotation.ts';
import { suppressNearby } from '../picks/suppress.ts';
import { boxShape, formatZyx, type Point, sizesAgree, type VoxelGrid, voxelCount, type Zyx } from '../space/grid.ts';
import { resampled } from '../volume/resample.ts';
import { assertVolumeSource, type VolumeSource } from '../volume/volume.ts';
import type { ChosenThreshold } from './max-false.ts';

/** Options of {@link matchCandidates}. */
export interface MatchCandidatesOptions
  extends Pick<MakeTemplateOptions, 'object' | 'contrast' | 'radius'>,
    Pick<MatchTemplateOptions, 'symmetry' | 'wedge' | 'ctf' | 'whiten' | 'memory' | 'threads' | 'signal'> {
  /**
   * Maximum angle from any orientation to the nearest that the coarse search tries, in degrees, 3.5 to 180. The fine search halves it
   * until it is 8° or less.
   * @defaultValue 20
   */
  readonly angleStep?: number | undefined;
  /** The ball in which template and tomogram are compared. @defaultValue that of the template, with a soft edge */
  readonly mask?: SphericalMask | undefined;
  /** How many peaks of the coarse search the fine search looks at, the best ones. @defaultValue 2000 */
  readonly candidatesPerObject?: number | undefined;
  /**
   * Minimum score of a pick. @defaultValue the lowest with which no larger share of the picks than `maxFalse` is expected to be false
   */
  readonly threshold?: number | undefined;
  /** Maximum share of the picks that noise is expected to make, from 0 to 1. @defaultValue 0.05 */
  readonly maxFalse?: number | undefined;
  /** Minimum distance of two picks, in Å. @defaultValue the template's radius */
  readonly minDistance?: number | undefined;
  /** Called in the stages `rotations`, of the coarse search, and `picks`, of the fine one. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Candidates of a search for a template, and how their threshold was chosen. */
export interface MatchedCandidates extends Candidates {
  /** The threshold, how many picks reach it, and how many of them are expected to be false. */
  readonly chosen: ChosenThreshold;
}

/** What the options of a search for a template must be. */
export const matchRules: RulesFor<MatchCandidatesOptions> = {
  object: text,
  contrast: {
    expected: "'inverted' or 'kept'",
    isValid: (value) => [undefined, 'inverted', 'kept'].includes(value as string),
  },
  radius: /* @__PURE__ */ optional(positiveLength),
  symmetry: {
    expected: 'a group, such as C1, D2, T, O or I',
    isValid: (value) => value === undefined || typeof value === 'string',
  },
  angleStep: {
    expected: 'a step from 3.5 to 180 degrees',
    isValid: (value) => value === undefined || (typeof value === 'number' && value >= 3.5 && value <= 180),
  },
  wedge: wedgeRule,
  ctf: ctfRule,
  whiten: /* @__PURE__ */ optional(flag),
  mask: /* @__PURE__ */ optional(
    /* @__PURE__ */ fieldsOf('a ball { radius, softEdge } in Å', {
      radius: positiveLength,
      softEdge: /* @__PURE__ */ optional(finiteLength),
    }),
  ),
  memory: /* @__PURE__ */ optional(positiveBytes),
  candidatesPerObject: /* @__PURE__ */ optional(positiveCount),
  threshold: { expected: 'a score from 0 to 1', isValid: isUpToOne },
  maxFalse: { expected: 'a share from 0 to 1', isValid: isUpToOne },
  minDistance: /* @__PURE__ */ optional(finiteLength),
  threads: threadsRule,
  signal: /* @__PURE__ */ optional(abortSignal),
  onProgress: /* @__PURE__ */ optional(callback),
};

function isUpToOne(value: unknown): boolean {
  return value === undefined || (typeof value === 'number' && value >= 0 && value <= 1);
}

/**
 * Looks for a map, an average or a shape in a tomogram, coarse to fine: in every orientation at large voxels, then around the best peaks
 * at small ones.
 *
 * The coarse search is that of `matchTemplate`, at voxels of about 20 Å, with the template low-passed to what the angular step resolves.
 * Around each of its best peaks the fine search, at voxels of about 10 Å, tries orientations at half the step, and half of that, to 8°,
 * at all places three voxels around; only boxes around the peaks are read. Scores are those of the fine search, and positions lie
 * between voxels.
 *
 * The threshold follows from the same search in noise of the tomogram's own power spectrum: as many false picks are expected above a
 * score as there are peaks of noise, by the tail of their distribution. Structure that is no noise, such as membranes, gold and other
 * particles, has higher scores than that.
 *
 * @param source - The tomogram, with voxels of about 20 Å or smaller; where they are no cubes, it is resampled to cubes.
 * @param density - A map with voxels of any size, an average of particles, or a shape.
 * @throws {@link CryoetPicksError} `invalid-option`, also for a template that is larger than the tomogram, or smaller than its voxels, or
 *   has not the symmetry; as `makeTemplate` and `matchTemplate`. Errors of the source and the abort reason are passed on untouched.
 *
 * @example
 * ```ts
 * const candidates = await matchCandidates(tomogram, map, { object: 'ribosome', radius: 140, wedge: { tiltRange: [-60, 60] } });
 * const picks = picksFromCandidates(candidates); // with orientations
 * ```
 */
export async function matchCandidates(
  source: VolumeSource,
  density: VolumeSource | TemplateShape,
  options: MatchCandidatesOptions,
): Promise<MatchedCandidates> {
  const call = 'matchCandidates';
  assertVolumeSource(source, `${call}(tomogram, map, { object })`);
  const given = requireOptions(call, options, matchRules);
  const { object, signal, candidatesPerObject = 2000 } = given;
  const search = await prepareSearch(source, density, given, call);
  const { fine, fineTemplate } = search;
  const coarse = await coarsePeaks(search, given);
  if (coarse.length === 0) {
    const message = `${call}: no place of the tomogram has a score: its voxels are constant, or not finite; look at it, or copy it again`;
    throw new CryoetPicksError('corrupt-data', message);
  }
  const best = coarse.sort((a, b) => b.score - a.score).slice(0, candidatesPerObject);
  const whitening = given.whiten ? await whiteningOf(fine, voxelSizeOf(fine.grid), signal) : undefined;
  const comparison = await comparisonOf(fine, fineTemplate, { ...given, whitening });
  const peaks = await finePeaks(best, { ...search, comparison, whitening, given });
  const { minDistance = fineTemplate.radius, threshold } = given;
  const noise = await measureNoise(search, { comparison, whitening, given, minDistance });
  const picks = suppressNearby(peaks.map(toPick), { minDistance });
  const chosen = chosenThreshold(picks, { noise, threshold, maxFalse: given.maxFalse ?? 0.05 });
  const least = peaks.reduce((least, { score }) => Math.min(least, score), chosen.threshold);
  const candidates = await collectCandidates(peaks, {
    ...{ grid: source.grid, objects: [object], thresholds: { [object]: chosen.threshold } },
    ...{ minDistances: { [object]: minDistance }, floors: { [object]: least }, signal },
  });
  return { ...candidates, chosen };
}

/** Voxels at which a template is refined, in Å; those of the tomogram are taken if they are not much smaller. */
const FINE = 10;

/** The largest voxels that are searched, in Å. */
const MAX_VOXEL = 21;

/** Largest voxels of which twice the edge still shows a particle in the coarse search, in Å. */
const MAX_FINE = 15;

/** The angles at which a fine search ends, in degrees. */
const FINEST = 8;

/** What a search does, before anything is read of the tomogram. */
export interface PreparedSearch {
  readonly coarse: VolumeSource;
  readonly fine: VolumeSource;
  readonly coarseTemplate: Template;
  readonly fineTemplate: Template;
  readonly angleStep: number;
  /** Of the rounds of the fine search. */
  readonly steps: readonly number[];
}

/** @throws {@link CryoetPicksError} `invalid-option` as {@link matchCandidates}. */
export async function prepareSearch(
  source: VolumeSource,
  density: VolumeSource | TemplateShape,
  { object, contrast, radius, symmetry = 'C1', angleStep = 20, signal }: MatchCandidatesOptions,
  call: string,
): Promise<PreparedSearch> {
  const own = voxelSizeOf(source.grid);
  if (own > MAX_VOXEL) {
    const found = `${formatZyx(source.grid.voxelSize)} Å`;
    fail(
      call,
      'source',
      `the tomogram has voxels of ${found}; expected at most ${MAX_VOXEL} Å, at which particles are resolved`,
    );
  }
  const fineEdge = own >= 0.8 * FINE ? own : FINE;
  const fine = sizesAgree(source.grid.voxelSize, fineEdge) ? source : resampled(source, fineEdge);
  const fineSize = voxelSizeOf(fine.grid);
  const coarseSize = fineSize <= MAX_FINE ? 2 * fineSize : fineSize;
  const steps: number[] = [];
  for (let step = angleStep / 2; steps.at(-1) === undefined || steps.at(-1)! > FINEST; step /= 2) steps.push(step);
  const template = (voxelSize: number, resolution: number) =>
    makeTemplate(density, { object, voxelSize, contrast, radius, resolution, signal });
  const fineTemplate = await template(fineSize, 2 * fineSize);
  if (fineTemplate.radius < 2 * fineSize) {
    fail(
      call,
      'density',
      `the template has a radius of ${fineTemplate.radius} Å, less than two voxels of ${fineSize} Å: is the voxel size of its map right?`,
    );
  }
  const across = 2 * fineTemplate.radius;
  const room = Math.min(...source.grid.shape.map((length, axis) => length * source.grid.voxelSize[axis]!));
  if (across > room) {
    fail(
      call,
      'density',
      `the template is ${across} Å across, larger than the tomogram of ${formatZyx(source.grid.shape)} voxels, ${room.toFixed(0)} Å ` +
        'along its shortest axis; give the radius of the particle, or check the voxel size of the map',
    );
  }
  requireSymmetry(fineTemplate, symmetry, call);
  // The rim of the particle is displaced so far between two orientations.
  const resolved = fineTemplate.radius * ((angleStep * Math.PI) / 180);
  return {
    ...{ fine, fineTemplate, angleStep, steps },
    coarse: coarseSize === fineSize ? fine : resampled(fine, coarseSize),
    coarseTemplate: await template(coarseSize, Math.max(2 * coarseSize, resolved)),
  };
}

function fail(call: string, option: string, message: string): never {
  throw new CryoetPicksError('invalid-option', `${call}: ${message}`, { option });
}

function voxelSizeOf({ voxelSize: [z, y, x] }: VoxelGrid): number {
  return (z + y + x) / 3;
}

/** The peaks of the coarse search, as picks: those of one particle, which lie around it, count once. */
async function coarsePeaks(
  { coarse, coarseTemplate, angleStep }: PreparedSearch,
  { symmetry, wedge, ctf, mask, whiten, memory, threads, signal, onProgress }: MatchCandidatesOptions,
): Promise<ParticlePick[]> {
  const slabs = matchTemplate(coarse, coarseTemplate, {
    ...{ angles: angleStep, symmetry, wedge, ctf, mask, whiten, memory, threads, signal, onProgress },
  });
  const found: ParticlePick[] = [];
  // Below 0 a place looks like the negative of the particle.
  for await (const peak of localMaxima(slabs, { threshold: 1e-6, signal })) found.push(toPick(peak));
  return suppressNearby(found, { minDistance: coarseTemplate.radius / 2 });
}

/** What is compared with the tomogram in the fine search. */
async function comparisonOf(
  { grid }: VolumeSource,
  template: Template,
  {
    mask: given,
    wedge,
    ctf,
    whitening,
  }: Pick<MatchCandidatesOptions, 'mask' | 'wedge' | 'ctf'> & { readonly whitening: Transfer | undefined },
): Promise<Comparison> {
  const { mask, reach } = maskOf(given, template);
  const half = Math.max(1, Math.ceil(reach / template.voxelSize - 1e-6));
  const voxelSize = voxelSizeOf(grid);
  return {
    template,
    mask,
    half,
    voxelSize,
    filter: await filterTable({ half, voxelSize }, transferOf({ wedge, ctf }, whitening)),
  };
}

interface MeasureNoiseOptions {
  readonly comparison: Comparison;
  readonly whitening: Transfer | undefined;
  readonly given: MatchCandidatesOptions;
  readonly minDistance: number;
}

/** Peaks of noise that are refined, at most so many for each that is refined of the tomogram; and pieces of noise that are searched for them. */
const NOISE_PEAKS = 150;
const NOISE_SHARE = 5;
const NOISE_PIECES = 2;

/** Searches in noise of the tomogram's own spectrum, as in the tomogram. */
async function measureNoise(
  search: PreparedSearch,
  { comparison, whitening, given, minDistance }: MeasureNoiseOptions,
): Promise<ScoreNoise> {
  const { fine } = search;
  const coarseSize = search.coarseTemplate.voxelSize;
  const margin = comparison.half + 2 * REACH;
  const quiet = { ...given, onProgress: undefined };
  const wanted = Math.min(NOISE_PEAKS, NOISE_SHARE * (given.candidatesPerObject ?? 2000));
  const scores: number[] = [];
  let voxels = 0;
  for await (const { source, shape, share } of surrogatesOf(fine, {
    margin,
    count: NOISE_PIECES,
    signal: given.signal,
  })) {
    const isCoarse = voxelSizeOf(fine.grid) < coarseSize;
    const piece = { ...search, fine: source, coarse: isCoarse ? resampled(source, coarseSize) : source };
    const isInside = ({ position }: ParticlePick) =>
      nearestVoxel(source.grid, position).every((at, axis) => at >= margin && at < margin + shape[axis]!);
    const found = (await coarsePeaks(piece, quiet)).filter(isInside).sort((a, b) => b.score - a.score);
    const peaks = await finePeaks(found.slice(0, wanted - scores.length), {
      ...piece,
      comparison,
      whitening,
      given: quiet,
    });
    for (const { score } of suppressNearby(peaks.map(toPick), { minDistance })) scores.push(score);
    voxels += voxelCount(shape) / share;
    if (scores.length >= wanted / 2) break;
  }
  return noiseOf(scores, voxels > 0 ? voxelCount(fine.grid.shape) / voxels : 0);
}

interface FinePeaksOptions extends PreparedSearch {
  readonly comparison: Comparison;
  readonly whitening: Transfer | undefined;
  readonly given: MatchCandidatesOptions;
}

/** Peaks that a thread is sent at once. */
const AT_ONCE = 8;

/** Refines coarse peaks, several at once where there are threads. */
async function finePeaks(
  picks: readonly ParticlePick[],
  { fine, comparison, whitening, steps, given }: FinePeaksOptions,
): Promise<Peak[]> {
  const { object, threads, signal, onProgress } = given;
  const { grid } = fine;
  const transform = await RealTransform.of(boxTransformShape(comparison.half));
  const task = {
    ...({ kind: 'refine', comparison, steps } as const),
    whitening: whitening && transferTable(transform, comparison.voxelSize, whitening),
  };
  // Neighbours one after the other, so that a chunk is read once.
  const voxels = picks.map((pick) => ({ pick, voxel: nearestVoxel(grid, pick.position) }));
  voxels.sort((a, b) => compareBlocks(a.voxel, b.voxel));
  const batches = Array.from({ length: Math.ceil(voxels.length / AT_ONCE) }, (_, i) => ({
    lane: i % ((threads?.count ?? 0) + 1),
    members: voxels.slice(i * AT_ONCE, (i + 1) * AT_ONCE),
  }));
  const refine = async ({ lane, members }: (typeof batches)[number], stop: AbortSignal): Promise<RefinedPeak[]> => {
    const boxes: PeakBox[] = [];
    for (const { pick, voxel } of members) boxes.push(await boxAround(fine, voxel, { pick, comparison, signal: stop }));
    const whole: RefineTask = { ...task, boxes };
    return lane === 0 ? refineBoxes(whole, { signal: stop }) : (threads!.run(whole) as Promise<RefinedPeak[]>);
  };
  const peaks: Peak[] = [];
  let next = 0;
  for await (const refined of mapOrdered(batches, refine, { concurrency: 2 * ((threads?.count ?? 0) + 1), signal })) {
    for (const { score, rotation, offset } of refined) {
      const { voxel } = voxels[next++]!;
      const moved: Zyx = [voxel[0] + offset[0], voxel[1] + offset[1], voxel[2] + offset[2]];
      peaks.push({ grid, voxel: moved, object, score, transform: transformOf(rotation) });
    }
    onProgress?.({ stage: 'picks', done: next, total: voxels.length });
  }
  return peaks;
}

function nearestVoxel({ shape, voxelSize, origin }: VoxelGrid, { z, y, x }: Point): Zyx {
  const place = [(z - origin.z) / voxelSize[0], (y - origin.y) / voxelSize[1], (x - origin.x) / voxelSize[2]];
  return place.map((at, axis) => Math.max(0, Math.min(shape[axis]! - 1, Math.round(at)))) as unknown as Zyx;
}

/** Edge of the blocks of voxels whose peaks follow each other. */
const BLOCK = 128;

function compareBlocks(a: Zyx, b: Zyx): number {
  const block = (voxel: Zyx) => voxel.map((index) => Math.floor(index / BLOCK));
  const [p, q] = [block(a), block(b)];
  return p[0]! - q[0]! || p[1]! - q[1]! || p[2]! - q[2]! || a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

interface BoxAroundOptions {
  readonly pick: ParticlePick;
  readonly comparison: Comparison;
  readonly signal: AbortSignal;
}

async function boxAround(
  source: VolumeSource,
  [z, y, x]: Zyx,
  { pick, comparison, signal }: BoxAroundOptions,
): Promise<PeakBox> {
  const box = {
    start: [z - REACH, y - REACH, x - REACH],
    end: [z + REACH + 1, y + REACH + 1, x + REACH + 1],
  } as const;
  const { data } = await readWithMargin(source, box, comparison.half, signal);
  const place = { start: box.start, shape: source.grid.shape };
  return { voxels: data as Float32Array, rotation: rotationOf(pick.transform) ?? identity, place };
}

interface ThresholdOptions {
  readonly noise: ScoreNoise;
  /** That was asked for. */
  readonly threshold: number | undefined;
  readonly maxFalse: number;
}

/**
 * The lowest threshold at which no larger share of the picks than allowed is expected to be false; if there is no such
 * threshold, one above all scores.
 *
 * @param picks - Best first.
 */
export function chosenThreshold(
  picks: readonly ParticlePick[],
  { noise, threshold: asked, maxFalse }: ThresholdOptions,
): ChosenThreshold {
  const isAllowed = ({ score }: ParticlePick, index: number) => expectedFalse(noise, score) <= maxFalse * (index + 1);
  const last = picks.findLast(isAllowed);
  const best = picks[0]?.score ?? 0;
  const threshold = asked ?? last?.score ?? Math.max(scoreOfExpected(noise, maxFalse), best + 1e-6);
  const count = picks.filter(({ score }) => score >= threshold).length;
  const falsePicks = Math.min(count, expectedFalse(noise, threshold));
  return {
    threshold,
    usualThreshold: scoreOfExpected(noise, 1),
    ...{
      picks: count,
      falsePicks,
      interval: [poissonQuantile(falsePicks, 0.05), Math.min(count, poissonQuantile(falsePicks, 0.95))],
    },
  };
}

/** The least whole number that a Poisson variable does not exceed with a probability. */
function poissonQuantile(mean: number, probability: number): number {
  let [term, count] = [Math.exp(-mean), 0];
  for (let sum = term; sum < probability && count < 10 * mean + 50; sum += term) term *= mean / ++count;
  return count;
}

/** What a search takes, told before it. */
export interface MatchForecast {
  /** Orientations of the coarse search, and those of the fine one around each peak at most. */
  readonly rotations: number;
  readonly rotationsPerPeak: number;
  /** Voxels z, y, x of the coarse search. */
  readonly coarseShape: Zyx;
  /** In bytes, of the coarse search. */
  readonly memory: number;
  readonly seconds: number;
}

/** Peaks that are timed. */
const TIMED_PEAKS = 4;

/** Says what {@link matchCandidates} takes, by the time of some orientations and of the refinement of some places. */
export async function forecastMatch(
  source: VolumeSource,
  density: VolumeSource | TemplateShape,
  options: MatchCandidatesOptions,
): Promise<MatchForecast> {
  const call = 'matchCandidates';
  const given = requireOptions(call, options, matchRules);
  const { symmetry = 'C1', candidatesPerObject = 2000, threads, wedge, ctf, mask, memory = 1e9, signal } = given;
  const search = await prepareSearch(source, density, given, call);
  const { coarse, fine, coarseTemplate, fineTemplate, angleStep, steps } = search;
  const rotations = evenRotations({ angleStep, symmetry });
  const lanes = (threads?.count ?? 0) + 1;
  const times: { readonly at: number; readonly done: number }[] = [];
  const slabs = matchTemplate(coarse, coarseTemplate, {
    ...{ angles: rotations.slice(0, 4 * lanes).map(transformOf), wedge, ctf, mask, memory, threads, signal },
    onProgress: ({ done }) => times.push({ at: performance.now(), done }),
  });
  let parts = 0;
  for await (const _ of slabs) parts++;
  const [first, last] = [times[0]!, times[Math.ceil(times.length / parts) - 1]!];
  const perRotation = (last.at - first.at) / 1000 / Math.max(1, last.done - first.done);
  const comparison = await comparisonOf(fine, fineTemplate, { wedge, ctf, mask, whitening: undefined });
  const { shape, voxelSize, origin } = fine.grid;
  const middle = { x: origin.x + (shape[2] / 2) * voxelSize[2], y: origin.y + (shape[1] / 2) * voxelSize[1] };
  const places = Array.from({ length: TIMED_PEAKS }, (_, i) => ({
    ...{ object: given.object, score: 0 },
    position: { ...middle, z: origin.z + ((i + 0.5) / TIMED_PEAKS) * shape[0] * voxelSize[0] },
  }));
  const started = performance.now();
  await finePeaks(places, {
    ...search,
    comparison,
    whitening: undefined,
    given: { ...given, threads: undefined, onProgress: undefined },
  });
  const perPeak = (performance.now() - started) / 1000 / TIMED_PEAKS;
  const { half } = await comparisonOf(coarse, coarseTemplate, {
    mask,
    wedge: undefined,
    ctf: undefined,
    whitening: undefined,
  });
  const [box] = partsOf(coarse.grid.shape, { half, memory, threads: lanes - 1 });
  return {
    rotations: rotations.length,
    rotationsPerPeak: 1 + steps.length * (rotationsNear(identity, { halfAngle: 1, angleStep: 1 }).length - 1),
    coarseShape: coarse.grid.shape,
    memory: bytesOfPart(boxShape(box!), { half, threads: lanes - 1 }),
    seconds: parts * rotations.length * perRotation + (candidatesPerObject * perPeak) / lanes,
  };
}
