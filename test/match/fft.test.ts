import { describe, expect, it } from 'vitest';
import { atOnce } from '../../src/core/concurrency.ts';
import { contiguousVolume, type Volume, type Zyx } from '../../src/entry/index.ts';
import { RealTransform, transformShape } from '../../src/match/fft.ts';
import { voxelCount } from '../../src/space/grid.ts';
import { noise } from '../support/volumes.ts';

/** One frequency of the transform, by its definition, in double precision. */
function frequencyOf({ data, shape: [depth, height, width] }: Volume, [nz, ny, nx]: Zyx, [kz, ky, kx]: Zyx) {
  let [re, im] = [0, 0];
  for (let z = 0, at = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at++) {
        const phase = -2 * Math.PI * ((kz * z) / nz + (ky * y) / ny + (kx * x) / nx);
        re += data[at]! * Math.cos(phase);
        im += data[at]! * Math.sin(phase);
      }
    }
  }
  return [re, im] as const;
}

describe('RealTransform', () => {
  it('RealTransform gives the frequencies of the definition, of a volume in the corner', async () => {
    const shape: Zyx = [16, 48, 96];
    const transform = await RealTransform.of(shape);
    const volume = contiguousVolume(noise([9, 20, 33]), [9, 20, 33]);
    // What was there before does not matter.
    const spectrum = transform.newSpectrum().fill(7);
    atOnce(transform.forward(volume, spectrum));
    for (const [kz, ky, kx] of [
      [0, 0, 0],
      [3, 0, 48],
      [0, 24, 0],
      [8, 24, 48],
      [5, 17, 31],
      [15, 47, 1],
      [11, 30, 47],
    ] as const) {
      const expected = frequencyOf(volume, shape, [kz, ky, kx]);
      const at = 2 * ((kz * 48 + ky) * transform.width + kx);
      for (const part of [0, 1] as const) expect(Math.abs(spectrum[at + part]! - expected[part])).toBeLessThan(1e-4);
    }
  });

  it('RealTransform gives a volume back, times its number of voxels, and a corner of it alone', async () => {
    const shape: Zyx = [45, 16, 100];
    const transform = await RealTransform.of(shape);
    const volume = contiguousVolume(noise(shape, 3), shape);
    const spectrum = transform.newSpectrum();
    atOnce(transform.forward(volume, spectrum));
    const corner: Zyx = [11, 9, 21];
    const back = contiguousVolume(new Float32Array(voxelCount(corner)), corner);
    atOnce(transform.inverse(spectrum, back));
    for (let z = 0, at = 0; z < corner[0]; z++) {
      for (let y = 0; y < corner[1]; y++) {
        for (let x = 0; x < corner[2]; x++, at++) {
          const given = volume.data[(z * 16 + y) * 100 + x]!;
          expect(Math.abs(back.data[at]! / transform.voxels - given)).toBeLessThan(1e-5);
        }
      }
    }
  });

  it('RealTransform correlates a kernel with a volume as the sums of the definition', async () => {
    const transform = await RealTransform.of([15, 12, 20]);
    const [volume, kernel] = [[13, 12, 17] as const, [5, 3, 4] as const].map((shape, i) =>
      contiguousVolume(noise(shape, i), shape),
    ) as [Volume, Volume];
    const spectrum = transform.newSpectrum();
    atOnce(transform.forward(volume, spectrum));
    for (const shape of [
      [9, 10, 14],
      [2, 10, 14],
    ] as const) {
      const found = contiguousVolume(new Float32Array(voxelCount(shape)), shape);
      atOnce(transform.correlate(kernel, spectrum, transform.newPlanes(Math.max(5, shape[0])), found));
      for (let at = 0; at < found.data.length; at++) {
        const [z, y, x] = [Math.floor(at / 140), Math.floor(at / 14) % 10, at % 14];
        let sum = 0;
        for (let i = 0; i < 60; i++) {
          const [dz, dy, dx] = [Math.floor(i / 12), Math.floor(i / 4) % 3, i % 4];
          sum += kernel.data[i]! * volume.data[((z + dz) * 12 + y + dy) * 17 + x + dx]!;
        }
        expect(Math.abs(found.data[at]! / transform.voxels - sum)).toBeLessThan(1e-5);
      }
    }
  });

  it('RealTransform of one shape is right after those of other shapes have moved its tables and its memory', async () => {
    const transform = await RealTransform.of([4, 6, 8]);
    const volume = contiguousVolume(noise([4, 6, 8]), [4, 6, 8]);
    const before = transform.newSpectrum();
    atOnce(transform.forward(volume, before));
    const large = await RealTransform.of([2, 125, 300]);
    atOnce(large.forward(contiguousVolume(noise([2, 125, 300]), [2, 125, 300]), large.newSpectrum()));
    const after = transform.newSpectrum();
    atOnce(transform.forward(volume, after));
    expect(after).toEqual(before);
  });
});

describe('transformShape', () => {
  it.each<[Zyx, Zyx]>([
    [
      [1, 1, 1],
      [1, 1, 4],
    ],
    [
      [33, 48, 33],
      [36, 48, 36],
    ],
    [
      [112, 335, 335],
      [120, 360, 360],
    ],
    [
      [97, 145, 161],
      [100, 150, 180],
    ],
  ])('transformShape finds for %j the smallest shape that can be transformed, %j', (least, shape) => {
    expect(transformShape(least)).toEqual(shape);
  });

  it('transformShape refuses an axis that has no room', () => {
    expect(() => transformShape([16, 16, 20_000])).toThrow(expect.objectContaining({ code: 'unsupported' }));
  });
});
