import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCryoetPicksError } from '../../src/errors.ts';
import { imagingFilter } from '../../src/simulate/imaging.ts';
import type { ImagingOptions } from '../../src/simulate/imaging-options.ts';
import { createRandom } from '../../src/simulate/random.ts';
import { filterSpectrum, type PaddedVolume, paddedVolume, type SpectrumLine } from '../../src/simulate/spectrum.ts';
import type { Zyx } from '../../src/space/zyx.ts';
import { toFloat32, type Volume } from '../../src/volume/volume.ts';

const voxelSize: Zyx = [10, 10, 10];

interface Filling {
  readonly margin?: number;
  readonly value?: ((index: number) => number) | undefined;
}

function filled(shape: Zyx, { margin = 0, value = () => 0 }: Filling = {}): PaddedVolume {
  const padded = paddedVolume(shape, { margin });
  const { data, stride } = padded.volume;
  for (let z = 0, i = 0; z < shape[0]; z++) {
    for (let y = 0; y < shape[1]; y++) {
      for (let x = 0; x < shape[2]; x++, i++) data[z * stride[0] + y * stride[1] + x] = value(i);
    }
  }
  return padded;
}

function filter(padded: PaddedVolume, change: (line: SpectrumLine) => void): Volume {
  for (const _ of filterSpectrum(padded, change));
  return toFloat32(padded.volume);
}

function image(shape: Zyx, options: ImagingOptions, value?: (index: number) => number): Volume {
  const padded = filled(shape, { value });
  return filter(padded, imagingFilter({ lengths: padded.lengths, voxelSize }, options));
}

/** The 3-D Fourier coefficient of a volume by its definition. */
function coefficient({ data, shape }: Volume, [kz, ky, kx]: Zyx): [number, number] {
  let re = 0;
  let im = 0;
  for (let z = 0, i = 0; z < shape[0]; z++) {
    for (let y = 0; y < shape[1]; y++) {
      for (let x = 0; x < shape[2]; x++, i++) {
        const phase = -2 * Math.PI * ((kz * z) / shape[0] + (ky * y) / shape[1] + (kx * x) / shape[2]);
        re += data[i]! * Math.cos(phase);
        im += data[i]! * Math.sin(phase);
      }
    }
  }
  return [re, im];
}

const amplitude = (volume: Volume, k: Zyx) => Math.hypot(...coefficient(volume, k));

function randomVolume(seed: number): (index: number) => number {
  const random = createRandom(seed);
  return () => random.normal();
}

describe('filterSpectrum', () => {
  it('gives the volume back where nothing is changed', () => {
    const extent = fc.integer({ min: 1, max: 12 });
    fc.assert(
      fc.property(extent, extent, extent, fc.nat(6), fc.nat(), (depth, height, width, margin, seed) => {
        const padded = filled([depth, height, width], { margin, value: randomVolume(seed) });
        const before = toFloat32(padded.volume).data;
        const after = filter(padded, () => {}).data;
        expect(Math.max(...after.map((value, i) => Math.abs(value - before[i]!)))).toBeLessThan(1e-5);
      }),
      { numRuns: 40 },
    );
  });

  it('hands out the coefficients of the 3-D transform', () => {
    const padded = filled([8, 4, 16], { value: randomVolume(1) });
    const before = toFloat32(padded.volume);
    filter(padded, ({ ky, kx, values }) => {
      for (const kz of [0, 3, 7]) {
        const [re, im] = coefficient(before, [kz, ky, kx]);
        expect(values[2 * kz]).toBeCloseTo(re, 3);
        expect(values[2 * kz + 1]).toBeCloseTo(im, 3);
      }
    });
    expect.assertions(3 * 16 * 3 * 2);
  });

  it('shifts a volume when its phases are turned', () => {
    const padded = filled([8, 8, 8], { value: randomVolume(2) });
    const before = toFloat32(padded.volume).data;
    const after = filter(padded, ({ ky, kx, values }) => {
      for (let kz = 0; kz < 8; kz++) {
        const phase = (-2 * Math.PI * (kz * 1 + ky * 2 + kx * 3)) / 8;
        const [re, im] = [values[2 * kz]!, values[2 * kz + 1]!];
        values[2 * kz] = re * Math.cos(phase) - im * Math.sin(phase);
        values[2 * kz + 1] = re * Math.sin(phase) + im * Math.cos(phase);
      }
    }).data;
    for (const [z, y, x] of [
      [0, 0, 0],
      [7, 1, 4],
      [3, 6, 2],
    ] as const) {
      expect(after[((z + 1) % 8) * 64 + ((y + 2) % 8) * 8 + ((x + 3) % 8)]).toBeCloseTo(before[z * 64 + y * 8 + x]!, 4);
    }
  });
});

