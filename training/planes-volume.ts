import type { Zyx } from 'cryoet-picks';

/** A plane of a volume, across axis 0 (z), 1 (y) or 2 (x). */
export interface Plane {
  readonly across: 0 | 1 | 2;
  /** Index along that axis. */
  readonly index: number;
  /** Row by row: the two other axes, the earlier one slower. */
  readonly values: Float64Array;
}

/** Correlation of voxels by their distance along z, y and x: entry d for d voxels, entry 0 is 1. */
export type Correlations = readonly [Float64Array, Float64Array, Float64Array];

/**
 * The volume that is expected where only planes are known: simple kriging around a mean of 0, for a covariance that is a product of
 * one function per axis.
 *
 * The planes keep their values; away from them a voxel falls back to 0 as its correlation with them does. Axis by axis, what the
 * planes of this axis hold beyond the volume so far is added: for such a covariance that is the expectation given all of them.
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

/** Correlation along each axis of planes of 0 on average, by distance; 0 from where it first is no longer above 0. */
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

/** Index in the volume of a value of a plane. */
function voxelOf({ across, index }: Pick<Plane, 'across' | 'index'>, at: number, [, height, width]: Zyx): number {
  const columns = across === 2 ? height : width;
  const [row, column] = [Math.floor(at / columns), at % columns];
  const [z, y, x] = across === 0 ? [index, row, column] : across === 1 ? [row, index, column] : [row, column, index];
  return (z * height + y) * width + x;
}

/** Mean product of values that are `lag` voxels apart along an axis of the volume. */
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

/** Weights of the values at `known` indices in the expectation at another index. */
function krigingWeights(known: readonly number[], index: number, correlation: Float64Array): number[] {
  const rows = known.map((a) => [...known, index].map((b) => correlation[Math.abs(a - b)]!));
  // Gauss-Jordan: correlations are positive definite, so no row needs another's place.
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
