import { CryoetPicksError } from '../errors.ts';
import { formatZyx, sameZyx } from '../space/zyx.ts';
import type { ScoreSlab, ScoreVolume } from '../tiles/blend.ts';
import { type SlabPlane, type Sweep, sweepAlong } from './sweep.ts';

/** All classes of one plane of a sweep. */
export interface SweepPlane {
  readonly sweep: Sweep;
  /** Index of the plane along the sweep axis. */
  readonly index: number;
  /** One plane per class, in the order of `sweep.classes`. */
  readonly channels: readonly SlabPlane[];
  /** Offsets along z, y, x in voxels of the score map, where slabs have them. */
  readonly offsets: readonly SlabPlane[] | undefined;
}

/**
 * Cuts slabs into planes, so that whatever works on planes cannot depend on where slabs were cut.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if slabs leave a gap, change their geometry, or end before the score map does.
 */
export async function* planesOf(
  slabs: AsyncIterable<ScoreSlab> | Iterable<ScoreSlab>,
  signal: AbortSignal | undefined,
): AsyncGenerator<SweepPlane> {
  let sweep: Sweep | undefined;
  let index = 0;
  signal?.throwIfAborted();
  for await (const slab of slabs) {
    signal?.throwIfAborted();
    sweep ??= sweepAlong(slab.axis, slab.grid, slab.classes);
    checkSlab(slab, sweep, index);
    for (const end = index + slab.scores.shape[slab.axis + 1]; index < end; index++) {
      const at = index - slab.start;
      const { scores, offsets } = slab;
      yield {
        sweep,
        index,
        channels: channelsAt(scores, sweep, at),
        offsets: offsets && channelsAt(offsets, sweep, at),
      };
      signal?.throwIfAborted();
    }
  }
  if (sweep && index !== sweep.grid.shape[sweep.axis]) {
    throw new CryoetPicksError(
      'invalid-option',
      `slabs end after plane ${index - 1} of axis ${sweep.axis}; the score map has ${sweep.grid.shape[sweep.axis]} planes`,
    );
  }
}

function channelsAt(
  { data, offset, stride, shape }: ScoreVolume,
  { axis, rowAxis, columnAxis }: Sweep,
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

function checkSlab(slab: ScoreSlab, sweep: Sweep, expectedStart: number): void {
  const { grid, axis, rowAxis, columnAxis, classes, rows, columns } = sweep;
  const { shape } = slab.scores;
  const where = `slab that starts at plane ${slab.start} of axis ${slab.axis}`;
  if (slab.axis !== axis || !sameZyx(slab.grid.shape, grid.shape) || slab.classes.join() !== classes.join()) {
    throw new CryoetPicksError(
      'invalid-option',
      `${where} belongs to another sweep: found shape ${formatZyx(slab.grid.shape)}, classes ${slab.classes}; ` +
        `expected axis ${axis}, shape ${formatZyx(grid.shape)}, classes ${classes}`,
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
      `${where} has scores of ${formatZyx(shape)} over ${slab.scores.data.length} values, which is no part of a score ` +
        `map of ${classes.length} classes × ${formatZyx(grid.shape)}`,
    );
  }
  checkOffsets(slab, where);
}

/** Offsets go with the scores of a slab, one triple per voxel. */
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

/** Least score per class, checked: a number for all classes or a function of the model's class index. */
export type Threshold = number | ((classIndex: number) => number);

/** Resolves a threshold. @throws {@link CryoetPicksError} `invalid-option` if one is not finite. */
export function thresholdPerClass(threshold: Threshold): (classIndex: number) => number {
  if (typeof threshold !== 'function') {
    if (Number.isFinite(threshold)) return () => threshold;
    throw new CryoetPicksError('invalid-option', `threshold must be a finite score, found ${threshold}`);
  }
  return (classIndex) => {
    const value = threshold(classIndex);
    if (Number.isFinite(value)) return value;
    throw new CryoetPicksError('invalid-option', `threshold of class ${classIndex} must be finite, found ${value}`);
  };
}
