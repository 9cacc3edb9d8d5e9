import {
  count,
  finiteScore,
  grid as gridRule,
  isFields,
  numberPerObject,
  optional,
  type PerObject,
  quotedNames,
  type Rule,
  requireArgument,
  text,
} from '../core/arguments.ts';
import { BufferPool } from '../core/buffer-pool.ts';
import { CryoetPicksError } from '../core/errors.ts';
import {
  type Axis,
  contiguousStride,
  formatZyx,
  replaceAxis,
  sameZyx,
  type Transform,
  type VoxelGrid,
  type Zyx,
} from '../space/grid.ts';
import type { ScoreSlab, ScoreVolume } from '../tiles/blend.ts';
import { type CalibrationCurves, curvesRule, type ScoreScale, scaleOf } from '../tiles/calibration-curve.ts';

/** A place where a score map exceeds its neighbourhood, in voxel space of that map. */
export interface Peak {
  /** Geometry of the score map. */
  readonly grid: VoxelGrid;
  /** Index into the score map; fractional where a peak was refined or is a centroid. */
  readonly voxel: Zyx;
  /** Name of the object that the score is of. */
  readonly object: string;
  /** That of the score map, calibrated where the slabs have a calibration curve of the object. */
  readonly score: number;
  /** Orientation of the object, where the search knows it. */
  readonly transform?: Transform | undefined;
}

