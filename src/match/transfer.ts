import { finiteNumber, flag, isFields, oneOf, optional, type Rule } from '../core/arguments.ts';
import type { RealTransform } from './fft.ts';

/**
 * The directions that a tilt series has seen: give `tiltRange`, between whose ends all of them count as seen, or `tiltAngles`, each of
 * which has seen a slice of Fourier space as thick as a voxel of it.
 */
export interface MissingWedge {
  /** First and last tilt, in degrees. */
  readonly tiltRange?: readonly [first: number, last: number] | undefined;
  /** Every tilt, in degrees. */
  readonly tiltAngles?: readonly number[] | undefined;
  /**
   * The axis about which the specimen was tilted. A view at tilt θ has seen frequencies whose ratio z / x (about `y`) or z / y (about
   * `x`) is tan θ.
   * @defaultValue `'y'`
   */
  readonly tiltAxis?: 'x' | 'y' | undefined;
}

/** What the microscope makes of contrast at each frequency. */
export interface ContrastTransfer {
  /** Underfocus, in µm. */
  readonly defocus: number;
  /** In kV. @defaultValue 300 */
  readonly voltage?: number | undefined;
  /** Spherical aberration, in mm. @defaultValue 2.7 */
  readonly sphericalAberration?: number | undefined;
  /** As a fraction, 0 … 1. @defaultValue 0.07 */
  readonly amplitudeContrast?: number | undefined;
  /** Whether phases were flipped in the reconstruction, so that contrast nowhere changes its sign. @defaultValue false */
  readonly phasesFlipped?: boolean | undefined;
}

/** The factor by which a frequency z, y, x, in Å⁻¹, is multiplied. */
export type Transfer = (z: number, y: number, x: number) => number;

/**
 * 1 where a tilt series has seen a frequency, 0 in the missing wedge.
 *
 * @param thickness - Of the slice that a view has seen, in Å⁻¹.
 */
export function seenBy({ tiltRange, tiltAngles, tiltAxis = 'y' }: MissingWedge, thickness: number): Transfer {
  if (tiltRange) {
    const [first, last] = tiltRange.map((angle) => (angle * Math.PI) / 180) as [number, number];
    return (z, y, x) => {
      const across = tiltAxis === 'y' ? x : y;
      // The axis itself is in every view.
      if (across === 0 && z === 0) return 1;
      const tilt = Math.atan(z / across);
      return tilt >= first && tilt <= last ? 1 : 0;
    };
  }
  const views = (tiltAngles ?? []).map((angle) => (angle * Math.PI) / 180);
  const [sines, cosines] = [views.map(Math.sin), views.map(Math.cos)];
  return (z, y, x) => {
    const across = tiltAxis === 'y' ? x : y;
    for (let i = 0; i < views.length; i++) {
      if (Math.abs(z * cosines[i] - across * sines[i]) <= thickness / 2) return 1;
    }
    return 0;
  };
}

/**
 * Contrast transfer: √(1 − A²) sin χ + A cos χ with χ = π λ f² (Δz − λ² f² Cs / 2), which is above 0 at the lowest frequencies; its
 * absolute value where phases were flipped.
 */
export function contrastTransfer(ctf: ContrastTransfer): Transfer {
  const { defocus, voltage = 300, sphericalAberration = 2.7, amplitudeContrast = 0.07, phasesFlipped = false } = ctf;
  const volts = voltage * 1e3;
  // The wavelength of an electron in Å, with its relativistic mass.
  const wavelength = 12.2643 / Math.sqrt(volts * (1 + 0.978466e-6 * volts));
  const phaseContrast = Math.sqrt(1 - amplitudeContrast ** 2);
  return (z, y, x) => {
    const squared = z * z + y * y + x * x;
    const bend = defocus * 1e4 - (wavelength ** 2 * squared * sphericalAberration * 1e7) / 2;
    const phase = Math.PI * wavelength * squared * bend;
    const contrast = phaseContrast * Math.sin(phase) + amplitudeContrast * Math.cos(phase);
    return phasesFlipped ? Math.abs(contrast) : contrast;
  };
}

/** A transfer at every number of a spectrum, `[kz, ky, kx]`. */
export function transferTable({ shape, width }: RealTransform, voxelSize: number, transfer: Transfer): Float32Array {
  const [nz, ny, nx] = shape;
  const table = new Float32Array(nz * ny * width);
  let to = 0;
  for (let k = 0; k < nz; k++) {
    const z = frequencyAt(k, nz, voxelSize);
    for (let j = 0; j < ny; j++) {
      const y = frequencyAt(j, ny, voxelSize);
      for (let i = 0; i < width; i++) table[to++] = transfer(z, y, i / (nx * voxelSize));
    }
  }
  return table;
}

/** The frequency of an index along z or y of a spectrum, in Å⁻¹; the upper half of the indices are negative frequencies. */
export function frequencyAt(index: number, length: number, voxelSize: number): number {
  return (index <= length / 2 ? index : index - length) / (length * voxelSize);
}

/** Multiplies a spectrum by a table of {@link transferTable}. */
export function multiplyBy(spectrum: Float32Array, table: Float32Array): void {
  for (let i = 0; i < table.length; i++) {
    spectrum[2 * i] *= table[i];
    spectrum[2 * i + 1] *= table[i];
  }
}

const angles: Rule = {
  expected: 'tilts in degrees, from −90 to 90',
  isValid: (value) => value === undefined || (Array.isArray(value) && value.length > 0 && value.every(isTilt)),
};
function isTilt(value: unknown): boolean {
  return typeof value === 'number' && value >= -90 && value <= 90;
}
export const wedgeRule: Rule = {
  expected: 'a missing wedge { tiltRange: [-60, 60] } or { tiltAngles }',
  isValid: (value) => value === undefined || isWedge(value),
  fields: {
    tiltRange: {
      expected: 'the first and the last tilt in degrees, rising, from −90 to 90',
      isValid: (value) =>
        value === undefined ||
        (Array.isArray(value) && value.length === 2 && value.every(isTilt) && value[0] < value[1]),
    },
    tiltAngles: angles,
    tiltAxis: /* @__PURE__ */ oneOf('x', 'y', undefined),
  },
};
function isWedge(value: unknown): boolean {
  const { tiltRange, tiltAngles } = (isFields(value) ? value : {}) as MissingWedge;
  return (tiltRange === undefined) !== (tiltAngles === undefined);
}
const share: Rule = {
  expected: 'a number from 0 to 1',
  isValid: (value) => value === undefined || (typeof value === 'number' && value >= 0 && value <= 1),
};
export const ctfRule: Rule = {
  expected: 'contrast transfer { defocus } in µm, and what is known of the microscope',
  isValid: (value) => value === undefined || isFields(value),
  fields: {
    defocus: {
      expected: 'a defocus in µm, at most 100 on either side of 0',
      isValid: (value) => typeof value === 'number' && Math.abs(value) <= 100,
    },
    voltage: {
      expected: 'a voltage in kV, from 1 to 3,000',
      isValid: (value) => value === undefined || (typeof value === 'number' && value >= 1 && value <= 3000),
    },
    sphericalAberration: /* @__PURE__ */ optional(finiteNumber),
    amplitudeContrast: share,
    phasesFlipped: /* @__PURE__ */ optional(flag),
  },
};
