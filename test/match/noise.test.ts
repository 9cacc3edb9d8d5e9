import { describe, expect, it } from 'vitest';
import { atOnce } from '../../src/core/concurrency.ts';
import { contiguousVolume, resampled, type VolumeSource, type Zyx } from '../../src/entry/index.ts';
import { createRandom } from '../../src/entry/simulate.ts';
import { RealTransform, transformShape } from '../../src/match/fft.ts';
import { expectedFalse, noiseOf, scoreOfExpected } from '../../src/match/noise.ts';
import { type Surrogate, surrogatesOf } from '../../src/match/surrogate.ts';
import { voxelCount } from '../../src/space/grid.ts';
import { noise, sourceOf } from '../support/volumes.ts';

async function surrogates(source: VolumeSource, margin: number, count: number): Promise<Surrogate[]> {
  const all: Surrogate[] = [];
  for await (const one of surrogatesOf(source, { margin, count })) all.push(one);
  return all;
}

const read = async ({ source }: Surrogate) =>
  (await source.read({ start: [0, 0, 0], end: source.grid.shape })).data as Float32Array;

/** Of each third of the resolutions, the share of the power. */
async function thirds(data: Float32Array, shape: Zyx): Promise<number[]> {
  const transform = await RealTransform.of(transformShape(shape));
  const spectrum = transform.newSpectrum();
  const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
  atOnce(
    transform.forward(
      contiguousVolume(
        data.map((value) => value - mean),
        shape,
      ),
      spectrum,
    ),
  );
  const sums = [0, 0, 0];
  const [nz, ny, nx] = transform.shape;
  const fold = (k: number, n: number) => Math.min(k, n - k) / n;
  for (let i = 0; i < spectrum.length / 2; i++) {
    const [k, j, l] = [
      Math.floor(i / (ny * transform.width)),
      Math.floor(i / transform.width) % ny,
      i % transform.width,
    ];
    const third = Math.floor(6 * Math.hypot(fold(k, nz), fold(j, ny), l / nx));
    if (third < 3) sums[third]! += spectrum[2 * i]! ** 2 + spectrum[2 * i + 1]! ** 2;
  }
  const total = sums.reduce((a, b) => a + b);
  return sums.map((value) => value / total);
}

describe('surrogatesOf', () => {
  const shape: Zyx = [32, 40, 48];
  // Smooth noise.
  const smooth = resampled(sourceOf(noise([32, 40, 48], 2), shape, { voxelSize: [10, 10, 10] }), 14);

  it('surrogatesOf makes noise that has the spectrum of the tomogram, repeats without a seam, and is never the same', async () => {
    const [one, other] = await surrogates(smooth, 5, 2);
    const [a, b] = [await read(one!), await read(other!)];
    const outer = one!.source.grid.shape;
    expect(outer).toEqual(one!.shape.map((length) => length + 10));
    const at = (z: number, y: number, x: number) => a[(z * outer[1] + y) * outer[2] + x];
    for (let i = 0; i < 10; i++) expect(at(i, 3, i)).toBe(at(i + one!.shape[0], 3, i));
    expect(at(3, 1, 2)).toBe(at(3, 1 + one!.shape[1], 2 + one!.shape[2]));
    const product = a.reduce((sum, value, i) => sum + value * b[i]!, 0);
    const norm = Math.sqrt(a.reduce((sum, v) => sum + v * v, 0) * b.reduce((sum, v) => sum + v * v, 0));
    expect(Math.abs(product / norm)).toBeLessThan(0.1);
    const given = (await smooth.read({ start: [0, 0, 0], end: smooth.grid.shape })).data as Float32Array;
    const [expected, found] = [await thirds(given, smooth.grid.shape), await thirds(a, outer)];
    for (const [third, share] of expected.entries()) expect(Math.abs(found[third]! - share)).toBeLessThan(0.08);
    expect(await read((await surrogates(smooth, 5, 1))[0]!)).toEqual(a);
  });

  it('surrogatesOf makes none of a flat tomogram', async () => {
    const flat = sourceOf(new Float32Array(voxelCount(shape)).fill(3), shape, { voxelSize: [10, 10, 10] });
    expect(await surrogates(flat, 2, 3)).toEqual([]);
  });
});

describe('noiseOf', () => {
  it('noiseOf expects as many peaks beyond those that it has seen as more noise of the same kind has', () => {
    const random = createRandom(5);
    // The highest of 200 normal numbers each, as a peak is of the places and orientations around it.
    const peaks = (count: number) =>
      Array.from({ length: count }, () =>
        Math.tanh(0.1 * Math.max(...Array.from({ length: 200 }, () => random.normal()))),
      );
    const found = peaks(30_000);
    const told = Array.from({ length: 20 }, () => noiseOf(peaks(150), 40));
    for (const expected of [100, 30, 10]) {
      const counts = told.map((one) => {
        const score = scoreOfExpected(one, expected);
        expect(expectedFalse(one, score)).toBeCloseTo(expected, 6);
        return found.filter((peak) => peak >= score).length / 5;
      });
      const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
      expect(mean).toBeGreaterThan(expected / 1.6);
      expect(mean).toBeLessThan(1.6 * expected);
    }
  });

  it('noiseOf expects no peaks where there is no noise, and of one peak no more than that', () => {
    expect(expectedFalse(noiseOf([], 0), 0.1)).toBe(0);
    expect(expectedFalse(noiseOf([0.2], 3), 0.1)).toBe(3);
    expect(expectedFalse(noiseOf([0.2], 3), 0.3)).toBe(0);
  });
});
