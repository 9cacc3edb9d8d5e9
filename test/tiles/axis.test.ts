import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coverAxis, cutSegments } from '../../src/tiles/axis.ts';

const covers = fc
  .record({
    tile: fc.integer({ min: 1, max: 140 }),
    part: fc.double({ min: 0, max: 0.9, noNaN: true }),
    tiles: fc.nat(20),
  })
  .map(({ tile, part, tiles }) => ({
    tile,
    overlap: Math.min(tile - 1, Math.floor(part * tile)),
    length: 1 + tiles * tile,
  }));

describe('cutSegments', () => {
  it('cutSegments cuts an axis without gap where tiles start and end, into pieces of at most 16, and names the last tile of each', () => {
    fc.assert(
      fc.property(covers, (cover) => {
        const starts = coverAxis(cover);
        const segments = cutSegments(starts, cover);
        expect([segments[0]!.start, segments.at(-1)!.end]).toEqual([0, cover.length]);
        for (const [i, { start, end, lastTile }] of segments.entries()) {
          expect(end - start).toBeGreaterThan(0);
          expect(end - start).toBeLessThanOrEqual(16);
          if (i > 0) expect(start).toBe(segments[i - 1]!.end);
          const covering = starts.flatMap((from, tile) => (from < end && start < from + cover.tile ? [tile] : []));
          for (const tile of covering) {
            expect(starts[tile]).toBeLessThanOrEqual(start);
            expect(starts[tile]! + cover.tile).toBeGreaterThanOrEqual(end);
          }
          expect(lastTile).toBe(Math.max(...covering));
        }
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    [2520, 96, 24, 11, 13],
    [630, 96, 24, 12, 15],
    [1000, 128, 32, 13, 16],
    [630, 160, 40, 14, 15],
  ])(
    'cutSegments cuts %i planes, covered by tiles of %i that share %i, into pieces of %i to %i',
    (length, tile, overlap, least, most) => {
      const lengths = cutSegments(coverAxis({ length, tile, overlap }), { tile, length }).map(
        ({ start, end }) => end - start,
      );
      expect([Math.min(...lengths), Math.max(...lengths)]).toEqual([least, most]);
    },
  );
});
