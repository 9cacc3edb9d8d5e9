import type { Zyx } from '../space/zyx.ts';
import type { Peak } from './local-maxima.ts';
import type { Plane } from './sweep.ts';

/** Offsets of one plane of a sweep: a plane along each of z, y, x, in voxels of the score map. */
export type Offsets = readonly Plane[];

/** The offset of one voxel. */
export function offsetAt([z, y, x]: Offsets, row: number, column: number): Zyx {
  return [valueAt(z, row, column), valueAt(y, row, column), valueAt(x, row, column)];
}

function valueAt({ data, offset, rowStride, columnStride }: Plane, row: number, column: number): number {
  return data[offset + row * rowStride + column * columnStride];
}

/** The peak where an offset moves it; where there is none, it stays. */
export function movedBy(offset: Zyx | undefined, peak: Peak): Peak {
  if (offset === undefined) return peak;
  const [z, y, x] = peak.voxel;
  return { ...peak, voxel: [z + offset[0], y + offset[1], x + offset[2]] };
}
