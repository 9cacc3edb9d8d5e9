import {
  abortSignal,
  callback,
  flag,
  grid as gridRule,
  isFields,
  optional,
  positiveBytes,
  positiveLength,
  type Rule,
  type RulesFor,
  requireArgument,
  requireOptions,
  volume as volumeRule,
} from '../core/arguments.ts';
import { onAbort, type Progress, untilAborted, withTurns } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { deviationFromRotation, identity, type Rotation, rotationOf, transformOf } from '../picks/rotation.ts';
import {
  type Box,
  formatZyx,
  longestAxis,
  replaceAxis,
  sameZyx,
  sizesAgree,
  type Transform,
  voxelCount,
  type Zyx,
} from '../space/grid.ts';
import type { ScoreSlab } from '../tiles/blend.ts';
import {
  assertVolumeSource,
  asVolume,
  contiguousVolume,
  toFloat32,
  type VolumeLike,
  type VolumeSource,
} from '../volume/volume.ts';
import { type Comparison, filterTable, preparePart, readWithMargin } from './correlate.ts';
import { RealTransform, transformShape } from './fft.ts';
import { maskOf, type SphericalMask } from './mask.ts';
import {
  type BestScores,
  indicesFor,
  mergeBest,
  type RotationTask,
  searchRotations,
  stopRotations,
} from './rotation-search.ts';
import { evenRotations, type SymmetryGroup, symmetryRotations } from './rotations.ts';
import type { Template } from './template.ts';
import { type MatchThreads, threadsRule } from './threads.ts';
import {
  type ContrastTransfer,
  contrastTransfer,
  ctfRule,
  type MissingWedge,
  seenBy,
  type Transfer,
  transferTable,
  wedgeRule,
} from './transfer.ts';
import { whiteningOf } from './whitening.ts';

