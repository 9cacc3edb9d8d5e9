import type { Axis, Point, Zyx } from '../entry/index.ts';
import type { GreyLevel } from './grey-level.ts';
import type { GreyVolume } from './grey-volume.ts';
import { isWithin, planeIndex, planePosition } from './planes.ts';

/**
 * The middle of the darkest cube, as wide as the particle's radius, whose middle is at most half the radius from a point. Protein
 * is dark in the data; what is shown inverted is dark all the same.
 *
 * @param radius - Of the particle, in Å.
 * @returns The point itself, if it is outside the volume, or its surroundings have not been read.
 */
export function darkestNear(volume: GreyVolume | undefined, point: Point, radius: number): Point {
  const level = volume?.levels.findLast(
    (one) => isWithin(one.grid, point) && one.greyAt(indexOf(one, point)) !== undefined,
  );
  if (level === undefined) return point;
  const middle = indexOf(level, point);
  const { voxelSize } = level.grid;
  const reach = voxelSize.map((length) => Math.max(1, Math.round(radius / 2 / length))) as [number, number, number];
  let darkest = Number.POSITIVE_INFINITY;
  let best = point;
  const sums = cubeSums(level, middle, reach);
  for (let z = -reach[0]; z <= reach[0]; z++) {
    for (let y = -reach[1]; y <= reach[1]; y++) {
      for (let x = -reach[2]; x <= reach[2]; x++) {
        const away = Math.hypot(z * voxelSize[0], y * voxelSize[1], x * voxelSize[2]);
        const sum = sums([z, y, x]);
        if (away > radius / 2 || sum >= darkest) continue;
        darkest = sum;
        best = pointOf(level, [middle[0] + z, middle[1] + y, middle[2] + x]);
      }
    }
  }
  return best;
}

function indexOf({ grid }: GreyLevel, point: Point): Zyx {
  return [planeIndex(grid, 0, point), planeIndex(grid, 1, point), planeIndex(grid, 2, point)];
}

function pointOf({ grid }: GreyLevel, index: Zyx): Point {
  const at = (axis: Axis) => planePosition(grid, axis, index[axis]);
  return { z: at(0), y: at(1), x: at(2) };
}

/** Sums of grey over cubes of half-width `reach` around places up to `reach` from a middle, by a table of sums. */
function cubeSums(level: GreyLevel, middle: Zyx, reach: Zyx): (from: Zyx) => number {
  const [depth, height, width] = reach.map((length) => 4 * length + 2) as [number, number, number];
  const table = new Float64Array(depth * height * width);
  const at = (z: number, y: number, x: number) => (z * height + y) * width + x;
  for (let z = 1; z < depth; z++) {
    for (let y = 1; y < height; y++) {
      let row = 0;
      for (let x = 1; x < width; x++) {
        const voxel: Zyx = [
          middle[0] + z - 1 - 2 * reach[0],
          middle[1] + y - 1 - 2 * reach[1],
          middle[2] + x - 1 - 2 * reach[2],
        ];
        // Outside the volume, and where nothing was read, it is white: never the darkest.
        row += level.greyAt(voxel) ?? 65535;
        table[at(z, y, x)] = row + table[at(z, y - 1, x)]! + table[at(z - 1, y, x)]! - table[at(z - 1, y - 1, x)]!;
      }
    }
  }
  return ([z, y, x]) => {
    const [z0, y0, x0] = [z + reach[0], y + reach[1], x + reach[2]];
    const [z1, y1, x1] = [z0 + 2 * reach[0] + 1, y0 + 2 * reach[1] + 1, x0 + 2 * reach[2] + 1];
    const upTo = (depth: number) =>
      table[at(depth, y1, x1)]! - table[at(depth, y0, x1)]! - table[at(depth, y1, x0)]! + table[at(depth, y0, x0)]!;
    return upTo(z1) - upTo(z0);
  };
}