/** One plane of one class, perpendicular to the sweep axis: a view of the memory of its slab. */
export interface Plane {
  readonly data: Float32Array;
  readonly offset: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

/** A plane among those of its slab. */
export interface SlabPlane extends Plane {
  /** From a score to that of the plane after. */
  readonly planeStride: number;
  /** Number of planes of the slab that follow. */
  readonly planesAfter: number;
}

/**
 * What all planes of a sweep share. Rows and columns are the two axes that are not swept, in the order z, y, x.
 *
 * A voxel of the score map is named by its C-order index, `plane · planeStep + row · rowStep + column · columnStep`, so
 * that the lowest (z, y, x) is the lowest number, whatever the axis.
 */
export interface PlaneSweep {
  readonly grid: VoxelGrid;
  readonly axis: Axis;
  readonly classes: readonly string[];
  readonly rowAxis: Axis;
  readonly columnAxis: Axis;
  readonly rows: number;
  readonly columns: number;
  readonly planeStep: number;
  readonly rowStep: number;
  readonly columnStep: number;
}

/** The sweep along one axis of a score map. */
export function sweepAlong(axis: Axis, grid: VoxelGrid, classes: readonly string[]): PlaneSweep {
  const rowAxis = axis === 0 ? 1 : 0;
  const columnAxis = axis === 2 ? 1 : 2;
  const step = contiguousStride(grid.shape);
  return {
    grid,
    axis,
    classes,
    rowAxis,
    columnAxis,
    rows: grid.shape[rowAxis],
    columns: grid.shape[columnAxis],
    planeStep: step[axis],
    rowStep: step[rowAxis],
    columnStep: step[columnAxis],
  };
}

/** The voxel with this C-order index. */
export function voxelAt(index: number, [, height, width]: Zyx): Zyx {
  const row = Math.floor(index / width);
  return [Math.floor(row / height), row % height, index % width];
}

/** A triple given along (sweep axis, rows, columns) as (z, y, x). */
export function fromSweepOrder({ axis }: PlaneSweep, plane: number, row: number, column: number): Zyx {
  if (axis === 0) return [plane, row, column];
  return axis === 1 ? [row, plane, column] : [row, column, plane];
}

/** All classes of one plane of a sweep. */
export interface SweepPlane {
  readonly sweep: PlaneSweep;
  /** Index of the plane along the sweep axis. */
  readonly index: number;
  /** One plane per class, in the order of `sweep.classes`. */
  readonly channels: readonly SlabPlane[];
  /** Offsets along z, y, x in voxels of the score map, if slabs have them. */
  readonly offsets: readonly SlabPlane[] | undefined;
  /** The orientation at a voxel of this plane or of one before it, if slabs know it. */
  readonly transformAt: ScoreSlab['transformAt'];
  /** What scores are worth, if slabs know it. */
  readonly calibrationCurves: CalibrationCurves | undefined;
}

/**
 * Cuts slabs into planes, so that no search depends on where slabs were cut. Releases a slab once its last plane was used.
 *
 * @param call - The function whose argument `slabs` is.
 * @param split - Splits each slab, once it was checked, into slabs that follow each other and are released one by one.
 * @throws {@link CryoetPicksError} `invalid-option` if slabs leave a gap, change their geometry, or end before the score map does.
 */
export async function* planesOf(
  call: string,
  slabs: AsyncIterable<ScoreSlab> | Iterable<ScoreSlab>,
  signal: AbortSignal | undefined,
  split: (slab: ScoreSlab) => readonly ScoreSlab[] = (slab) => [slab],
): AsyncGenerator<SweepPlane> {
  let sweep: PlaneSweep | undefined;
  let index = 0;
  signal?.throwIfAborted();
  for await (const slab of slabs) {
    signal?.throwIfAborted();
    requireArgument(call, 'slab', slab, slabRule);
    sweep ??= sweepAlong(slab.axis, slab.grid, slab.classes);
    checkSlab(slab, sweep, index);
    for (const part of split(slab)) {
      const { scores, offsets, start } = part;
      for (const end = index + scores.shape[slab.axis + 1]; index < end; index++) {
        const at = index - start;
        yield {
          sweep,
          index,
          channels: channelsAt(scores, sweep, at),
          offsets: offsets && channelsAt(offsets, sweep, at),
          transformAt: slab.transformAt,
          calibrationCurves: slab.calibrationCurves,
        };
        signal?.throwIfAborted();
      }
      part.release?.();
    }
  }
  if (sweep && index !== sweep.grid.shape[sweep.axis]) {
    throw new CryoetPicksError(
      'invalid-option',
      `slabs end after plane ${index - 1} of axis ${sweep.axis}; the score map has ${sweep.grid.shape[sweep.axis]} planes`,
    );
  }
}

const numbers: Rule = {
  expected: 'four whole numbers',
  isValid: (value) => Array.isArray(value) && value.length === 4,
};
const slabRule: Rule = {
  expected: 'a slab of scores, such as `scoreSlabs` gives',
  isValid: isFields,
  fields: {
    grid: gridRule,
    axis: { expected: '0 (z), 1 (y) or 2 (x)', isValid: (value) => value === 0 || value === 1 || value === 2 },
    start: count,
    classes: { expected: 'a list of class names', isValid: Array.isArray, items: text },
    scores: {
      expected: '4-D scores { data, shape, stride, offset }',
      isValid: isFields,
      fields: {
        data: { expected: 'a Float32Array', isValid: (value) => value instanceof Float32Array },
        shape: numbers,
        stride: numbers,
        offset: count,
      },
    },
    calibrationCurves: /* @__PURE__ */ optional(curvesRule),
  },
};

function channelsAt(
  { data, offset, stride, shape }: ScoreVolume,
  { axis, rowAxis, columnAxis }: PlaneSweep,
  plane: number,
): SlabPlane[] {
  return Array.from({ length: shape[0] }, (_, channel) => ({
    data,
    offset: offset + channel * stride[0] + plane * stride[axis + 1],
    rowStride: stride[rowAxis + 1],
    columnStride: stride[columnAxis + 1],
    planeStride: stride[axis + 1],
    planesAfter: shape[axis + 1] - plane - 1,
  }));
}

function checkSlab(slab: ScoreSlab, sweep: PlaneSweep, expectedStart: number): void {
  const { grid, axis, rowAxis, columnAxis, classes, rows, columns } = sweep;
  const { shape } = slab.scores;
  const where = `slab that starts at plane ${slab.start} of axis ${slab.axis}`;
  if (
    slab.axis !== axis ||
    !sameZyx(slab.grid.shape, grid.shape) ||
    quotedNames(slab.classes) !== quotedNames(classes)
  ) {
    throw new CryoetPicksError(
      'invalid-option',
      `${where} belongs to another sweep: found shape ${formatZyx(slab.grid.shape)}, classes ${quotedNames(slab.classes)}; ` +
        `expected axis ${axis}, shape ${formatZyx(grid.shape)}, classes ${quotedNames(classes)}`,
    );
  }
  if (slab.start !== expectedStart) {
    throw new CryoetPicksError('invalid-option', `${where} leaves a gap or overlaps: expected plane ${expectedStart}`);
  }
  const fits =
    shape[0] === classes.length &&
    shape[rowAxis + 1] === rows &&
    shape[columnAxis + 1] === columns &&
    slab.start + shape[axis + 1] <= grid.shape[axis];
  if (!fits || !staysInside(slab.scores)) {
    throw new CryoetPicksError(
      'invalid-option',
      `${where} has scores of ${formatZyx(shape)} over ${slab.scores.data.length} values, which is not part of a score ` +
        `map of ${classes.length} classes × ${formatZyx(grid.shape)}`,
    );
  }
  checkOffsets(slab, where);
}

/** @throws {@link CryoetPicksError} `invalid-option` for offsets that are not one triple per voxel of the scores. */
function checkOffsets({ offsets, scores }: ScoreSlab, where: string): void {
  if (offsets === undefined) return;
  const [, ...shape] = scores.shape;
  if (formatZyx(offsets.shape) === formatZyx([3, ...shape]) && staysInside(offsets)) return;
  throw new CryoetPicksError(
    'invalid-option',
    `${where} has offsets of ${formatZyx(offsets.shape)} over ${offsets.data.length} values; expected ${formatZyx([3, ...shape])}`,
  );
}

/** A view that reaches past its data would read `undefined`, which no comparison notices. */
function staysInside({ data, shape, stride, offset }: ScoreVolume): boolean {
  let first = offset;
  let last = offset;
  for (let i = 0; i < 4; i++) {
    if (shape[i] === 0) return true;
    if (stride[i] < 0) first += (shape[i] - 1) * stride[i];
    else last += (shape[i] - 1) * stride[i];
  }
  return first >= 0 && last < data.length;
}

/** A class that is searched. */
export interface SearchedClass {
  readonly object: string;
  /** Index of its channel in the slabs. */
  readonly channel: number;
  /** Minimum score of what is found, as scores of slabs are. */
  readonly threshold: number;
  /** The score of a peak where a slab has this one. */
  readonly calibrated: ScoreScale['calibrated'];
}

/** Of an object without a calibration curve: nothing of curves runs for its peaks. */
const asTheyAre: ScoreScale = { calibrated: (score) => score, raw: (threshold) => threshold };

/** Chooses the classes of a sweep that a search looks for: all of them, or those that a record of thresholds names. */
export type ChooseClasses = (plane: Pick<SweepPlane, 'sweep' | 'calibrationCurves'>) => SearchedClass[];

/**
 * Checks thresholds before the first slab arrives. They are calibrated where slabs have calibration curves.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if one is not finite or a record names nothing; later, of the classes, if it
 *   names one that the slabs do not have.
 */
export function searchedClasses(threshold: PerObject, call: string): ChooseClasses {
  const thresholdOf = numberPerObject('threshold', threshold, finiteScore, call);
  const named = typeof threshold === 'number' ? undefined : Object.keys(threshold);
  if (named?.length === 0) {
    throw new CryoetPicksError('invalid-option', 'threshold names no object, so there is nothing to look for');
  }
  const wanted = named && new Set(named);
  return ({ sweep: { classes }, calibrationCurves = {} }) => {
    const known = new Set(classes);
    const unknown = named?.find((object) => !known.has(object));
    if (unknown !== undefined) {
      throw new CryoetPicksError(
        'invalid-option',
        `threshold names "${unknown}", but the scores are of ${quotedNames(classes)}; \`chooseObjects\` leaves out what a model does not know`,
      );
    }
    return classes.flatMap((object, channel) => {
      if (wanted?.has(object) === false) return [];
      const { calibrated, raw } = Object.hasOwn(calibrationCurves, object)
        ? scaleOf(calibrationCurves[object]!)
        : asTheyAre;
      return [{ object, channel, threshold: raw(thresholdOf(object)), calibrated }];
    });
  };
}

/** A member of a disjoint set; the root of a set is its own parent, and the oldest member. */
export interface Linked<T> {
  parent: T;
  /** Order of creation. */
  readonly age: number;
}

/** The sets of a sweep that its last plane still touches, and those that ended before. */
export interface SplitSets<T> {
  readonly open: T[];
  readonly ended: T[];
}

/** Splits sets, named by some of their members, into those that plane `index` touches and those that ended before it. */
export function splitEnded<T extends Linked<T> & { readonly lastPlane: number }>(
  members: readonly T[],
  index: number,
): SplitSets<T> {
  const open: T[] = [];
  const ended: T[] = [];
  for (const member of members) {
    if (member.parent !== member) continue;
    if (member.lastPlane === index) open.push(member);
    else ended.push(member);
  }
  return { open, ended };
}

/** The root of a member's set; shortens the way there. */
export function rootOf<T extends Linked<T>>(member: T): T {
  let node = member;
  while (node.parent !== node) {
    node.parent = node.parent.parent;
    node = node.parent;
  }
  return node;
}

/** Offsets of one plane of a sweep: a plane along each of z, y, x, in voxels of the score map. */
export type Offsets = readonly Plane[];

/** The offset of one voxel. */
export function offsetAt([z, y, x]: Offsets, row: number, column: number): Zyx {
  return [valueAt(z, row, column), valueAt(y, row, column), valueAt(x, row, column)];
}

function valueAt({ data, offset, rowStride, columnStride }: Plane, row: number, column: number): number {
  return data[offset + row * rowStride + column * columnStride];
}

/** The peak moved by an offset; without one it stays. */
export function movedBy(offset: Zyx | undefined, peak: Peak): Peak {
  if (offset === undefined) return peak;
  const [z, y, x] = peak.voxel;
  return { ...peak, voxel: [z + offset[0], y + offset[1], x + offset[2]] };
}

/** Planes that the search still compares with those of the next slab. */
const KEPT = 2;

/**
 * Copies the last two planes of each slab, so that the slab can be released before the next one comes. The memory of a copy is
 * used again once the next two planes have been copied.
 */
export class LastPlanes {
  readonly #pools = { scores: new BufferPool(2), offsets: new BufferPool(2) };
  #last: ScoreSlab | undefined;

