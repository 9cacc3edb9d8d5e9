import type { VoxelGrid } from '../space/grid.ts';
import { type Axis, contiguousStride, type Zyx } from '../space/zyx.ts';

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
export interface Sweep {
  readonly grid: VoxelGrid;
  readonly axis: Axis;
  readonly classes: readonly number[];
  readonly rowAxis: Axis;
  readonly columnAxis: Axis;
  readonly rows: number;
  readonly columns: number;
  readonly planeStep: number;
  readonly rowStep: number;
  readonly columnStep: number;
}

/** The sweep along one axis of a score map. */
export function sweepAlong(axis: Axis, grid: VoxelGrid, classes: readonly number[]): Sweep {
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
export function fromSweepOrder({ axis }: Sweep, plane: number, row: number, column: number): Zyx {
  if (axis === 0) return [plane, row, column];
  return axis === 1 ? [row, plane, column] : [row, column, plane];
}