describe('imagingFilter', () => {
  it('leaves nothing in the missing wedge, of signal or noise', () => {
    const imaged = image([32, 8, 32], { seed: 1, noise: 1 }, (i) => (i === 16 * 256 + 4 * 32 + 16 ? 10 : 0));
    const inside = [1, 2, 4, 8].map((kx) => amplitude(imaged, [kx / 2, 1, kx]));
    expect(Math.min(...inside)).toBeGreaterThan(0.5);
    for (let kz = 1; kz < 16; kz++) {
      for (const kx of [0, Math.floor(kz / 2), kz - 1, -Math.floor(kz / 2)]) {
        for (const ky of [0, 1, 4]) expect(amplitude(imaged, [kz, ky, kx])).toBeLessThan(1e-4);
      }
    }
  });

  it('sees what the tilt range sees', () => {
    const point = (i: number) => (i === 16 * 256 + 4 * 32 + 16 ? 10 : 0);
    const one = image([32, 8, 32], { noise: 0, tiltRange: [-10, 60] }, point);
    expect(amplitude(one, [6, 1, 4])).toBeGreaterThan(1e-3); // 56°
    expect(amplitude(one, [-4, 1, 6])).toBeLessThan(1e-5); // −34°
    expect(amplitude(one, [4, 1, -6])).toBeLessThan(1e-5);
  });

  it('moves nothing: a point stays the centre of its own symmetric image', () => {
    const imaged = image([32, 16, 32], { noise: 0 }, (i) => (i === 16 * 512 + 8 * 32 + 16 ? 100 : 0));
    const at = (z: number, y: number, x: number) => imaged.data[z * 512 + y * 32 + x]!;
    expect(Math.max(...imaged.data)).toBe(at(16, 8, 16));
    for (const [z, y, x] of [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
      [3, 2, 1],
      [5, 0, -4],
    ] as const) {
      expect(at(16 + z, 8 + y, 16 + x)).toBeCloseTo(at(16 - z, 8 - y, 16 - x), 5);
    }
  });

  it('smears along z more than along x, as a missing wedge does', () => {
    const imaged = image([64, 16, 64], { noise: 0 }, (i) => (i === 32 * 1024 + 8 * 64 + 32 ? 100 : 0));
    const at = (z: number, x: number) => imaged.data[z * 1024 + 8 * 64 + x]! / imaged.data[32 * 1024 + 8 * 64 + 32]!;
    expect(at(34, 32)).toBeGreaterThan(0.4);
    expect(at(32, 34)).toBeLessThan(0.15);
  });

  it('adds noise of the level asked for, everywhere alike', () => {
    const deviation = (data: Float32Array) =>
      Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length);
    const one = image([64, 64, 64], { noise: 1, seed: 4 });
    const two = image([64, 64, 64], { noise: 2, seed: 4 });
    expect(deviation(one.data)).toBeCloseTo(0.045, 2.5);
    expect(deviation(two.data) / deviation(one.data)).toBeCloseTo(2, 4);
    const half = one.data.length / 2;
    expect(deviation(one.data.subarray(0, half)) / deviation(one.data.subarray(half))).toBeCloseTo(1, 0.8);
    expect(one.data.reduce((sum, value) => sum + value, 0) / one.data.length).toBeCloseTo(0, 3);
  });

  it('is linear in the density without noise', () => {
    const a = image([16, 8, 16], { noise: 0 }, randomVolume(1));
    const b = image([16, 8, 16], { noise: 0 }, randomVolume(2));
    const first = randomVolume(1);
    const second = randomVolume(2);
    const sum = image([16, 8, 16], { noise: 0 }, (i) => first(i) + 3 * second(i));
    const difference = sum.data.map((value, i) => Math.abs(value - a.data[i]! - 3 * b.data[i]!));
    expect(Math.max(...difference)).toBeLessThan(1e-5);
  });

  it.each<[string, ImagingOptions, string]>([
    ['negative noise', { noise: -1 }, 'noise'],
    ['noise that is no number', { noise: Number.NaN }, 'noise'],
    ['a tilt range the wrong way round', { tiltRange: [45, -45] }, '[45, -45]'],
    ['tilts beyond 90°', { tiltRange: [-100, 45] }, '[-100, 45]'],
    ['a defocus that is no number', { defocus: Number.NaN }, 'defocus'],
  ])('refuses %s', (_, options, message) => {
    try {
      imagingFilter({ lengths: [8, 8, 8], voxelSize }, options);
      expect.unreachable();
    } catch (error) {
      expect(isCryoetPicksError(error, 'invalid-option')).toBe(true);
      expect((error as Error).message).toContain(message);
    }
  });
});
