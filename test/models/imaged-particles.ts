import FFT from 'fft.js';
import type { Zyx } from '../../src/entry/index.ts';

/** A radial density profile, sampled every `step` Å, about a centre in voxels. */
export interface PlantedParticle {
  readonly profile: readonly number[];
  readonly centre: Zyx;
  /** Factors by which the particle is longer along z, y, x than its radial average. */
  readonly stretch: Zyx;
}

const voxelSize = 10.012;

/**
 * Particles of radial density with noise, seen through the missing wedge, the contrast transfer and the blur that the
 * radial network assumes: z-scored, protein dark, `[z, y, x]`. Edges are powers of two; the volume wraps around.
 */
export function imagedParticles(
  shape: Zyx,
  options: { readonly particles: readonly PlantedParticle[]; readonly step: number; readonly noise: number },
): Float32Array {
  const size = shape[0] * shape[1] * shape[2];
  const values = new Float64Array(2 * size);
  let state = 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  for (let i = 0; i < size; i++) {
    values[2 * i] = options.noise * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  }
  for (const particle of options.particles) draw(values, shape, particle, options.step);
  transform(values, shape, 'transform');
  filter(values, shape);
  transform(values, shape, 'inverseTransform');
  const voxels = Float64Array.from({ length: size }, (_, i) => -values[2 * i]!);
  const mean = voxels.reduce((sum, value) => sum + value, 0) / size;
  const deviation = Math.sqrt(voxels.reduce((sum, value) => sum + (value - mean) ** 2, 0) / size);
  return Float32Array.from(voxels, (value) => (value - mean) / deviation);
}

function draw(values: Float64Array, shape: Zyx, { profile, centre, stretch }: PlantedParticle, step: number): void {
  const [low, high] = [centre.map((c) => Math.floor(c - 20)), centre.map((c) => Math.ceil(c + 20))];
  for (let z = low[0]!; z < high[0]!; z++) {
    for (let y = low[1]!; y < high[1]!; y++) {
      for (let x = low[2]!; x < high[2]!; x++) {
        const at =
          (Math.hypot((z - centre[0]) / stretch[0], (y - centre[1]) / stretch[1], (x - centre[2]) / stretch[2]) *
            voxelSize) /
          step;
        const below = Math.floor(at);
        if (below + 1 >= profile.length) continue;
        const density = profile[below]! * (below + 1 - at) + profile[below + 1]! * (at - below);
        values[2 * ((z * shape[1] + y) * shape[2] + x)]! += density;
      }
    }
  }
}

function transform(values: Float64Array, shape: Zyx, direction: 'transform' | 'inverseTransform'): void {
  const strides = [shape[1] * shape[2], shape[2], 1];
  for (let axis = 0; axis < 3; axis++) {
    const length = shape[axis]!;
    const stride = strides[axis]!;
    const fft = new FFT(length);
    const line = new Float64Array(2 * length);
    const result = new Float64Array(2 * length);
    for (let start = 0; start < values.length / 2; start++) {
      if (Math.floor(start / stride) % length !== 0) continue;
      for (let i = 0; i < length; i++)
        line.set(values.subarray(2 * (start + i * stride), 2 * (start + i * stride) + 2), 2 * i);
      fft[direction](result, line);
      for (let i = 0; i < length; i++) values.set(result.subarray(2 * i, 2 * i + 2), 2 * (start + i * stride));
    }
  }
}

function filter(values: Float64Array, [depth, height, width]: Zyx): void {
  const frequency = (i: number, length: number) => (i < length / 2 ? i : i - length) / (length * voxelSize);
  for (let z = 0, at = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at += 2) {
        const [kz, ky, kx] = [frequency(z, depth), frequency(y, height), frequency(x, width)];
        const strength = views(kz, kx) * transfer(kz * kz + ky * ky + kx * kx);
        values[at]! *= strength;
        values[at + 1]! *= strength;
      }
    }
  }
}

/** Tilts of ±45° about y, the higher the weaker. */
function views(kz: number, kx: number): number {
  const tilt = kz === 0 && kx === 0 ? 0 : (Math.atan(Math.abs(kz / kx)) * 180) / Math.PI;
  return tilt > 45 ? 0 : Math.exp(-0.5 * (tilt / 27) ** 2);
}

/** Contrast transfer at 3 µm underfocus and 300 kV, deconvolved, and a blur of 8 Å. */
function transfer(squared: number): number {
  const phase = Math.PI * 0.0197 * 3e4 * squared;
  const contrast = Math.sqrt(1 - 0.07 ** 2) * Math.sin(phase) + 0.07 * Math.cos(phase);
  return (contrast ** 2 / (contrast ** 2 + 0.006)) * Math.exp(-2 * Math.PI ** 2 * 64 * squared);
}
