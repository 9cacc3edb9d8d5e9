import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PlanOptions, planTiles, type TilePlan, type TileSpec, type Zyx } from '../../src/entry/index.ts';
import { WINDOW_NAMES } from '../../src/tiles/window.ts';
import { multipleOf, plannable } from '../support/plan-arbitraries.ts';

const AXES = [0, 1, 2] as const;

/** Number of tiles, by laying them one by one. */
function fewest(length: number, tile: number, options: TileSpec & PlanOptions, axis: 0 | 1 | 2): number {
  const multiple = multipleOf(options);
  const step = tile - Math.ceil((options.overlap?.[axis] ?? 0) / multiple) * multiple;
  let count = 1;
  for (let end = tile; end < length; end += step) count++;
  return count;
}

describe('planTiles', () => {
  it('planTiles leaves no gap, starts tiles at multiples of tileMultiple or the stride, lets them share inside the volume what was asked, and ends where the volume does', () => {
    fc.assert(
      fc.property(plannable({ longest: 90 }), ({ shape, options }) => {
        const plan = planTiles(shape, options, options);
        const multiple = multipleOf(options);
        for (const a of AXES) {
          const [starts, tile, length] = [plan.starts[a], plan.tile[a], shape[a]];
          expect(starts[0]).toBe(0);
          for (const start of starts) expect(start % multiple).toBe(0);
          for (let i = 1; i < starts.length; i++) {
            expect(starts[i]).toBeGreaterThan(starts[i - 1]);
            expect(starts[i]).toBeLessThan(length);
            const shared = Math.min(starts[i - 1] + tile, length) - starts[i];
            expect(shared).toBeGreaterThanOrEqual(options.overlap?.[a] ?? 0);
          }
          const end = starts[starts.length - 1] + tile;
          if (starts.length > 1) expect(end).toBe(Math.ceil(length / multiple) * multiple);
          else expect(end).toBeGreaterThanOrEqual(length);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('planTiles takes no more tiles than the overlap needs', () => {
    fc.assert(
      fc.property(plannable(), ({ shape, options }) => {
        const plan = planTiles(shape, options, options);
        for (const a of AXES) expect(plan.starts[a]).toHaveLength(fewest(shape[a], plan.tile[a], options, a));
      }),
    );
  });

  it('planTiles starts tiles where the cells of the coarsest level start, also the last one, which reaches beyond the volume', () => {
    const spec = { tile: [184, 224, 224], tileMultiple: 8, outputStride: 2 } as const;
    const { tile, starts } = planTiles([184, 630, 630], spec, { overlap: [16, 16, 16] });
    expect(tile).toEqual([184, 224, 224]);
    expect(starts).toEqual([[0], [0, 208, 408], [0, 208, 408]]);
  });

  it('planTiles spreads the tiles evenly, so that no last tile repeats nearly all of the one before', () => {
    const plan = planTiles([1, 1, 101], { tile: [1, 1, 40] }, { overlap: [0, 0, 10] });
    expect(plan.starts[2]).toEqual([0, 21, 41, 61]);
  });

  it('planTiles gives weights that sum to exactly 1 at every score, and 0 outside the score map', () => {
    fc.assert(
      fc.property(plannable(), ({ shape, options }) => {
        const plan = planTiles(shape, options, options);
        for (const a of AXES) {
          const sum = new Float64Array(plan.outputShape[a]);
          plan.starts[a].forEach((start, t) => {
            const weights = plan.weights[a][t];
            expect(weights.length).toBe(plan.tile[a] / plan.outputStride);
            weights.forEach((weight, i) => {
              const score = start / plan.outputStride + i;
              if (score >= sum.length) expect(weight).toBe(0);
              else {
                expect(weight).toBeGreaterThanOrEqual(0);
                sum[score] += weight;
              }
            });
          });
          expect(sum.every((total) => total === 1)).toBe(true);
        }
      }),
    );
  });

  it.each(WINDOW_NAMES)('%s weights of planTiles are symmetric for a symmetric cover', (window) => {
    const { weights } = planTiles([1, 1, 25], { tile: [1, 1, 10] }, { overlap: [0, 0, 5], window });
    const flipped = weights[2].map((w) => [...w].reverse()).reverse();
    flipped.forEach((w, i) => {
      w.forEach((value, j) => {
        // "crop" gives the middle of an odd overlap to the lower tile.
        if (window !== 'crop') expect(Math.abs(value - weights[2][i][j])).toBeLessThanOrEqual(1 / 256);
      });
    });
    expect(weights[2]).toHaveLength(4);
  });

  it('the window "crop" takes each score from the nearest tile', () => {
    const { weights } = planTiles([1, 1, 8], { tile: [1, 1, 5] }, { overlap: [0, 0, 2], window: 'crop' });
    expect(weights[2].map((w) => [...w])).toEqual([
      [1, 1, 1, 1, 0],
      [0, 1, 1, 1, 1],
    ]);
  });

  it('the window "crop" takes a score that is as near to two tiles from the lower one', () => {
    const { weights } = planTiles([1, 1, 9], { tile: [1, 1, 5] }, { overlap: [0, 0, 1], window: 'crop' });
    expect(weights[2].map((w) => [...w])).toEqual([
      [1, 1, 1, 1, 1],
      [0, 1, 1, 1, 1],
    ]);
  });

  it('planTiles gives tiles as the product of the covers, in sweep order', () => {
    fc.assert(
      fc.property(plannable(), ({ shape, options }) => {
        const { tiles, starts, axis, outputShape } = planTiles(shape, options, options);
        expect(tiles).toHaveLength(starts[0].length * starts[1].length * starts[2].length);
        expect(new Set(tiles.map(({ index }) => index.join())).size).toBe(tiles.length);
        for (const { start, index } of tiles) expect(start).toEqual(AXES.map((a) => starts[a][index[a]]));
        for (let i = 1; i < tiles.length; i++) {
          expect(tiles[i].start[axis]).toBeGreaterThanOrEqual(tiles[i - 1].start[axis]);
        }
        if (options.axis === undefined) expect(outputShape[axis]).toBe(Math.max(...outputShape));
      }),
    );
  });

  it('planTiles predicts memory that does not grow with the length of the volume', () => {
    const options = { tile: [64, 128, 128], outputStride: 2, channels: 6 } as const;
    const short = planTiles([184, 640, 630], options, options);
    const long = planTiles([184, 1280, 630], options, options);
    expect(long.memory).toEqual(short.memory);
    expect(short.memory.accumulators).toBe(6 * 64 * 92 * 315 * 4);
    expect(short.memory.tiles).toBe(4 * (5 * 64 * 128 * 128 + 3 * 6 * 32 * 64 * 64));
    expect(short.memory.total).toBe(short.memory.accumulators + short.memory.tiles);
  });

  it('planTiles counts the named classes and the offsets of a model card for the prediction of memory', () => {
    const tile: Zyx = [8, 8, 8];
    const classes = ['a', null, 'b', null, null, null];
    const memoryOf = (spec: TileSpec, options?: PlanOptions) => planTiles([8, 8, 32], spec, options).memory;
    expect(memoryOf({ tile, classes, offsets: [3, 4, 5] })).toEqual(memoryOf({ tile }, { channels: 5 }));
    expect(memoryOf({ tile, classes })).toEqual(memoryOf({ tile }, { channels: 2 }));
    expect(memoryOf({ tile, classes }, { channels: 6 })).toEqual(memoryOf({ tile }, { channels: 6 }));
  });

  it('planTiles overlaps by a quarter of the tile unless told otherwise', () => {
    const { starts } = planTiles([1, 1, 100], { tile: [1, 1, 40] });
    expect(starts[2]).toEqual([0, 30, 60]);
  });

  it('planTiles takes the smallest tile that needs no more tiles, if the model card has a tileMultiple', () => {
    const options = { tile: [184, 160, 160], tileMultiple: 8, outputStride: 2 } as const;
    const tileOf = (shape: Zyx) => planTiles(shape, options).tile;
    expect(tileOf([184, 630, 630])).toEqual([184, 160, 160]);
    // One that sticks out by less than 8 voxels.
    expect(tileOf([64, 158, 41])).toEqual([64, 160, 48]);
    // Two of 184 would repeat 168 of 200 planes; two of 128 overlap by 56, a quarter of 184 by 46.
    expect(planTiles([200, 630, 630], options)).toMatchObject({ tile: [128, 160, 160], starts: { 0: [0, 72] } });
    expect(tileOf([1, 1, 1])).toEqual([8, 8, 8]);
    // Room for the overlap that was asked for, where there is a neighbour.
    expect(planTiles([36, 60, 60], options, { overlap: [46, 40, 0] }).tile).toEqual([40, 64, 64]);
  });

  it('planTiles never needs more tiles with a tile that it chose', () => {
    fc.assert(
      fc.property(plannable(), ({ shape, options }) => {
        const { tile, starts } = planTiles(shape, options, options);
        for (const a of AXES) {
          expect(tile[a] % multipleOf(options)).toBe(0);
          expect(tile[a]).toBeLessThanOrEqual(options.tile[a]);
          expect(starts[a].length).toBeLessThanOrEqual(fewest(shape[a], options.tile[a], options, a));
        }
      }),
    );
  });

  it('planTiles chooses the tile for which the network scores the fewest voxels within the memory, of those as large as the card asks, as trying all edges does', () => {
    const anyShape = fc.tuple(...([1, 2, 3] as const).map(() => fc.integer({ min: 1, max: 70 })));
    const plans = fc.record({
      shape: anyShape as fc.Arbitrary<unknown> as fc.Arbitrary<Zyx>,
      asked: fc.constantFrom<Zyx>([0, 0, 0], [4, 4, 4], [8, 0, 3]),
      outputStride: fc.constantFrom(1 as const, 2 as const),
      megabytes: fc.constantFrom(0.2, 1, 5),
    });
    fc.assert(
      fc.property(plans, ({ shape, asked, outputStride, megabytes }) => {
        const spec = { tile: [16, 16, 16], tileMultiple: 8, overlap: asked, outputStride, bytesPerVoxel: 50 } as const;
        const overlap = asked.map((shared) => Math.ceil(shared / 8) * 8);
        const countsOf = (plan: TilePlan) => plan.starts.map((starts) => starts.length);
        // The halvings of the card's tile that leave something beside the overlap, and how many tiles each takes.
        const halved = (axis: 0 | 1 | 2) => {
          const usual = Math.min(16, Math.ceil(shape[axis] / 8) * 8);
          return [usual, 8].filter((edge, i) => i === 0 || edge > overlap[axis]);
        };
        const countOf = (axis: 0 | 1 | 2, edge: number) => {
          const [axisShape, tile, shared] = [
            [1, 1, shape[axis]],
            [8, 8, edge],
            [0, 0, overlap[axis]],
          ];
          if (edge >= shape[axis]) return 1;
          if (edge <= overlap[axis]) return Number.POSITIVE_INFINITY;
          return planTiles(
            axisShape as unknown as Zyx,
            { tile: tile as unknown as Zyx, outputStride },
            { overlap: shared as unknown as Zyx },
          ).starts[2].length;
        };
        const halvingsOf = (plan: TilePlan) =>
          Math.max(
            ...AXES.map((axis) => {
              const allowed = halved(axis).findIndex((edge) => countsOf(plan)[axis]! <= countOf(axis, edge));
              return allowed < 0 ? halved(axis).length - 1 : allowed;
            }),
          );
        const costOf = (plan: TilePlan) => ({
          halvings: halvingsOf(plan),
          voxels: plan.tiles.length * plan.tile[0] * plan.tile[1] * plan.tile[2],
          bytes: plan.memory.total + spec.bytesPerVoxel * plan.tile[0] * plan.tile[1] * plan.tile[2],
        });
        const edges = AXES.map((a) => Array.from({ length: Math.ceil(shape[a] / 8) }, (_, i) => 8 * (i + 1)));
        const tried: ReturnType<typeof costOf>[] = [];
        for (const z of edges[0]!) {
          for (const y of edges[1]!) {
            for (const x of edges[2]!) {
              const tile: Zyx = [z, y, x];
              if (AXES.some((a) => tile[a] <= overlap[a] && tile[a] < shape[a])) continue;
              // A single tile along an axis shares nothing.
              const shared = AXES.map((a) => (tile[a] >= shape[a] ? 0 : overlap[a])) as unknown as Zyx;
              tried.push(costOf(planTiles(shape, { tile, outputStride }, { overlap: shared })));
            }
          }
        }
        const whole = shape.map((length) => Math.ceil(length / 8) * 8).reduce((product, length) => product * length);
        const sensible = tried.filter(({ voxels }) => voxels <= 8 * whole);
        const fitting = sensible.filter(({ bytes }) => bytes <= megabytes * 1e6);
        if (fitting.length === 0) {
          expect(() => planTiles(shape, spec, { memory: megabytes * 1e6 })).toThrow('too few for a volume');
          return;
        }
        const plan = planTiles(shape, spec, { memory: megabytes * 1e6 });
        expect(costOf(plan).bytes).toBeLessThanOrEqual(megabytes * 1e6);
        const halvings = Math.min(...fitting.map((one) => one.halvings));
        expect(costOf(plan).halvings).toBe(halvings);
        const large = fitting.filter((one) => one.halvings === halvings);
        expect(costOf(plan).voxels).toBe(Math.min(...large.map(({ voxels }) => voxels)));
      }),
      { numRuns: 60 },
    );
  });

  it('planTiles never cuts a volume into slivers, however little its tiles share, and costs no more than the tile of the card', () => {
    const spec: TileSpec = { tile: [184, 160, 160], outputStride: 2 };
    const length = fc.integer({ min: 1, max: 1100 });
    const multiples = fc.constantFrom([184, 2], [160, 8], [160, 16], [160, 32]);
    const plans = fc.record({
      shape: fc.tuple(fc.integer({ min: 1, max: 520 }), length, length),
      overlap: fc.tuple(
        fc.integer({ min: 0, max: 40 }),
        fc.integer({ min: 0, max: 40 }),
        fc.integer({ min: 0, max: 40 }),
      ),
      isOfCard: fc.boolean(),
      edgeAndMultiple: multiples,
      memory: fc.constantFrom(undefined, 'low' as const, 3e9),
    });
    fc.assert(
      fc.property(plans, ({ shape, overlap, isOfCard, edgeAndMultiple: [edge, tileMultiple], memory }) => {
        const card = { ...spec, tile: [edge!, 160, 160], tileMultiple, bytesPerVoxel: 70 } as unknown as TileSpec;
        const shared = isOfCard ? { overlap } : {};
        const plan = planTiles(shape, { ...card, ...shared }, { memory });
        const fixed = planTiles(shape, { ...card, bytesPerVoxel: undefined, ...shared });
        const [voxels, usual] = [plan, fixed].map(({ tile, tiles }) => tiles.length * tile[0] * tile[1] * tile[2]);
        const least = AXES.map((axis) => Math.min(card.tile[axis], shape[axis]));
        for (const axis of AXES) {
          expect(plan.tile[axis]).toBeGreaterThanOrEqual(least[axis]! / (memory === 'low' ? 4 : 2));
          if (memory !== 'low') expect(plan.starts[axis].length).toBeLessThanOrEqual(fixed.starts[axis].length);
        }
        expect(voxels).toBeLessThanOrEqual((memory === 'low' ? 2 : 1) * usual!);
      }),
      { numRuns: 200 },
    );
  });

  it('planTiles takes a few large tiles where none share anything', () => {
    const spec: TileSpec = { tile: [184, 160, 160], tileMultiple: 8, outputStride: 2, bytesPerVoxel: 70 };
    const tileOf = (overlap: Zyx) => planTiles([184, 630, 630], spec, { overlap }).tile;
    expect(tileOf([0, 0, 0])).toEqual([184, 160, 320]);
    expect(tileOf([0, 16, 16])).toEqual([184, 224, 224]);
    expect(planTiles([48, 96, 96], spec, { overlap: [0, 0, 0] }).tiles).toHaveLength(1);
    // A card that says nothing of overlap: a quarter of its tile, whatever the tile of the plan.
    const { tile, starts } = planTiles([512, 1024, 1024], spec);
    expect(starts[0][0]! + tile[0] - starts[0][1]!).toBeGreaterThanOrEqual(46);
    expect(planTiles([512, 1024, 1024], { ...spec, overlap: [46, 40, 40] })).toEqual(
      planTiles([512, 1024, 1024], spec),
    );
  });

  it('planTiles takes large tiles by default and small ones with little memory, for a network that says what a voxel takes', () => {
    const spec: TileSpec = {
      tile: [184, 160, 160],
      tileMultiple: 8,
      overlap: [16, 16, 16],
      outputStride: 2,
      bytesPerVoxel: 70,
    };
    const planned = (options: PlanOptions, shape: Zyx = [184, 630, 630]) => {
      const { tile, tiles } = planTiles(shape, spec, options);
      return [tiles.length, ...tile];
    };
    expect(planned({})).toEqual([9, 184, 224, 224]);
    expect(planned({ memory: 'low' })).toEqual(planned({ memory: 4e8 }));
    expect(planned({ memory: 1e12 })).toEqual([1, 184, 632, 632]);
    // Thin volumes take thin tiles, also thinner than the overlap.
    expect(planned({}, [8, 64, 64])).toEqual([1, 8, 64, 64]);
    // Where the usual memory does not do, the tile of the card; with less, tiles that are hardly more than their overlap are no help.
    const six = { ...spec, classes: [...'abcdef'] };
    expect(planTiles([4096, 4096, 4096], six).tile).toEqual([184, 160, 160]);
    expect(() => planTiles([184, 630, 630], six, { memory: 1e7 })).toThrow('10 MB are too few');
    expect(() => planTiles([1, 1, 1e9], { ...spec, tileMultiple: undefined, bytesPerVoxel: undefined })).toThrow(
      'more than 1000000',
    );
    expect(() => planTiles([184, 630, 630], spec, { memory: 1e6 })).toThrow(
      'cannot plan tiles: 1 MB are too few for a volume of 184×630×630: tiles of',
    );
    expect(() => planTiles([184, 630, 630], { tile: [64, 64, 64] }, { memory: 1e9 })).toThrow(
      'memory chooses tiles only for a network whose card has tileMultiple and bytesPerVoxel',
    );
  });

  it('planTiles gives the numbers of its documentation', () => {
    const plan = planTiles([184, 630, 630], { tile: [64, 128, 128], outputStride: 2 }, { overlap: [16, 32, 32] });
    expect(plan.tiles).toHaveLength(196);
    expect(plan.memory.total / 1e6).toBeCloseTo(30.0, 1);
    expect(plan).toMatchObject({ window: 'gaussian', axis: 1, outputShape: [92, 315, 315] });
  });

  it.each<[string, Zyx, TileSpec & PlanOptions, string]>([
    ['an empty volume', [0, 4, 4], { tile: [4, 4, 4] }, 'volume shape 0×4×4 must be three whole numbers'],
    ['a negative shape', [4, -1, 4], { tile: [4, 4, 4] }, 'volume shape 4×-1×4'],
    ['a fractional tile', [4, 4, 4], { tile: [4, 2.5, 4] }, 'tile 4×2.5×4 must be three whole numbers'],
    ['an empty tile', [4, 4, 4], { tile: [4, 0, 4] }, 'of at least 1'],
    ['a NaN overlap', [4, 4, 4], { tile: [4, 4, 4], overlap: [0, Number.NaN, 0] }, 'overlap 0×NaN×0'],
    ['a negative overlap', [4, 4, 4], { tile: [4, 4, 4], overlap: [0, -1, 0] }, 'of at least 0'],
    [
      'an overlap of the whole tile',
      [9, 9, 9],
      { tile: [4, 4, 4], overlap: [0, 4, 0] },
      'overlap 0×4×0 must be below the tile 4×4×4, at most 3×3×3 voxels',
    ],
    [
      'an overlap that leaves no room for a start at a multiple',
      [99, 99, 99],
      { tile: [16, 16, 16], tileMultiple: 8, overlap: [0, 9, 8] },
      'overlap 0×9×8 must be below the tile 16×16×16, at most 8×8×8 voxels, since tiles start at multiples of 8',
    ],
    [
      'a tile that the stride does not divide',
      [9, 9, 9],
      { tile: [4, 6, 9], outputStride: 4 },
      'tile 4×6×9 is not a multiple of the output stride 4; 4×8×12 would be',
    ],
    [
      'a tile off its multiple',
      [9, 9, 9],
      { tile: [8, 12, 16], tileMultiple: 8 },
      'tile 8×12×16 is not a multiple of tileMultiple 8; 8×16×16 would be',
    ],
    [
      'a multiple off the stride',
      [9, 9, 9],
      { tile: [12, 12, 12], tileMultiple: 3, outputStride: 2 },
      'tileMultiple 3 is not a whole multiple of the output stride 2',
    ],
    [
      'a multiple of null, as JSON has NaN',
      [9, 9, 9],
      { tile: [4, 4, 4], tileMultiple: null as unknown as number },
      'tileMultiple null is not a whole multiple of the output stride 1',
    ],
    [
      'a multiple that is a bigint',
      [9, 9, 9],
      { tile: [4, 4, 4], tileMultiple: 2n as unknown as number },
      'tileMultiple the bigint 2 is not a whole multiple of the output stride 1',
    ],
    ['a stride of 3', [9, 9, 9], { tile: [3, 3, 3], outputStride: 3 as 2 }, 'output stride 3 must be 1, 2 or 4'],
    ['an unknown window', [9, 9, 9], { tile: [3, 3, 3], window: 'box' as 'crop' }, 'available: "crop", "linear"'],
    ['an unknown axis', [9, 9, 9], { tile: [3, 3, 3], axis: 3 as 2 }, 'axis 3 must be 0 (z), 1 (y) or 2 (x)'],
    ['half a channel', [9, 9, 9], { tile: [3, 3, 3], channels: 0.5 }, 'channels must be a whole number'],
    [
      'more tiles than memory',
      [1e6, 1e6, 1e6],
      { tile: [2, 2, 2], overlap: [1, 1, 1] },
      'tiles, more than 1000000; take larger tiles or less overlap',
    ],
    [
      'a volume so long that the plan would take more memory than the voxels of any tomogram',
      [1, 1, 1e8],
      { tile: [184, 160, 160], tileMultiple: 8, bytesPerVoxel: 70 },
      'blend weights, more than 10000000; take less overlap, or a part of the volume',
    ],
  ])('planTiles refuses %s', (_, shape, options, message) => {
    expect(() => planTiles(shape, options, options)).toThrow(
      expect.objectContaining({ code: 'invalid-option', message: expect.stringContaining(message) }),
    );
  });

  it.each<[string, Zyx, TileSpec & PlanOptions]>([
    ['one voxel', [1, 1, 1], { tile: [1, 1, 1] }],
    ['one voxel in a large tile', [1, 1, 1], { tile: [64, 64, 64], outputStride: 4 }],
    ['a thin volume', [3, 700, 2], { tile: [64, 64, 64], outputStride: 2 }],
  ])('planTiles plans %s', (_, shape, options) => {
    const plan = planTiles(shape, options, options);
    expect(plan.tiles[0].start).toEqual([0, 0, 0]);
    expect(plan.memory.total).toBeGreaterThan(0);
  });
});
