import type { Zyx } from '../space/zyx.ts';

/**
 * Width, in degrees of tilt, over which a view loses strength as exp(−tilt²/2w²): higher tilts look through thicker ice and
 * come later in the dose. Measured in the real planes: noise power falls to a fifth at 35°.
 */
const tiltFallOff = 27;

/** Degrees over which the wedge's edge fades. */
const wedgeEdge = 2;

/** The transform that a filter works on. */
export interface FilterGeometry {
  /** Transform lengths along z, y, x. */
  readonly lengths: Zyx;
  readonly voxelSize: Zyx;
}

/** Per kx and kz, how strongly the views of the tilt series hold that direction: 0 in the missing wedge. */
export function viewStrength(
  { lengths, voxelSize }: FilterGeometry,
  [first, last]: readonly [number, number],
): Float64Array {
  const strength = new Float64Array(lengths[2] * lengths[0]);
  for (let i = 0; i < lengths[2]; i++) {
    const x = frequency(i, lengths[2], voxelSize[2]);
    for (let k = 0; k < lengths[0]; k++) {
      const z = frequency(k, lengths[0], voxelSize[0]);
      // A view at tilt θ holds the direction θ away from kx; the axis itself, kx = kz = 0, is in every view.
      const tilt = x === 0 && z === 0 ? 0 : (Math.atan(z / x) * 180) / Math.PI;
      const inside = Math.min(tilt - first, last - tilt);
      const edge = Math.min(1, Math.max(0, inside / wedgeEdge));
      strength[i * lengths[0] + k] = edge * Math.exp(-0.5 * (tilt / tiltFallOff) ** 2);
    }
  }
  return strength;
}

/** Squared frequency, in Å⁻², of every index of a transform. */
export function squaredFrequencies(length: number, voxelSize: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => frequency(i, length, voxelSize) ** 2);
}

/** Frequency, in Å⁻¹, of an index of a transform; the upper half are the negative ones. */
export function frequency(index: number, length: number, voxelSize: number): number {
  return (index <= length / 2 ? index : index - length) / (length * voxelSize);
}
