import { type Rule, requireArgument } from '../core/arguments.ts';
import type { Zyx } from '../space/grid.ts';
import { fromSweepOrder, type Plane, type PlaneSweep } from './planes.ts';

/** The offset, in voxels along z, y, x, of a peak from the middle of its 3×3×3 neighbourhood, which it must not keep. */
export type Refine = (scores: Float64Array) => Zyx;

/** The planes before, at and after a peak. */
export type Layers = readonly [Plane | undefined, Plane, Plane | undefined];

/** The 27 scores around a voxel in the order z, y, x, whatever the sweep axis; NaN beyond the volume. */
export function scoresAroundInto(
  layers: Layers,
  sweep: PlaneSweep,
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

/**
 * The place of a peak between voxels: the top of the quadratic that fits the 27 scores around a voxel best.
 *
 * Least squares over the 3×3×3 neighbourhood (as V. Venkatraman and others do for correlation peaks), which averages noise
 * where a parabola per axis follows it. A fit without a top, or with one more than half a voxel away along an axis, moves
 * the peak along that axis by no more than half a voxel.
 *
 * @param scores - The neighbourhood, C-order `[z, y, x]`; NaN where the volume ends.
 * @throws {@link CryoetPicksError} `invalid-option` for anything but 27 numbers.
 * @returns The offset from the middle voxel, each part within ±0.5; 0 where a neighbour is missing or not finite.
 *
 * @example
 * ```ts
 * for await (const peak of localMaxima(slabs, { threshold: 0.2, refine: quadraticFit })) picks.push(toPick(peak));
 * ```
 */
export function quadraticFit(scores: Float64Array): Zyx {
  if (!(scores?.length === 27)) requireArgument('quadraticFit', 'scores', scores, neighbourhood);
  let [bz, by, bx, zz, yy, xx, zy, zx, yx] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < 27; i++) {
    const score = scores[i];
    if (!Number.isFinite(score)) return [0, 0, 0];
    const x = (i % 3) - 1;
    const y = (Math.floor(i / 3) % 3) - 1;
    const z = Math.floor(i / 9) - 1;
    bz += score * z;
    by += score * y;
    bx += score * x;
    zz += score * (z * z - 2 / 3);
    yy += score * (y * y - 2 / 3);
    xx += score * (x * x - 2 / 3);
    zy += score * z * y;
    zx += score * z * x;
    yx += score * y * x;
  }
  // Sums of squares of the basis functions over the neighbourhood: 18 for x, 6 for x² − 2/3, 12 for xy.
  const top = solve([zz / 3, yy / 3, xx / 3, zy / 12, zx / 12, yx / 12], [bz / 18, by / 18, bx / 18]);
  return top.map((offset) => Math.min(0.5, Math.max(-0.5, offset))) as unknown as Zyx;
}

const neighbourhood: Rule = { expected: 'the 27 scores around a voxel', isValid: () => false };

/** Second derivatives: along z, y, x, and mixed zy, zx, yx. */
type Curvature = readonly [zz: number, yy: number, xx: number, zy: number, zx: number, yx: number];

/** Where the gradient vanishes: −H⁻¹ b, or the middle where H has no maximum. */
function solve([zz, yy, xx, zy, zx, yx]: Curvature, [bz, by, bx]: Zyx): Zyx {
  const minor = zz * yy - zy * zy;
  const cz = yy * xx - yx * yx;
  const cy = zx * yx - zy * xx;
  const cx = zy * yx - zx * yy;
  const determinant = zz * cz + zy * cy + zx * cx;
  if (!(zz < 0 && minor > 0 && determinant < 0)) return [0, 0, 0];
  return [
    -(cz * bz + cy * by + cx * bx) / determinant,
    -(cy * bz + (zz * xx - zx * zx) * by + (zy * zx - zz * yx) * bx) / determinant,
    -(cx * bz + (zy * zx - zz * yx) * by + minor * bx) / determinant,
  ];
}
