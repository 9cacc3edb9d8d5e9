import { CryoetPicksError } from '../../errors.ts';
import type { VoxelPlacement } from '../../space/grid.ts';
import type { Zyx } from '../../space/zyx.ts';

/** Edges of a voxel in Å: one number, or three along z, y, x. */
export type VoxelSize = number | Zyx;

/** Option of formats that count in voxels. */
export interface VoxelSizeOption {
  /** Edges of the voxel that the file counts in, in Å: one number, or three along z, y, x. */
  readonly voxelSize?: VoxelSize | undefined;
}

/** Option of formats that count from the centre of the tomogram, or tell its shape. */
export interface ShapeOption {
  /** Voxels of the tomogram along z, y, x. */
  readonly shape?: Zyx | undefined;
}

/** Option of formats that count from the centre and hold several tomograms. */
export interface RunShapesOption {
  /** Voxels along z, y, x of the tomograms, by run; `shape` is that of all others. */
  readonly shapes?: Readonly<Record<string, Zyx>> | undefined;
}

/** @throws {@link CryoetPicksError} `invalid-option` unless it is a length, or three. */
export function checkVoxelSize(voxelSize: VoxelSize | undefined): Zyx | undefined {
  if (voxelSize === undefined) return undefined;
  const sizes: Zyx = typeof voxelSize === 'number' ? [voxelSize, voxelSize, voxelSize] : voxelSize;
  if (sizes.length === 3 && sizes.every((size) => Number.isFinite(size) && size > 0)) return sizes;
  throw new CryoetPicksError('invalid-option', `voxelSize is ${JSON.stringify(voxelSize)}; expected a length in Å`);
}

/** @throws {@link CryoetPicksError} `invalid-option` unless it is three whole numbers. */
export function checkShape(shape: Zyx | undefined): Zyx | undefined {
  if (shape === undefined) return undefined;
  if (shape.length === 3 && shape.every((count) => Number.isSafeInteger(count) && count > 0)) return shape;
  throw new CryoetPicksError('invalid-option', `shape is ${JSON.stringify(shape)}; expected voxels along z, y, x`);
}

/** The shape of the tomogram of each run. @throws {@link CryoetPicksError} `invalid-option` for one that is none. */
export function shapesByRun({ shape, shapes = {} }: ShapeOption & RunShapesOption): (run: string) => Zyx | undefined {
  const others = checkShape(shape);
  const named = new Map(Object.entries(shapes).map(([run, one]) => [run, checkShape(one)]));
  return (run) => named.get(run) ?? others;
}

/** The given voxel size, else the one found in the file. @throws {@link CryoetPicksError} `invalid-option` without either. */
export function needVoxelSize(
  given: Zyx | undefined,
  { found, place }: { readonly found?: number | undefined; readonly place: string },
): Zyx {
  const size = given ?? checkVoxelSize(found);
  if (size !== undefined) return size;
  throw new CryoetPicksError(
    'invalid-option',
    `${place} counts in voxels and nothing tells their size; give the option voxelSize, in Å`,
  );
}

/** A grid whose first voxel has the number `first` along each axis. */
export function gridFrom(voxelSize: Zyx, first = 0): VoxelPlacement {
  const [z, y, x] = voxelSize;
  return { voxelSize, origin: { x: 0 - first * x, y: 0 - first * y, z: 0 - first * z } };
}

/** A grid that counts in steps of `step` Å from a point of the tomogram, given in voxels of it. */
export function gridAround(
  centre: Zyx,
  { voxelSize, step }: { readonly voxelSize: Zyx; readonly step: Zyx },
): VoxelPlacement {
  const [z, y, x] = voxelSize;
  return { voxelSize: step, origin: { x: centre[2] * x, y: centre[1] * y, z: centre[0] * z } };
}
