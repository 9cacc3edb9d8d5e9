import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Zyx } from '../../src/entry/index.ts';
import { squaredDistances } from '../../src/peaks/watershed.ts';
import golden from '../fixtures/splitting.json' with { type: 'json' };

function byBruteForce(mask: Uint8Array, [depth, height, width]: Zyx, spacing: Zyx): number[] {
  const places = Array.from(mask, (_, i) => [
    Math.floor(i / (height * width)),
    Math.floor(i / width) % height,
    i % width,
  ]);
  return places.map((a, i) => {
    if (!mask[i]) return 0;
    let least = Number.POSITIVE_INFINITY;
    for (let j = 0; j < depth * height * width; j++) {
      if (mask[j]) continue;
      const squared = a.reduce((sum, n, axis) => sum + (spacing[axis] * (n - places[j][axis])) ** 2, 0);
      least = Math.min(least, squared);
    }
    return least;
  });
}

describe('squaredDistances', () => {
  it.each(golden.distances)(
    'squaredDistances agrees with scipy on a mask of $shape',
    ({ shape, spacing, mask, squared }) => {
      const found = squaredDistances(Uint8Array.from(mask), shape as unknown as Zyx, spacing as unknown as Zyx);
      expect([...found]).toEqual(squared);
    },
  );

  it('squaredDistances agrees with comparing all voxels', () => {
    const side = fc.integer({ min: 1, max: 6 });
    const shapes = fc.tuple(side, side, side);
    const masks = shapes.chain((shape) =>
      fc.record({
        shape: fc.constant(shape),
        mask: fc.uint8Array({
          minLength: shape[0] * shape[1] * shape[2],
          maxLength: shape[0] * shape[1] * shape[2],
          max: 3,
        }),
        spacing: fc.tuple(...([1, 2, 3] as const).map(() => fc.integer({ min: 1, max: 5 }))) as fc.Arbitrary<
          [number, number, number]
        >,
      }),
    );
    fc.assert(
      fc.property(masks, ({ shape, mask, spacing }) => {
        expect([...squaredDistances(mask, shape, spacing)]).toEqual(byBruteForce(mask, shape, spacing));
      }),
      { numRuns: 300 },
    );
  });

  it('squaredDistances is infinite where nothing lies outside, and 0 where nothing lies inside', () => {
    expect([...squaredDistances(new Uint8Array(4).fill(1), [1, 2, 2], [1, 1, 1])]).toEqual(
      Array(4).fill(Number.POSITIVE_INFINITY),
    );
    expect([...squaredDistances(new Uint8Array(4), [1, 2, 2], [1, 1, 1])]).toEqual([0, 0, 0, 0]);
  });
});
