import { describe, expect, it } from 'vitest';
import { clipToQuantiles, measureIntensity, minMax, normalizerFor, quantile, zScore } from '../../src/entry/index.ts';
import { noNormalization } from '../../src/volume/normalize.ts';
import { sourceOf } from '../support/volumes.ts';

const measure = (values: Float32Array) => measureIntensity(sourceOf(values, [1, 1, values.length]));

/** 0, 1, 4, 9, … so that mean and median differ. */
const squares = Float32Array.from({ length: 101 }, (_, i) => i * i);

describe('normalisation', () => {
  it('zScore gives mean 0 and deviation 1', async () => {
    const normalized = zScore(await measure(squares))(squares.slice());
    const after = await measure(normalized);
    expect(after.mean).toBeCloseTo(0, 6);
    expect(after.standardDeviation).toBeCloseTo(1, 6);
  });

  it('clipToQuantiles maps the two quantiles to 0 and 1 and clips beyond', async () => {
    const intensity = await measure(squares);
    const normalized = clipToQuantiles(intensity, { low: 0.1, high: 0.9 })(squares.slice());
    const [low, high] = [quantile(intensity, 0.1), quantile(intensity, 0.9)];
    expect(low).toBe(100);
    expect(Math.abs(high - 8100)).toBeLessThan(8100 * 2 ** -11);
    expect([...normalized.subarray(0, 11)]).toEqual(new Array(11).fill(0));
    expect(normalized[50]).toBeCloseTo((2500 - low) / (high - low), 6);
    expect([...normalized.subarray(90)]).toEqual(new Array(11).fill(1));
  });

  it('minMax maps the range to 0 … 1', async () => {
    const normalized = minMax(await measure(squares))(squares.slice());
    expect(normalized[0]).toBe(0);
    expect(normalized[100]).toBe(1);
    expect(normalized[50]).toBeCloseTo(0.25, 6);
  });

  it('each normalisation gives voxels that are not finite the value of the mean', async () => {
    const intensity = await measure(Float32Array.of(0, 2, 4, Number.NaN));
    const broken = () => Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);
    expect([...zScore(intensity)(broken())]).toEqual([0, 0, 0]);
    expect([...minMax(intensity)(broken())]).toEqual([0.5, 0.5, 0.5]);
    expect([...clipToQuantiles(intensity, { low: 0, high: 1 })(broken())]).toEqual([0.5, 0.5, 0.5]);
    expect([...noNormalization(broken())]).toEqual([0, 0, 0]);
  });

  it.each([0, 3.25, Math.fround(0.1)])(
    'each normalisation throws for a volume that is %d everywhere',
    async (value) => {
      const intensity = await measure(new Float32Array(67).fill(value));
      for (const normalization of [zScore, clipToQuantiles, minMax]) {
        expect(() => normalization(intensity)).toThrow(
          expect.objectContaining({
            code: 'corrupt-data',
            message: `cannot normalise the volume: every one of its 67 voxels is ${value}; is the tomogram empty, or are its chunks missing?`,
          }),
        );
      }
      expect(normalizerFor('none', intensity)).toBe(noNormalization);
    },
  );

  it('clipToQuantiles throws for equal and for invalid quantiles', async () => {
    const intensity = await measure(Float32Array.from({ length: 1000 }, (_, i) => (i === 7 ? 5 : 1)));
    expect(() => clipToQuantiles(intensity)).toThrow(
      expect.objectContaining({ code: 'corrupt-data', message: expect.stringContaining('are both 1') }),
    );
    for (const range of [{ low: -1 }, { low: 0.5, high: 0.5 }, { high: 1.01 }, { low: Number.NaN }]) {
      expect(() => clipToQuantiles(intensity, range)).toThrow('0 ≤ low < high ≤ 1');
    }
  });

  it.each([
    ['z-score', zScore],
    ['quantiles', clipToQuantiles],
    ['min-max', minMax],
  ] as const)('normalizerFor(%s) returns the normalisation of that name', async (name, normalization) => {
    const intensity = await measure(squares);
    expect(normalizerFor(name, intensity)(squares.slice())).toEqual(normalization(intensity)(squares.slice()));
  });
});
