import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  cziiVoxelSize,
  difficulties,
  randomImaging,
  reconstructionFilters,
  simulateTomogram,
} from '../../src/entry/simulate.ts';
import { checkImaging } from '../../src/simulate/imaging-options.ts';

describe('randomImaging', () => {
  it('randomImaging gives the same options for the same seed, different ones for different seeds, and always valid ones', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const options = randomImaging(seed);
        expect(randomImaging(seed)).toEqual(options);
        expect(checkImaging(options)).toEqual({ ...checkImaging({}), ...options, voxelSize: undefined });
        const scale = options.voxelSize[0] / cziiVoxelSize[0];
        expect(Math.abs(scale - 1)).toBeLessThanOrEqual(0.05);
        expect(options.voxelSize[2] / cziiVoxelSize[2]).toBeCloseTo(scale, 10);
      }),
    );
    expect(randomImaging(1)).not.toEqual({ ...randomImaging(2), seed: 1 });
  });

  it('randomImaging draws every filter, and values all over their ranges', () => {
    const drawn = Array.from({ length: 300 }, (_, seed) => randomImaging(seed));
    expect(new Set(drawn.map(({ filter }) => filter))).toEqual(new Set(reconstructionFilters));
    const spread = (of: (options: (typeof drawn)[number]) => number) => {
      const values = drawn.map(of);
      return [Math.min(...values), Math.max(...values)];
    };
    for (const [range, low, high] of [
      [spread(({ noise }) => noise), 0.3, 3.5],
      [spread(({ blur }) => blur), 0.1, 16],
      [spread(({ contrast }) => contrast), 0.55, 1.9],
      [spread(({ curve }) => curve), 0.83, 1.2],
      [spread(({ defocus }) => defocus), 2.1, 4.9],
      [spread(({ iceThickness }) => iceThickness), 750, 1800],
      [spread(({ tiltRange }) => tiltRange[1] - tiltRange[0]), 83, 117],
      [spread(({ alignmentError }) => alignmentError), 0.3, 7.7],
    ] as const) {
      expect(range[0]).toBeLessThan(low);
      expect(range[1]).toBeGreaterThan(high);
    }
  });

  it('randomImaging spreads into a simulation', async () => {
    const { volume, grid } = await simulateTomogram({ ...randomImaging(3), shape: [16, 24, 24] });
    expect(grid.voxelSize).toEqual(randomImaging(3).voxelSize);
    expect(volume.data.every(Number.isFinite)).toBe(true);
  });
});

describe('grey values', () => {
  it('grey values follow contrast and curve', async () => {
    const positions = [{ object: 'ribosome', position: { x: 160, y: 160, z: 120 } }];
    const options = { shape: [24, 32, 32], positions, decoys: 0, noise: 0 } as const;
    const plain = (await simulateTomogram(options)).volume.data;
    const double = (await simulateTomogram({ ...options, contrast: 2 })).volume.data;
    const curved = (await simulateTomogram({ ...options, curve: 2 })).volume.data;
    const strongest = plain.reduce((best, value, i) => (value < plain[best]! ? i : best), 0);
    expect(double[strongest]! / plain[strongest]!).toBeCloseTo(2, 5);
    const weak = plain.findIndex((value) => value > 0.2 * plain[strongest]! && value < 0.1 * plain[strongest]!);
    expect(curved[weak]! / curved[strongest]!).toBeCloseTo((plain[weak]! / plain[strongest]!) ** 2, 4);
  });
});

describe('difficulties', () => {
  it('difficulties.default equals a simulation without options', async () => {
    const options = { shape: [24, 48, 48], seed: 6 } as const;
    const named = await simulateTomogram({ ...difficulties.default, ...options });
    const plain = await simulateTomogram(options);
    expect(named.picks).toEqual(plain.picks);
    expect(Buffer.from(named.volume.data.buffer).equals(Buffer.from(plain.volume.data.buffer))).toBe(true);
  });
});
