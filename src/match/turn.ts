import type { Rotation } from '../picks/rotation.ts';
import type { Zyx } from '../space/grid.ts';
import { contiguousVolume, type Volume } from '../volume/volume.ts';

/** A volume around a point of its own, such as an object around its centre. */
export interface Centred {
  readonly volume: Volume;
  /** In Å. */
  readonly voxelSize: Zyx;
  /** Index of the point, which may lie between voxels. */
  readonly centre: Zyx;
}

/** An empty cube with an odd number of voxels along each edge, so that its centre is a voxel. */
export function emptyCube(half: number): Volume {
  const side = 2 * half + 1;
  return contiguousVolume(new Float32Array(side ** 3), [side, side, side]);
}

/** The middle voxel of a cube of an odd length. */
export function middleOf({ shape: [depth, height, width] }: Volume): Zyx {
  return [(depth - 1) / 2, (height - 1) / 2, (width - 1) / 2];
}

/**
 * Fills a cube with a volume, turned about its point, by linear interpolation; what is outside counts as 0.
 *
 * @param cube - C-order, of an odd length; its centre shows the point.
 * @param rotation - Takes a displacement in the cube to that in the volume, both in Å.
 * @param voxelSize - Of the cube, in Å.
 */
export function turnInto(
  cube: Volume,
  { volume, voxelSize: size, centre }: Centred,
  rotation: Rotation,
  voxelSize: number,
): void {
  const [x, y, z] = rotation;
  const half = (cube.shape[0] - 1) / 2;
  // From one voxel of the cube to the next along x, y and z, in voxels of the volume.
  const [alongX, alongY, alongZ] = ([0, 1, 2] as const).map(
    (axis): Zyx => [(z[axis] * voxelSize) / size[0], (y[axis] * voxelSize) / size[1], (x[axis] * voxelSize) / size[2]],
  ) as [Zyx, Zyx, Zyx];
  let to = 0;
  for (let k = -half; k <= half; k++) {
    for (let j = -half; j <= half; j++) {
      let pz = centre[0] + k * alongZ[0] + j * alongY[0] - half * alongX[0];
      let py = centre[1] + k * alongZ[1] + j * alongY[1] - half * alongX[1];
      let px = centre[2] + k * alongZ[2] + j * alongY[2] - half * alongX[2];
      for (let i = -half; i <= half; i++) {
        cube.data[to++] = interpolated(volume, pz, py, px);
        pz += alongX[0];
        py += alongX[1];
        px += alongX[2];
      }
    }
  }
}

function interpolated(volume: Volume, z: number, y: number, x: number): number {
  const { data, shape, stride, offset } = volume;
  const [k, j, i] = [Math.floor(z), Math.floor(y), Math.floor(x)];
  if (!(k >= 0 && j >= 0 && i >= 0 && k < shape[0] - 1 && j < shape[1] - 1 && i < shape[2] - 1)) {
    return interpolatedAtFace(volume, z, y, x);
  }
  const [fz, fy, fx] = [z - k, y - j, x - i];
  const at = offset + k * stride[0] + j * stride[1] + i * stride[2];
  const [down, right] = [at + stride[1], stride[2]];
  const top = between(between(data[at], data[at + right], fx), between(data[down], data[down + right], fx), fy);
  const [below, far] = [at + stride[0], down + stride[0]];
  const bottom = between(between(data[below], data[below + right], fx), between(data[far], data[far + right], fx), fy);
  const value = between(top, bottom, fz);
  // 0 · NaN is NaN, but a voxel without weight does not count.
  return Number.isFinite(value) ? value : interpolatedAtFace(volume, z, y, x);
}

function between(a: number, b: number, share: number): number {
  return a + (b - a) * share;
}

/** Corners one by one: those outside count as 0, those without weight not at all. */
function interpolatedAtFace({ data, shape, stride, offset }: Volume, z: number, y: number, x: number): number {
  const [k, j, i] = [Math.floor(z), Math.floor(y), Math.floor(x)];
  if (k < -1 || j < -1 || i < -1 || k >= shape[0] || j >= shape[1] || i >= shape[2]) return 0;
  const [fz, fy, fx] = [z - k, y - j, x - i];
  let sum = 0;
  for (let corner = 0; corner < 8; corner++) {
    const [dz, dy, dx] = [corner >> 2, (corner >> 1) & 1, corner & 1];
    const [cz, cy, cx] = [k + dz, j + dy, i + dx];
    if (cz < 0 || cy < 0 || cx < 0 || cz >= shape[0] || cy >= shape[1] || cx >= shape[2]) continue;
    const weight = (dz ? fz : 1 - fz) * (dy ? fy : 1 - fy) * (dx ? fx : 1 - fx);
    if (weight > 0) sum += weight * data[offset + cz * stride[0] + cy * stride[1] + cx * stride[2]];
  }
  return sum;
}
