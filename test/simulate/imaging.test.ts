import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { atOnce } from '../../src/core/concurrency.ts';
import { isCryoetPicksError, toFloat32, type Volume, type Zyx } from '../../src/entry/index.ts';
import { createRandom, type ImagingOptions } from '../../src/entry/simulate.ts';
import { imagingFilter } from '../../src/simulate/imaging.ts';
import { filterSpectrum, type PaddedVolume, paddedVolume, type SpectrumLine } from '../../src/simulate/spectrum.ts';

const voxelSize: Zyx = [10, 10, 10];

/** Nothing but contrast transfer, filter and wedge. */
const ideal = { noise: 0, alignmentError: 0 };

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
  return filter(padded, atOnce(imagingFilter({ lengths: padded.lengths, voxelSize }, options)));
}

/** The same without the gradient of defocus, which is no filter: it differs from place to place. */
function uniform(shape: Zyx, options: ImagingOptions, value?: (index: number) => number): Volume {
  const padded = filled(shape, { value });
  const change = atOnce(imagingFilter({ lengths: padded.lengths, voxelSize }, options));
  return filter(padded, (line) => {
    line.timesX.fill(0);
    change(line);
  });
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
  it('filterSpectrum returns the volume if nothing is changed', () => {
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

  it('filterSpectrum hands out the coefficients of the 3-D transform', () => {
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

  it('filterSpectrum also hands out those of the volume times x', () => {
    const padded = filled([4, 8, 16], { value: randomVolume(3) });
    const { data, shape } = toFloat32(padded.volume);
    const weighted = { shape, data: data.map((value, i) => value * ((i % 16) - 7.5)) } as Volume;
    filter(padded, ({ ky, kx, timesX }) => {
      const [re, im] = coefficient(weighted, [3, ky, kx]);
      expect(timesX[6]).toBeCloseTo(re, 2);
      expect(timesX[7]).toBeCloseTo(im, 2);
    });
    expect.assertions(5 * 16 * 2);
  });

  it('filterSpectrum shifts a volume when its phases are turned', () => {
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
  it('imagingFilter leaves nothing in the missing wedge, of signal or noise, before it is denoised', () => {
    const imaged = image([32, 8, 32], { ...ideal, seed: 1, noise: 1, filter: 'wbp' }, (i) =>
      i === 16 * 256 + 4 * 32 + 16 ? 10 : 0,
    );
    const inside = [1, 2, 4, 8].map((kx) => amplitude(imaged, [kx / 2, 1, kx]));
    expect(Math.min(...inside)).toBeGreaterThan(0.5);
    for (let kz = 1; kz < 16; kz++) {
      for (const kx of [0, Math.floor(kz / 2), kz - 1, -Math.floor(kz / 2)]) {
        for (const ky of [0, 1, 4]) expect(amplitude(imaged, [kz, ky, kx])).toBeLessThan(1e-4);
      }
    }
  });

  it('imagingFilter keeps the directions within the tilt range', () => {
    const point = (i: number) => (i === 16 * 256 + 4 * 32 + 16 ? 10 : 0);
    const one = image([32, 8, 32], { ...ideal, filter: 'wbp', tiltRange: [-10, 60] }, point);
    expect(amplitude(one, [6, 1, 4])).toBeGreaterThan(1e-3); // 56°
    expect(amplitude(one, [-4, 1, 6])).toBeLessThan(1e-5); // −34°
    expect(amplitude(one, [4, 1, -6])).toBeLessThan(1e-5);
  });

  it('imagingFilter of a denoised tomogram fills low frequencies into the missing wedge, and no high ones', () => {
    const point = (i: number) => (i === 32 * 512 + 4 * 64 + 32 ? 10 : 0);
    const denoised = image([64, 8, 64], ideal, point);
    const seen = image([64, 8, 64], { ...ideal, iceThickness: 0, dose: 0, tiltRange: [-90, 90] }, point);
    const share = (kz: number) => amplitude(denoised, [kz, 0, 1]) / amplitude(seen, [kz, 0, 1]);
    expect(share(2)).toBeGreaterThan(0.3);
    expect(share(2)).toBeLessThan(0.6);
    expect(share(6)).toBeLessThan(0.5 * share(2));
    expect(share(20)).toBeLessThan(1e-3);
  });

  it('imagingFilter moves nothing: a point stays the centre of its own symmetric image', () => {
    const imaged = uniform([32, 16, 32], ideal, (i) => (i === 16 * 512 + 8 * 32 + 16 ? 100 : 0));
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

  it('imagingFilter smears along z more than along x, as a missing wedge does', () => {
    const imaged = image([64, 16, 64], ideal, (i) => (i === 32 * 1024 + 8 * 64 + 32 ? 100 : 0));
    const at = (z: number, x: number) => imaged.data[z * 1024 + 8 * 64 + x]! / imaged.data[32 * 1024 + 8 * 64 + 32]!;
    expect(at(34, 32)).toBeGreaterThan(0.4);
    expect(at(32, 34)).toBeLessThan(0.15);
  });

  it('imagingFilter adds noise of the level asked for, everywhere alike', () => {
    const deviation = (data: Float32Array) =>
      Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length);
    const one = image([64, 64, 64], { noise: 1, seed: 4 });
    const two = image([64, 64, 64], { noise: 2, seed: 4 });
    expect(deviation(one.data)).toBeCloseTo(0.085, 2.5);
    expect(deviation(two.data) / deviation(one.data)).toBeCloseTo(2, 4);
    const half = one.data.length / 2;
    expect(deviation(one.data.subarray(0, half)) / deviation(one.data.subarray(half))).toBeCloseTo(1, 0.8);
    expect(one.data.reduce((sum, value) => sum + value, 0) / one.data.length).toBeCloseTo(0, 3);
  });

  it('imagingFilter blurs signal and noise alike, last of all', () => {
    const options = { seed: 4, noise: 1, filter: 'wbp' } as const;
    const [sharp, soft] = [
      image([16, 8, 16], options, randomVolume(1)),
      image([16, 8, 16], { ...options, blur: 12 }, randomVolume(1)),
    ];
    for (const [z, y, x] of [
      [0, 0, 0],
      [1, 1, 2],
      [2, 2, 5],
    ] as const) {
      const squared = (z / (16 * voxelSize[0])) ** 2 + (y / (8 * voxelSize[1])) ** 2 + (x / (16 * voxelSize[2])) ** 2;
      const expected = amplitude(sharp, [z, y, x]) * Math.exp(-2 * Math.PI ** 2 * 144 * squared);
      expect(amplitude(soft, [z, y, x])).toBeCloseTo(expected, 4);
    }
  });

  it('imagingFilter is linear in the density without noise', () => {
    const a = image([16, 8, 16], ideal, randomVolume(1));
    const b = image([16, 8, 16], ideal, randomVolume(2));
    const first = randomVolume(1);
    const second = randomVolume(2);
    const sum = image([16, 8, 16], ideal, (i) => first(i) + 3 * second(i));
    const difference = sum.data.map((value, i) => Math.abs(value - a.data[i]! - 3 * b.data[i]!));
    expect(Math.max(...difference)).toBeLessThan(1e-5);
  });

  it('imagingFilter adds a little noise of a denoiser to the missing wedge', () => {
    const imaged = image([32, 8, 32], { seed: 1 });
    const rms = (at: readonly Zyx[]) =>
      Math.sqrt(at.reduce((sum, k) => sum + amplitude(imaged, k) ** 2, 0) / at.length);
    const range = [3, 4, 5, 6];
    const seen = rms(range.flatMap((kx) => [0, 1, 2, -1, -2].map((kz): Zyx => [kz, 1, kx])));
    const missing = rms(range.flatMap((kz) => [0, 1, 2, -1, -2].map((kx): Zyx => [kz, 1, kx])));
    expect(missing / seen).toBeGreaterThan(0.05);
    expect(missing / seen).toBeLessThan(0.3);
  });

  it('imagingFilter changes the defocus across x as a tilted specimen does', () => {
    const shape: Zyx = [32, 8, 256];
    const aside = (i: number) => (i === 16 * 8 * 256 + 4 * 256 + 228 ? 100 : 0);
    // One tilt: 100.5 voxels of 10 Å from the axis are 1005 Å · sin 30° nearer to focus or further from it.
    const options: ImagingOptions = { ...ideal, filter: 'wbp', tiltRange: [28, 32], defocus: 3 };
    const tilted = image(shape, options, aside).data;
    const difference = (defocus: number) => {
      const flat = uniform(shape, { ...options, defocus }, aside).data;
      return Math.sqrt(flat.reduce((sum, value, i) => sum + (value - tilted[i]!) ** 2, 0));
    };
    expect(difference(3 + 0.05025)).toBeLessThan(0.1 * difference(3));
    expect(difference(3 - 0.05025)).toBeGreaterThan(difference(3));
  });

  it('imagingFilter weakens late and tilted views: dose mostly high frequencies, thick ice all', () => {
    const point = (i: number) => (i === 16 * 256 + 4 * 32 + 16 ? 100 : 0);
    const share = (k: Zyx, options: ImagingOptions) =>
      amplitude(uniform([32, 8, 32], { ...ideal, ...options }, point), k) /
      amplitude(uniform([32, 8, 32], { ...ideal, dose: 0, iceThickness: 0 }, point), k);
    const [flat, lowTilted, highTilted] = [
      [0, 0, 8],
      [2, 0, 3],
      [5, 0, 8],
    ] as const;
    expect(share(flat, { dose: 120, iceThickness: 2000 })).toBeCloseTo(1, 5);
    expect(share(highTilted, { dose: 120, iceThickness: 0 })).toBeLessThan(0.8);
    expect(share(highTilted, { dose: 120, iceThickness: 0 })).toBeLessThan(
      share(lowTilted, { dose: 120, iceThickness: 0 }),
    );
    const [low, high] = [lowTilted, highTilted].map((k) => share(k, { dose: 0, iceThickness: 2000 }));
    expect(low! / high!).toBeCloseTo(1, 1);
    expect(high).toBeLessThan(0.9);
  });

  it('imagingFilter shifts every view by its alignment error: a point spreads, and loses nothing', () => {
    const point = (i: number) => (i === 32 * 1024 + 8 * 64 + 32 ? 100 : 0);
    const sharp = uniform([64, 16, 64], ideal, point).data;
    const blurred = uniform([64, 16, 64], { ...ideal, alignmentError: 15, seed: 2 }, point).data;
    const power = (data: Float32Array) => data.reduce((sum, value) => sum + value * value, 0);
    expect(Math.max(...blurred)).toBeLessThan(0.9 * Math.max(...sharp));
    expect(power(blurred) / power(sharp)).toBeCloseTo(1, 2);
  });

  it('imagingFilter keeps contrast transfer in wbp and divides it out in ctfdeconvolved', () => {
    const point = (i: number) => (i === 16 * 256 + 4 * 32 + 16 ? 100 : 0);
    const of = (filter: ImagingOptions['filter']) => uniform([32, 8, 32], { ...ideal, filter }, point);
    const ratio = (filter: ImagingOptions['filter']) =>
      amplitude(of(filter), [0, 0, 1]) / amplitude(of(filter), [0, 0, 8]);
    expect(ratio('wbp')).toBeLessThan(0.5);
    expect(ratio('ctfdeconvolved')).toBeGreaterThan(2 * ratio('wbp'));
  });

  it.each<[string, ImagingOptions, string]>([
    ['a filter it does not know', { filter: 'isonet' as 'wbp' }, 'denoised, ctfdeconvolved, wbp, found isonet'],
    ['negative dose', { dose: -1 }, 'dose'],
    ['ice of no thickness there can be', { iceThickness: Number.NaN }, 'iceThickness'],
    ['a step of 0', { tiltStep: 0 }, 'tiltStep'],
    ['negative alignment error', { alignmentError: -1 }, 'alignmentError'],
    ['amplitude contrast beyond 1', { amplitudeContrast: 1.1 }, 'amplitudeContrast'],
    ['contrast of 0', { contrast: 0 }, 'contrast'],
    ['a curve that is not a number', { curve: Number.NaN }, 'curve'],
    ['a broken seed', { seed: 0.5 }, 'seed'],
    ['negative noise', { noise: -1 }, 'noise'],
    ['noise that is not a number', { noise: Number.NaN }, 'noise'],
    ['a tilt range the wrong way round', { tiltRange: [45, -45] }, '[45, -45]'],
    ['tilts beyond 90°', { tiltRange: [-100, 45] }, '[-100, 45]'],
    ['a defocus that is not a number', { defocus: Number.NaN }, 'defocus'],
  ])('imagingFilter refuses %s', (_, options, message) => {
    try {
      atOnce(imagingFilter({ lengths: [8, 8, 8], voxelSize }, options));
      expect.unreachable();
    } catch (error) {
      expect(isCryoetPicksError(error, 'invalid-option')).toBe(true);
      expect((error as Error).message).toContain(message);
    }
  });
});
