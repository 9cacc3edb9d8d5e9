import { CryoetPicksError } from '../errors.ts';
import { toPhysical, type VoxelGrid } from '../space/grid.ts';
import type { Point } from '../space/point.ts';
import { formatZyx, voxelCount, type Zyx } from '../space/zyx.ts';

/** A tomogram is held whole while it is simulated; this many voxels take about 20 GB. */
const MOST_VOXELS = 2 ** 30;

/** The numbers that describe a scene. */
interface SceneNumbers {
  readonly shape: Zyx;
  readonly voxelSize: Zyx;
  readonly seed: number;
  readonly counts?: Readonly<Record<string, number>> | undefined;
  readonly decoys?: number | undefined;
}

/** Refuses numbers that no scene can have. @throws {@link CryoetPicksError} `invalid-option` */
export function checkScene({ shape, voxelSize, seed, counts = {}, decoys = 1 }: SceneNumbers): void {
  if (shape.length !== 3 || !shape.every((length) => Number.isSafeInteger(length) && length > 0)) {
    fail(`expected a shape of three whole numbers > 0, found ${formatZyx(shape)}`);
  }
  if (voxelCount(shape) > MOST_VOXELS) {
    fail(`${formatZyx(shape)} is ${voxelCount(shape)} voxels, and a simulated tomogram holds at most ${MOST_VOXELS}`);
  }
  if (voxelSize.length !== 3 || !voxelSize.every((size) => Number.isFinite(size) && size > 0)) {
    fail(`expected three voxel sizes > 0 Å, found ${formatZyx(voxelSize)}`);
  }
  if (!Number.isSafeInteger(seed)) fail(`expected a whole number as seed, found ${seed}`);
  for (const [name, count] of Object.entries(counts)) {
    if (!Number.isSafeInteger(count) || count < 0) fail(`expected a whole number ≥ 0 of ${name}, found ${count}`);
  }
  if (!(decoys >= 0 && Number.isFinite(decoys))) fail(`decoys must be a number ≥ 0, found ${decoys}`);
}

/** Refuses a position outside the volume. @throws {@link CryoetPicksError} `invalid-option` */
export function checkInside(grid: VoxelGrid, object: string, position: Point): void {
  const end = toPhysical(grid, [grid.shape[0] - 1, grid.shape[1] - 1, grid.shape[2] - 1]);
  const inside = (['x', 'y', 'z'] as const).every((axis) => position[axis] >= 0 && position[axis] <= end[axis]);
  if (inside) return;
  fail(
    `${object} at (${position.x}, ${position.y}, ${position.z}) Å lies outside the volume, which ends at ` +
      `(${end.x.toFixed(1)}, ${end.y.toFixed(1)}, ${end.z.toFixed(1)}) Å`,
  );
}

function fail(message: string): never {
  throw new CryoetPicksError('invalid-option', message);
}
