import fc from 'fast-check';
import type { PlanOptions, TileSpec, Zyx } from '../../src/entry/index.ts';
import { WINDOW_NAMES } from '../../src/tiles/window.ts';

/** A volume's shape and a way to cut it; covers of at most `mostTiles` tiles. Half of the networks take tiles of many sizes. */
export function plannable({
  longest = 40,
  mostTiles = 400,
}: {
  readonly longest?: number;
  readonly mostTiles?: number;
} = {}): fc.Arbitrary<{ shape: Zyx; options: TileSpec & PlanOptions }> {
  return fc
    .record({
      outputStride: fc.constantFrom(1 as const, 2 as const, 4 as const),
      times: fc.constantFrom(undefined, 1, 2, 3),
    })
    .chain(({ outputStride, times }) => {
      const multiple = outputStride * (times ?? 1);
      return fc.record({
        shape: zyx(() => fc.integer({ min: 1, max: longest })),
        options: zyx(() => fc.integer({ min: 1, max: 24 / multiple })).chain((edges) => {
          const tile = edges.map((edge) => edge * multiple) as unknown as Zyx;
          return fc.record({
            tile: fc.constant(tile),
            tileMultiple: fc.constant(times && multiple),
            overlap: zyx((axis) => fc.integer({ min: 0, max: tile[axis] - multiple })),
            outputStride: fc.constant(outputStride),
            window: fc.constantFrom(...WINDOW_NAMES),
            axis: fc.constantFrom(undefined, 0 as const, 1 as const, 2 as const),
          });
        }),
      });
    })
    .filter(({ shape, options }) => tileCount(shape, options) <= mostTiles);
}

/** What tiles of a plan start at multiples of. */
export function multipleOf({ outputStride = 1, tileMultiple = outputStride }: TileSpec): number {
  return tileMultiple;
}

function zyx<T>(of: (axis: 0 | 1 | 2) => fc.Arbitrary<T>): fc.Arbitrary<readonly [T, T, T]> {
  return fc.tuple(of(0), of(1), of(2));
}

function tileCount(shape: Zyx, { tile, overlap, ...spec }: TileSpec & PlanOptions): number {
  const multiple = multipleOf({ tile, ...spec });
  return shape.reduce((product, length, i) => {
    const step = tile[i] - Math.ceil((overlap?.[i] ?? 0) / multiple) * multiple;
    return product * Math.max(1, Math.ceil(length / step));
  }, 1);
}
