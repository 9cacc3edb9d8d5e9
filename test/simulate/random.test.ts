import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/entry/simulate.ts';

const seeds = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

describe('createRandom', () => {
  // Made by an independent implementation of sfc32 and splitmix32 with Python's integers.
  it.each([
    { seed: 0, stream: 0, expected: [2899526011, 769844623, 220372281, 4270301181] },
    { seed: 7, stream: 0, expected: [1953209201, 274027627, 1787915724, 1567175990] },
    { seed: 7, stream: 1, expected: [3273703848, 681779992, 4174890987, 1121481816] },
    { seed: 2 ** 40 + 7, stream: 2, expected: [802314770, 1059323467, 54948223, 4011813124] },
  ])(
    'createRandom seed $seed, stream $stream gives the bits of the reference implementation',
    ({ seed, stream, expected }) => {
      const random = createRandom(seed, stream);
      expect(expected.map(() => random.uint32())).toEqual(expected);
    },
  );

  it('createRandom gives the same numbers for the same seed and different ones for another seed or stream', () => {
    const draw = (seed: number, stream = 0) => {
      const random = createRandom(seed, stream);
      return Array.from({ length: 8 }, () => random.uniform());
    };
    expect(draw(5)).toEqual(draw(5));
    expect(draw(6)).not.toEqual(draw(5));
    expect(draw(5, 1)).not.toEqual(draw(5));
    expect(draw(-5)).not.toEqual(draw(5));
  });

  it('createRandom has uniform and normal numbers of the right mean and variance', () => {
    const random = createRandom(1);
    const count = 200_000;
    const uniform = Float64Array.from({ length: count }, () => random.uniform());
    const normal = Float64Array.from({ length: count }, () => random.normal());
    const moment = (values: Float64Array, power: number) => values.reduce((sum, v) => sum + v ** power, 0) / count;
    expect(Math.min(...uniform.subarray(0, 1000))).toBeGreaterThanOrEqual(0);
    expect(moment(uniform, 1)).toBeCloseTo(0.5, 2);
    expect(moment(uniform, 2)).toBeCloseTo(1 / 3, 2);
    // Four standard errors: √(1, 2, 15, 96 / count).
    expect(Math.abs(moment(normal, 1))).toBeLessThan(4 * Math.sqrt(1 / count));
    expect(Math.abs(moment(normal, 2) - 1)).toBeLessThan(4 * Math.sqrt(2 / count));
    expect(Math.abs(moment(normal, 3))).toBeLessThan(4 * Math.sqrt(15 / count));
    expect(Math.abs(moment(normal, 4) - 3)).toBeLessThan(4 * Math.sqrt(96 / count));
  });

  it('createRandom draws rotations: orthonormal, right-handed', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const r = createRandom(seed).rotation();
        const dot = (i: number, j: number) =>
          r[3 * i]! * r[3 * j]! + r[3 * i + 1]! * r[3 * j + 1]! + r[3 * i + 2]! * r[3 * j + 2]!;
        for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) expect(dot(i, j)).toBeCloseTo(i === j ? 1 : 0, 12);
        const determinant =
          r[0] * (r[4] * r[8] - r[5] * r[7]) - r[1] * (r[3] * r[8] - r[5] * r[6]) + r[2] * (r[3] * r[7] - r[4] * r[6]);
        expect(determinant).toBeCloseTo(1, 12);
      }),
    );
  });

  it('createRandom draws rotations that turn an axis to every direction alike', () => {
    const random = createRandom(3);
    const count = 40_000;
    const sums = new Float64Array(9);
    const squares = new Float64Array(9);
    for (let n = 0; n < count; n++) {
      const rotation = random.rotation();
      rotation.forEach((value, i) => {
        sums[i] += value;
        squares[i] += value * value;
      });
    }
    // Each element of a uniform rotation has mean 0 and variance 1/3.
    for (const sum of sums) expect(Math.abs(sum / count)).toBeLessThan(0.015);
    for (const square of squares) expect(square / count).toBeCloseTo(1 / 3, 2);
  });

  it('createRandom shuffles without losing or changing anything', () => {
    fc.assert(
      fc.property(seeds, fc.array(fc.integer()), (seed, items) => {
        const before = [...items];
        const after = createRandom(seed).shuffle(items);
        expect(items).toEqual(before);
        expect(after.toSorted((a, b) => a - b)).toEqual(before.toSorted((a, b) => a - b));
      }),
    );
  });
});
