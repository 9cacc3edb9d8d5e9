import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coverAxis, cutSegments } from '../../src/tiles/axis.ts';

const covers = fc
  .record({
    multiple: fc.constantFrom(1, 1, 2, 4, 16),
    edge: fc.integer({ min: 1, max: 140 }),
    part: fc.double({ min: 0, max: 0.9, noNaN: true }),
    tiles: fc.nat(20),
  })
  .map(({ multiple, edge, part, tiles }) => {
    const tile = Math.ceil(edge / multiple) * multiple;
    const overlap = Math.min(tile - multiple, Math.floor((part * tile) / multiple) * multiple);
    return { multiple, tile, overlap, length: 1 + tiles * edge };
  });

describe('cutSegments', () => {
  it('cutSegments cuts an axis without gap where tiles start and end, into pieces of at most 16, and names the last tile of each', () => {
    fc.assert(
      fc.property(covers, (cover) => {
        const starts = coverAxis(cover);
        const segments = cutSegments(starts, cover);
        expect([segments[0]!.start, segments.at(-1)!.end]).toEqual([0, cover.length]);
        const wrong = segments.filter(({ start, end, lastTile }, i) => {
          const isNext = i === 0 || start === segments[i - 1]!.end;
          const covering = starts.flatMap((from, tile) => (from < end && start < from + cover.tile ? [tile] : []));
          const isWhole = covering.every((tile) => starts[tile]! <= start && starts[tile]! + cover.tile >= end);
          return !isNext || end <= start || end - start > 16 || !isWhole || lastTile !== covering.at(-1);
        });
        expect(wrong).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('cutSegments cuts a long axis into pieces of few lengths, so that the memory of one serves another', () => {
    const cover = { length: 2520, multiple: 4, tile: 80, overlap: 20 };
    const lengths = cutSegments(coverAxis(cover), cover).map(({ start, end }) => end - start);
    expect([...new Set(lengths)].sort((a, b) => a - b)).toEqual([4, 8, 12, 16]);
  });
});
