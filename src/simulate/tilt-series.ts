import type { Steps } from '../core/concurrency.ts';
import type { Zyx } from '../space/grid.ts';
import type { Imaging } from './imaging-options.ts';
import { createRandom } from './random.ts';
import { frequency } from './spectrum.ts';

/** Degrees over which the wedge's edge fades. */
const wedgeEdge = 2;

/**
 * Thickness of ice, in Å, that weakens a view by a factor e. The mean free path of electrons at 300 kV is about 3000 Å;
 * this value is fitted to the real planes, whose high tilts are weaker than mean free path and dose explain.
 */
const attenuation = 1800;

/** The Fourier transform that a filter is applied to. */
export interface FilterGeometry {
  /** Transform lengths along z, y, x. */
  readonly lengths: Zyx;
  readonly voxelSize: Zyx;
}

/** The tilt series per direction: plain numbers per kx and kz, `[kx][kz]`. */
export interface Views {
  /** How strongly a direction was sampled: 0 in the missing wedge, less at high tilts because of thicker ice. */
  readonly strength: Float64Array;
  /** Fraction of the total dose before a direction was sampled, 0 … 1. */
  readonly dose: Float64Array;
  /** Sine of the tilt that sampled a direction. */
  readonly sine: Float64Array;
  /** Index of the view that sampled it. */
  readonly view: Uint16Array;
  /** Phase factors of that view's alignment error across the tilt axis, real and imaginary parts interleaved. */
  readonly shift: Float64Array;
  /** Alignment error of each view along the tilt axis, in Å. */
  readonly shiftY: Float64Array;
}

/** How the views of a tilt series sample each direction. A view at tilt θ samples the direction θ away from kx. */
export function* tiltViews({ lengths, voxelSize }: FilterGeometry, imaging: Imaging): Steps<Views> {
  const [first, last] = imaging.tiltRange;
  const count = Math.floor((last - first) / imaging.tiltStep) + 1;
  const random = createRandom(imaging.seed, 4);
  const draw = () => Float64Array.from({ length: count }, () => imaging.alignmentError * random.normal());
  const [across, shiftY] = [draw(), draw()];
  const size = lengths[2] * lengths[0];
  const [strength, dose, sine] = [new Float64Array(size), new Float64Array(size), new Float64Array(size)];
  const view = new Uint16Array(size);
  const shift = new Float64Array(2 * size);
  const furthest = Math.max(Math.abs(first), Math.abs(last));
  for (let i = 0, at = 0; i < lengths[2]; i++) {
    const x = frequency(i, lengths[2], voxelSize[2]);
    for (let k = 0; k < lengths[0]; k++, at++) {
      const z = frequency(k, lengths[0], voxelSize[0]);
      // The axis itself, kx = kz = 0, is in every view.
      const tilt = x === 0 && z === 0 ? 0 : (Math.atan(z / x) * 180) / Math.PI;
      const radians = (tilt * Math.PI) / 180;
      const edge = Math.min(1, Math.max(0, Math.min(tilt - first, last - tilt) / wedgeEdge));
      const path = imaging.iceThickness * (1 / Math.max(0.05, Math.cos(radians)) - 1);
      strength[at] = edge * Math.exp(-path / attenuation);
      dose[at] = Math.abs(tilt) / furthest;
      sine[at] = Math.sin(radians);
      view[at] = Math.min(count - 1, Math.max(0, Math.round((tilt - first) / imaging.tiltStep)));
      // Along the axis of the view, with the sign of kx: opposite frequencies get opposite phases.
      const phase = -2 * Math.PI * Math.sign(x) * Math.hypot(x, z) * across[view[at]!]!;
      shift[2 * at] = Math.cos(phase);
      shift[2 * at + 1] = Math.sin(phase);
    }
    yield;
  }
  return { strength, dose, sine, view, shift, shiftY };
}
