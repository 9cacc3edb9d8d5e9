import { CryoetPicksError } from '../errors.ts';
import { toPhysical, type VoxelGrid } from '../space/grid.ts';
import type { Point } from '../space/point.ts';
import { formatZyx, voxelCount, type Zyx } from '../space/zyx.ts';
import type { Surroundings } from './surroundings.ts';

/** A tomogram is held whole while it is simulated; this many voxels take about 20 GB. */
const MOST_VOXELS = 2 ** 30;

/** More structures than this find no room, and take long to be sought it. */
const MOST_STRUCTURES = 10_000;

/** The numbers that describe a scene. */
interface SceneNumbers {
  readonly shape: Zyx;
  readonly voxelSize: Zyx;
  readonly seed: number;
  readonly counts?: Readonly<Record<string, number>> | undefined;
  readonly decoys?: number | undefined;
  readonly iceThickness?: number | undefined;
  readonly cargo?: number | undefined;
  readonly clustering?: number | undefined;
  readonly surroundings?: Surroundings | undefined;
}

/** Refuses numbers that no scene can have. @throws {@link CryoetPicksError} `invalid-option` */
export function checkScene(scene: SceneNumbers): void {
  const { shape, voxelSize, seed, counts = {}, decoys = 1, iceThickness = 1, surroundings = {} } = scene;
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
  for (const name of ['cargo', 'clustering'] as const) {
    const share = scene[name] ?? 0;
    if (!(share >= 0 && share <= 1)) fail(`${name} must be from 0 to 1, found ${share}`);
  }
  if (!(iceThickness > 0 && Number.isFinite(iceThickness)))
    fail(`iceThickness must be a number > 0 Å, found ${iceThickness}`);
  for (const [name, mean] of Object.entries(surroundings)) {
    if (!(mean >= 0 && mean <= MOST_STRUCTURES))
      fail(`surroundings.${name} must be from 0 to ${MOST_STRUCTURES}, found ${mean}`);
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
