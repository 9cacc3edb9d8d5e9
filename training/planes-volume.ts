import type { Zyx } from 'cryoet-picks';

/** A plane of a volume, across axis 0 (z), 1 (y) or 2 (x). */
export interface Plane {
  readonly across: 0 | 1 | 2;
  /** Index along that axis. */
  readonly index: number;
  /** C-order along the two other axes: the earlier axis varies slowest. */
  readonly values: Float64Array;
}

/** Correlation of voxels along z, y and x: entry d is that of voxels d apart, entry 0 is 1. */
export type Correlations = readonly [Float64Array, Float64Array, Float64Array];

/**
 * Computes the expected volume from some of its planes: simple kriging with mean 0, for a covariance that is a product of one
 * function per axis.
 *
 * The planes keep their values; with the distance to them, voxels tend to 0 as their correlation does. Axis by axis, the
 * difference of this axis's planes from the volume so far is spread and added; for such a covariance the sum is the expectation
 * given all planes.
 *
 * @returns `[z, y, x]` in C-order.
 */
export function volumeFromPlanes(shape: Zyx, planes: readonly Plane[], correlations: Correlations): Float32Array {
  const volume = new Float64Array(shape[0] * shape[1] * shape[2]);
  for (const across of [0, 1, 2] as const) {
    const mine = planes.filter((plane) => plane.across === across);
    const left = mine.map((plane) => plane.values.map((value, at) => value - volume[voxelOf(plane, at, shape)]!));
    const indices = mine.map(({ index }) => index);
    for (let index = 0; index < shape[across]; index++) {
      for (const [k, weight] of krigingWeights(indices, index, correlations[across]).entries()) {
        for (let at = 0; at < left[k]!.length; at++) {
          volume[voxelOf({ across, index }, at, shape)]! += weight * left[k]![at]!;
        }
      }
    }
  }
  return Float32Array.from(volume);
}

/** Correlation along each axis of planes with mean 0, by distance; 0 from the first distance at which it is not positive. */
export function correlationsOf(shape: Zyx, planes: readonly Plane[]): Correlations {
  return [0, 1, 2].map((axis) => {
    const measured = Float64Array.from({ length: shape[axis]! }, (_, lag) => {
      const products = planes
        .filter(({ across }) => across !== axis)
        .map((plane) => meanProduct(plane, { axis, lag, shape }));
      return products.reduce((sum, value) => sum + value, 0);
    });
    const end = measured.findIndex((value) => value <= 0);
    return measured.map((value, lag) => (end >= 0 && lag >= end ? 0 : value / measured[0]!));
  }) as unknown as Correlations;
}

/** Index in the volume of the value at an index of a plane. */
function voxelOf({ across, index }: Pick<Plane, 'across' | 'index'>, at: number, [, height, width]: Zyx): number {
  const columns = across === 2 ? height : width;
  const [row, column] = [Math.floor(at / columns), at % columns];
  const [z, y, x] = across === 0 ? [index, row, column] : across === 1 ? [row, index, column] : [row, column, index];
  return (z * height + y) * width + x;
}

/** Mean product of values `lag` voxels apart along an axis of the volume. */
function meanProduct(
  { across, values }: Plane,
  { axis, lag, shape }: { readonly axis: number; readonly lag: number; readonly shape: Zyx },
): number {
  const [slow, fast] = [0, 1, 2].filter((other) => other !== across) as [number, number];
  const columns = shape[fast]!;
  const [rowsLeft, columnsLeft] = axis === slow ? [shape[slow]! - lag, columns] : [shape[slow]!, columns - lag];
  const step = axis === slow ? lag * columns : lag;
  let sum = 0;
  for (let row = 0; row < rowsLeft; row++) {
    for (let column = 0; column < columnsLeft; column++) {
      const at = row * columns + column;
      sum += values[at]! * values[at + step]!;
    }
  }
  return sum / (rowsLeft * columnsLeft);
}

/** Weights of the values at the `known` indices for the expected value at another index. */
function krigingWeights(known: readonly number[], index: number, correlation: Float64Array): number[] {
  const rows = known.map((a) => [...known, index].map((b) => correlation[Math.abs(a - b)]!));
  // Gauss-Jordan without pivoting: a matrix of correlations is positive definite.
  for (const [i, row] of rows.entries()) {
    const pivot = row[i]!;
    for (let j = 0; j < row.length; j++) row[j]! /= pivot;
    for (const [k, other] of rows.entries()) {
      if (k === i) continue;
      const factor = other[i]!;
      for (let j = 0; j < row.length; j++) other[j]! -= factor * row[j]!;
    }
  }
  return rows.map((row) => row.at(-1)!);
}