  /** Splits a slab into its first planes as they are, and a copy of the last two, whose release is that of the slab. */
  split(slab: ScoreSlab): ScoreSlab[] {
    const before = this.#last;
    this.#last = undefined;
    if (!slab.release) return [slab];
    const planes = slab.scores.shape[slab.axis + 1];
    const cut = Math.max(0, planes - KEPT);
    const first = { ...withVolumes(slab, (volume) => viewPlanes(volume, slab, 0, cut)), release: undefined };
    const last = copyPlanes(slab, cut, this.#pools);
    this.#last = last;
    const releaseBoth = () => {
      slab.release?.();
      // The search that looks back past these planes sees nothing of those copied before.
      if (!before || planes < KEPT) return;
      this.#pools.scores.put(before.scores.data);
      if (before.offsets) this.#pools.offsets.put(before.offsets.data);
    };
    return [...(cut > 0 ? [first] : []), { ...last, release: releaseBoth }];
  }
}

/** The slab with other scores, and offsets if it has some. */
function withVolumes(slab: ScoreSlab, change: (volume: ScoreVolume) => ScoreVolume): ScoreSlab {
  return { ...slab, scores: change(slab.scores), offsets: slab.offsets && change(slab.offsets) };
}

/** A view of some planes along the sweep axis. */
function viewPlanes(volume: ScoreVolume, { axis }: ScoreSlab, from: number, to: number): ScoreVolume {
  const [channels, z, y, x] = volume.shape;
  const shape = replaceAxis([z, y, x], axis, to - from);
  return { ...volume, shape: [channels, ...shape], offset: volume.offset + from * volume.stride[axis + 1] };
}

/** The planes of a slab from `from` on, copied. */
function copyPlanes(
  slab: ScoreSlab,
  from: number,
  pools: { readonly scores: BufferPool; readonly offsets: BufferPool },
): ScoreSlab {
  const end = slab.scores.shape[slab.axis + 1];
  return {
    ...slab,
    scores: copyVolume(viewPlanes(slab.scores, slab, from, end), pools.scores),
    offsets: slab.offsets && copyVolume(viewPlanes(slab.offsets, slab, from, end), pools.offsets),
    start: slab.start + from,
    release: undefined,
  };
}

function copyVolume({ data, shape, stride, offset }: ScoreVolume, pool: BufferPool): ScoreVolume {
  const [classes, depth, height, width] = shape;
  const length = classes * depth * height * width;
  const copy = pool.take(length) ?? new Float32Array(length);
  let at = 0;
  for (let k = 0; k < classes; k++) {
    for (let z = 0; z < depth; z++) {
      for (let y = 0; y < height; y++, at += width) {
        const row = offset + k * stride[0] + z * stride[1] + y * stride[2];
        // Rows of slabs may be any view, such as one of an array in Fortran order.
        if (stride[3] === 1) copy.set(data.subarray(row, row + width), at);
        else for (let x = 0; x < width; x++) copy[at + x] = data[row + x * stride[3]];
      }
    }
  }
  const plane = height * width;
  return { data: copy, shape, stride: [depth * plane, plane, width, 1], offset: 0 };
}
