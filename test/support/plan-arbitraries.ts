import fc from 'fast-check';
import type { PlanOptions, TileSpec, Zyx } from '../../src/entry/index.ts';
import { WINDOW_NAMES } from '../../src/tiles/window.ts';

/** A volume's shape and a way to cut it; covers of at most `mostTiles` tiles. */
export function plannable({
  longest = 40,
  mostTiles = 400,
}: {
  readonly longest?: number;
  readonly mostTiles?: number;
} = {}): fc.Arbitrary<{ shape: Zyx; options: TileSpec & PlanOptions }> {
  return fc
    .constantFrom(1 as const, 2 as const, 4 as const)
    .chain((outputStride) =>
      fc.record({
        shape: zyx(() => fc.integer({ min: 1, max: longest })),
        options: zyx(() => fc.integer({ min: 1, max: 24 / outputStride })).chain((scores) => {
          const tile = scores.map((edge) => edge * outputStride) as unknown as Zyx;
          return fc.record({
            tile: fc.constant(tile),
            overlap: zyx((axis) => fc.integer({ min: 0, max: tile[axis] - 1 })),
            outputStride: fc.constant(outputStride),
            window: fc.constantFrom(...WINDOW_NAMES),
            axis: fc.constantFrom(undefined, 0 as const, 1 as const, 2 as const),
          });
        }),
      }),
    )
    .filter(({ shape, options }) => tileCount(shape, options) <= mostTiles);
}

function zyx<T>(of: (axis: 0 | 1 | 2) => fc.Arbitrary<T>): fc.Arbitrary<readonly [T, T, T]> {
  return fc.tuple(of(0), of(1), of(2));
}

function tileCount(shape: Zyx, { tile, overlap, outputStride = 1 }: TileSpec & PlanOptions): number {
  return shape.reduce((product, length, i) => {
    const step = tile[i] / outputStride - Math.floor((overlap?.[i] ?? 0) / outputStride);
    return product * Math.max(1, Math.ceil(length / outputStride / step));
  }, 1);
}