/** Options of {@link matchTemplate}. */
export interface MatchTemplateOptions {
  /**
   * Maximum angle from any orientation to the nearest that is tried, in degrees, at least 3.5; or the orientations themselves, each
   * taking template coordinates to the tomogram.
   */
  readonly angles: number | readonly Transform[];
  /** Symmetry of the template, which leaves fewer orientations to try; its axes are those of {@link SymmetryGroup}. @defaultValue `'C1'` */
  readonly symmetry?: SymmetryGroup | undefined;
  /** What the tilt series has not seen of the tomogram. @defaultValue nothing */
  readonly wedge?: MissingWedge | undefined;
  /** What the microscope made of contrast, where the tomogram was not corrected for it. @defaultValue all contrast is alike */
  readonly ctf?: ContrastTransfer | undefined;
  /**
   * Where the template and the tomogram are compared: a ball, or weights 0 … 1 on the grid of the template, which turn with it and take
   * twice the time.
   * @defaultValue the ball that holds the template, with a soft edge of a voxel
   */
  readonly mask?: SphericalMask | VolumeLike | undefined;
  /** Whether all resolutions count alike, by the tomogram's own radial spectrum. @defaultValue false */
  readonly whiten?: boolean | undefined;
  /**
   * Bytes for the part of the tomogram that is searched at once, about. Parts are cut along the longest axis, and none is thinner than
   * the template.
   * @defaultValue 1e9
   */
  readonly memory?: number | undefined;
  /**
   * Threads that share the orientations with this one, such as `matchThreads()` of `cryoet-picks/node`; scores are the same.
   * @defaultValue none
   */
  readonly threads?: MatchThreads | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after each orientation that this thread has tried, in the stage `rotations`; counts those of all threads. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/**
 * Looks for a template in a tomogram: at each voxel, the highest correlation over all orientations, and the orientation that has it.
 *
 * The score is the locally normalised cross-correlation, from −1 to 1: that of template and tomogram under the mask around the voxel,
 * each with mean 0 and norm 1 there, so that neither brightness nor contrast of the place counts. For every orientation the template is
 * turned, then the missing wedge, the contrast transfer and the whitening are applied in the tomogram's frame, then mean and norm
 * under the mask. Where the tomogram is flat the score is 0. Voxels beyond its faces are mirrored; within half of the ball's
 * radius from a face, where noise counts twice therefore, the score is lessened, to √½ at the face. A voxel that is not finite counts as the
 * mean.
 *
 * Correlations are computed by Fourier transforms, of the whole tomogram or of parts of it (`memory`); orientations take 2 or 4 bytes per
 * voxel of the tomogram more. Search at large voxels: `resampled(tomogram, 20)`.
 *
 * Method: A. M. Roseman, Ultramicroscopy 94, 225, 2003; with masks that turn, as pytom-match-pick and STOPGAP do it.
 *
 * @param source - The tomogram, with cubic voxels of the template's `voxelSize`.
 * @returns Slabs of scores of one class, the template's object. Peaks found in them know their orientation, and `toPick` keeps it.
 * @throws {@link CryoetPicksError} `invalid-option` at once, if options, template and tomogram do not fit each other; `unsupported` if an
 *   axis is too long. Errors of the source and the abort reason are passed on untouched.
 *
 * @example
 * ```ts
 * const coarse = resampled(tomogram, 20);
 * const template = await makeTemplate(map, { object: 'ribosome', voxelSize: 20 });
 * const slabs = matchTemplate(coarse, template, { angles: 20, wedge: { tiltRange: [-45, 45] } });
 * for await (const peak of localMaxima(slabs, { threshold: 0.3 })) picks.push(toPick(peak));
 * ```
 */
export function matchTemplate(
  source: VolumeSource,
  template: Template,
  options: MatchTemplateOptions,
): AsyncGenerator<ScoreSlab, void, undefined> {
  const search = checkedSearch(source, template, options);
  return searchParts(source, search);
}

const templateRule: Rule = {
  expected: 'a template, such as `await makeTemplate(map, { object, voxelSize })`',
  isValid: isFields,
  fields: {
    object: { expected: 'a string', isValid: (value) => typeof value === 'string' },
    voxelSize: positiveLength,
    radius: positiveLength,
    volume: volumeRule,
    grid: gridRule,
  },
};

/** The finest step: 400,000 orientations. */
const MIN_STEP = 3.5;

const matchRules: RulesFor<MatchTemplateOptions> = {
  angles: {
    expected: `a step from ${MIN_STEP} to 180 degrees, or a list of 4×4 transforms`,
    isValid: (value) =>
      (typeof value === 'number' && value >= MIN_STEP && value <= 180) ||
      (Array.isArray(value) && value.length > 0 && value.every(isTransform)),
  },
  symmetry: {
    expected: 'a group, such as C1, D2, T, O or I',
    isValid: (value) => value === undefined || typeof value === 'string',
  },
  wedge: wedgeRule,
  ctf: ctfRule,
  mask: {
    expected: 'a ball { radius, softEdge } in Å, or weights on the grid of the template',
    isValid: (value) => value === undefined || isFields(value),
  },
  whiten: /* @__PURE__ */ optional(flag),
  memory: /* @__PURE__ */ optional(positiveBytes),
  threads: threadsRule,
  signal: /* @__PURE__ */ optional(abortSignal),
  onProgress: /* @__PURE__ */ optional(callback),
};

function isTransform(value: unknown): boolean {
  const isRow = (row: unknown) => Array.isArray(row) && row.length === 4 && row.every(Number.isFinite);
  if (!Array.isArray(value) || value.length !== 4 || !value.every(isRow)) return false;
  return deviationFromRotation(rotationOf(value) ?? identity) < 1e-3;
}

/** What a search does, of arguments that were checked. */
interface Search extends Omit<Comparison, 'filter'> {
  readonly options: MatchTemplateOptions;
  /** Template coordinates to the tomogram. */
  readonly rotations: readonly Rotation[];
}

function checkedSearch(source: VolumeSource, made: Template, given: MatchTemplateOptions): Search {
  assertVolumeSource(source, 'matchTemplate(tomogram, template, { angles })');
  const template = checkedTemplate(made);
  const options = requireOptions('matchTemplate', given, matchRules);
  const { shape, voxelSize } = source.grid;
  if (!sizesAgree(voxelSize, template.voxelSize)) {
    fail(
      'source',
      `the template is for voxels of ${template.voxelSize} Å, the tomogram has ${formatZyx(voxelSize)} Å; ` +
        `hand in \`resampled(tomogram, ${template.voxelSize})\`, or make a template for these voxels`,
    );
  }
  const { mask, reach } = maskOf(options.mask, template);
  const half = Math.max(1, Math.ceil(reach / template.voxelSize - 1e-6));
  if (2 * half + 1 > Math.min(...shape)) {
    fail(
      'mask',
      `a mask of ${2 * half + 1} voxels across is larger than the tomogram of ${formatZyx(shape)} voxels of ${formatZyx(voxelSize)} Å`,
    );
  }
  return {
    template,
    options,
    mask,
    half,
    voxelSize: (voxelSize[0] + voxelSize[1] + voxelSize[2]) / 3,
    rotations: rotationsOf(options),
  };
}

/** A template as `makeTemplate` gives it; someone may have made it otherwise, or changed it. */
function checkedTemplate(template: Template): Template {
  requireArgument('matchTemplate', 'template', template, templateRule);
  const volume = toFloat32(asVolume(template.volume, 'matchTemplate', 'template.volume'));
  const [edge] = volume.shape;
  const isCube = edge % 2 === 1 && sameZyx(volume.shape, [edge, edge, edge]);
  if (!isCube || !sameZyx(volume.shape, template.grid.shape)) {
    fail(
      'template',
      `the template has ${formatZyx(volume.shape)} voxels on a grid of ${formatZyx(template.grid.shape)}; ` +
        'expected a cube with an odd number along each edge, as `makeTemplate` makes it',
    );
  }
  return { ...template, volume };
}

function rotationsOf({ angles, symmetry = 'C1' }: MatchTemplateOptions): Rotation[] {
  // Of what is no group it throws, whatever the angles.
  symmetryRotations(symmetry);
  if (typeof angles === 'number') return evenRotations({ angleStep: angles, symmetry });
  return angles.map((transform) => rotationOf(transform) ?? identity);
}

function fail(option: string, message: string): never {
  throw new CryoetPicksError('invalid-option', `matchTemplate: ${message}`, { option });
}

/** What a tomogram shows of each frequency, by the thickness of a slice of Fourier space; undefined for all of it. */
export function transferOf(
  { wedge, ctf }: Pick<MatchTemplateOptions, 'wedge' | 'ctf'>,
  whitening: Transfer | undefined,
): ((thickness: number) => Transfer) | undefined {
  if (!wedge && !ctf && !whitening) return undefined;
  return (thickness) => {
    const factors = [wedge && seenBy(wedge, thickness), ctf && contrastTransfer(ctf), whitening];
    return (z, y, x) => factors.reduce((product, factor) => (factor ? product * factor(z, y, x) : product), 1);
  };
}

async function* searchParts(source: VolumeSource, search: Search): AsyncGenerator<ScoreSlab, void, undefined> {
  const { rotations, options, template, half, voxelSize, mask } = search;
  const { signal, onProgress, threads } = options;
  signal?.throwIfAborted();
  const { grid } = source;
  const axis = longestAxis(grid.shape);
  const whitening = options.whiten ? await whiteningOf(source, voxelSize, signal) : undefined;
  const filter = await filterTable({ half, voxelSize }, transferOf(options, whitening));
  const comparison: Comparison = { template, mask, half, voxelSize, filter };
  const allocate = threads && threads.count > 0 ? sharedNumbers : undefined;
  const winners = new Winners(grid.shape, rotations);
  const parts = partsOf(grid.shape, { half, memory: options.memory ?? 1e9, threads: threads?.count ?? 0 });
  const total = parts.length * rotations.length;
  for (const [done, box] of parts.entries()) {
    const padded = await readWithMargin(source, box, half, signal);
    const transform = await RealTransform.of(transformShape(padded.shape));
    const table = whitening && transferTable(transform, voxelSize, whitening);
    const place = { start: box.start, shape: grid.shape };
    const part = await withTurns(
      preparePart(padded, transform, { comparison, place, whitening: table, allocate }),
      signal,
    );
    const counters = allocate ? new Int32Array(new SharedArrayBuffer(8)) : new Int32Array(2);
    const best = await searchTogether(
      { kind: 'rotations', comparison, part, rotations, counters },
      {
        ...{ threads, signal },
        onRotation: () =>
          onProgress?.({ stage: 'rotations', done: done * rotations.length + Atomics.load(counters, 1), total }),
      },
    );
    winners.take(best, box);
    const volume = contiguousVolume(best.scores, part.shape);
    const scores = { ...volume, shape: [1, ...volume.shape], stride: [best.scores.length, ...volume.stride] } as const;
    const transformAt = (voxel: Zyx) => winners.at(voxel);
    yield { grid, axis, start: box.start[axis], classes: [template.object], scores, transformAt };
  }
}

/** Numbers that all threads see. */
function sharedNumbers(length: number): Float32Array {
  return new Float32Array(new SharedArrayBuffer(4 * length));
}

interface SearchTogetherOptions {
  readonly threads: MatchThreads | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onRotation: () => void;
}

/** Has all threads search, this one too. */
async function searchTogether(
  task: RotationTask,
  { threads, signal, onRotation }: SearchTogetherOptions,
): Promise<BestScores> {
  const others = Array.from({ length: threads?.count ?? 0 }, () => threads!.run(task) as Promise<BestScores>);
  // What fails is thrown below, when its turn comes.
  for (const other of others) other.catch(() => {});
  const stopWaiting = onAbort(signal, () => stopRotations(task));
  try {
    const best = await searchRotations(task, { signal, onRotation });
    signal?.throwIfAborted();
    for (const other of others) mergeBest(best, await untilAborted(other, signal));
    if (others.length > 0) onRotation();
    return best;
  } catch (error) {
    stopRotations(task);
    throw error;
  } finally {
    stopWaiting();
  }
}

/** Bytes per voxel of a part: spectra and maps of scores, in single precision, that threads share, and those of each. */
const BYTES_PER_VOXEL = { shared: 12, each: 16 } as const;

interface PartsOptions {
  readonly half: number;
  /** In bytes. */
  readonly memory: number;
  /** Beside this one. */
  readonly threads: number;
}

/** Bytes that a search of a part takes. */
export function bytesOfPart(shape: Zyx, { half, threads }: Omit<PartsOptions, 'memory'>): number {
  const [z, y, x] = shape;
  const padded = transformShape([z + 2 * half, y + 2 * half, x + 2 * half]);
  return (BYTES_PER_VOXEL.shared + (threads + 1) * BYTES_PER_VOXEL.each) * voxelCount(padded);
}

/** Boxes along the longest axis: the fewest that are small enough. */
export function partsOf(shape: Zyx, { half, memory, threads }: PartsOptions): Box[] {
  const axis = longestAxis(shape);
  const length = shape[axis];
  for (let count = 1; ; count++) {
    const planes = Math.ceil(length / count);
    // Shorter ones would be margin for the most part.
    const isShort = planes <= 2 * half + 1;
    if (bytesOfPart(replaceAxis(shape, axis, planes), { half, threads }) > memory && !isShort) continue;
    return Array.from({ length: Math.ceil(length / planes) }, (_, i) => ({
      start: replaceAxis([0, 0, 0], axis, i * planes),
      end: replaceAxis(shape, axis, Math.min(length, (i + 1) * planes)),
    }));
  }
}

/** Which orientation has the best score, of every voxel: a peak may be found when the next part is there. */
class Winners {
  readonly #shape: Zyx;
  readonly #rotations: readonly Rotation[];
  readonly #indices: BestScores['indices'];

  constructor(shape: Zyx, rotations: readonly Rotation[]) {
    this.#shape = shape;
    this.#rotations = rotations;
    this.#indices = indicesFor(rotations, voxelCount(shape));
  }

  /** Keeps the orientations of a part. */
  take({ indices }: BestScores, { start, end }: Box): void {
    const [, height, width] = this.#shape;
    const row = end[2] - start[2];
    let from = 0;
    for (let z = start[0]; z < end[0]; z++) {
      for (let y = start[1]; y < end[1]; y++, from += row) {
        this.#indices.set(indices.subarray(from, from + row), (z * height + y) * width + start[2]);
      }
    }
  }

  at([z, y, x]: Zyx): Transform {
    return transformOf(this.#rotations[this.#indices[(z * this.#shape[1] + y) * this.#shape[2] + x]]);
  }
}
