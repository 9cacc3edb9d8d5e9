import type { VoxelGrid } from '../space/grid.ts';
import type { Point } from '../space/point.ts';
import { asVoxelSize } from '../space/voxel-size.ts';
import type { Axis, Zyx } from '../space/zyx.ts';
import type { MrcAxis, MrcHeader } from './header.ts';

/** What a caller may say of the geometry. */
export interface MrcGeometryOptions {
  /** In Å, instead of what the header says; one number for all axes, or along z, y, x. */
  readonly voxelSize?: number | Zyx | undefined;
  /** Position of the centre of the first voxel in Å, or `header` for ORIGIN or else NXSTART … of the file. @defaultValue (0, 0, 0) */
  readonly origin?: Point | 'header' | undefined;
}

/** Where the voxels lie, and what is odd about it. */
export interface MrcGeometry {
  readonly grid: VoxelGrid;
  readonly warnings: readonly string[];
}

/** The index in z, y, x of an axis of the file. */
export function axisIndex(axis: MrcAxis): Axis {
  return axis === 'z' ? 0 : axis === 'y' ? 1 : 2;
}

/** The grid that a header describes, in z, y, x whatever the order of the file. */
export function gridOf(
  header: MrcHeader,
  { voxelSize: said, origin = { x: 0, y: 0, z: 0 } }: MrcGeometryOptions = {},
): MrcGeometry {
  const { counts, axes, angles } = header;
  const shape: [number, number, number] = [0, 0, 0];
  for (const [i, axis] of axes.entries()) shape[axisIndex(axis)] = counts[i]!;
  const warnings: string[] = [];
  const voxelSize = said === undefined ? statedVoxelSize(header, warnings) : asVoxelSize(said);
  if (angles.some((angle) => angle !== 0 && Math.abs(angle - 90) > 0.01)) {
    warnings.push(`the header gives the cell angles ${angles.join(', ')}°; they are taken as right angles`);
  }
  return {
    grid: { shape, voxelSize, origin: origin === 'header' ? statedOrigin(header, voxelSize) : origin },
    warnings,
  };
}

function statedVoxelSize({ cell, intervals }: MrcHeader, warnings: string[]): Zyx {
  const along = (axis: MrcAxis) => shortest(cell[axis]) / intervals[axis];
  const voxelSize: Zyx = [along('z'), along('y'), along('x')];
  if (!voxelSize.every((length) => Number.isFinite(length) && length > 0)) {
    warnings.push(
      `the header gives no voxel size (cell ${cell.x}×${cell.y}×${cell.z} Å of ` +
        `${intervals.x}×${intervals.y}×${intervals.z} intervals, x×y×z); 1 Å is assumed, give "voxelSize"`,
    );
    return [1, 1, 1];
  }
  if (voxelSize.every((length) => Math.abs(length - 1) < 1e-6)) {
    warnings.push('the header gives a voxel size of exactly 1 Å, as programs do that do not know it; give "voxelSize"');
  }
  return voxelSize;
}

/** The shortest decimal number that float32 rounds to this value: 6307.56 for 6307.56005859375. */
function shortest(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const decimal = Number(value.toPrecision(digits));
    if (Math.fround(decimal) === value) return decimal;
  }
  return value;
}

/** ORIGIN where it is set, else the index of the first voxel, as viewers of maps read them. */
function statedOrigin({ origin, start, axes }: MrcHeader, voxelSize: Zyx): Point {
  if ([origin.x, origin.y, origin.z].some((length) => length !== 0 && Number.isFinite(length))) {
    const orZero = (length: number) => (Number.isFinite(length) ? shortest(length) : 0);
    return { x: orZero(origin.x), y: orZero(origin.y), z: orZero(origin.z) };
  }
  const along = (axis: MrcAxis) => start[axes.indexOf(axis)]! * voxelSize[axisIndex(axis)];
  return { x: along('x'), y: along('y'), z: along('z') };
}
