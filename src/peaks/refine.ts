import type { Zyx } from '../space/zyx.ts';
import { fromSweepOrder, type Plane, type Sweep } from './sweep.ts';

/** The offset, in voxels along z, y, x, of a peak from the middle of its 3×3×3 neighbourhood, which it must not keep. */
export type Refine = (scores: Float64Array) => Zyx;

/** The planes before, at and after a peak. */
export type Layers = readonly [Plane | undefined, Plane, Plane | undefined];

/** The 27 scores around a voxel in the order z, y, x, whatever the sweep axis; NaN where there is none. */
export function scoresAroundInto(
  layers: Layers,
  sweep: Sweep,
  row: number,
  column: number,
  scores: Float64Array,
): void {
  const { rows, columns } = sweep;
  for (let p = -1; p <= 1; p++) {
    const plane = layers[p + 1];
    for (let r = -1; r <= 1; r++) {
      for (let c = -1; c <= 1; c++) {
        const isInside = row + r >= 0 && row + r < rows && column + c >= 0 && column + c < columns;
        const [z, y, x] = fromSweepOrder(sweep, p, r, c);
        scores[9 * (z + 1) + 3 * (y + 1) + x + 1] =
          plane && isInside
            ? plane.data[plane.offset + (row + r) * plane.rowStride + (column + c) * plane.columnStride]
            : Number.NaN;
      }
    }
  }
}
