import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { SlabMemory } from '../../src/core/buffer-pool.ts';
import { planTiles, type TilePlan, type Zyx } from '../../src/entry/index.ts';
import { coarseGrid, voxelCount } from '../../src/space/grid.ts';
import { SlabBlender } from '../../src/tiles/blend.ts';
import { plannable } from '../support/plan-arbitraries.ts';
import { joinSlabs } from '../support/score-map.ts';

const gridOf = ({ shape, outputStride }: TilePlan) =>
  coarseGrid({ shape, voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } }, outputStride);

const scoresPerTile = ({ tile, outputStride }: TilePlan) => voxelCount(tile) / outputStride ** 3;

function blenderFor(plan: TilePlan, channels: readonly number[] = [0]): SlabBlender {
  const classes = channels.map((channel) => `class ${channel}`);
  return new SlabBlender(plan, { grid: gridOf(plan), classes, channels });
}

describe('SlabBlender', () => {
  it('SlabBlender equals a blend of whole maps: sum of weight × score over all tiles', async () => {
    await fc.assert(
      fc.asyncProperty(plannable({ longest: 20, mostTiles: 60 }), fc.nat(), async ({ shape, options }, seed) => {
        const plan = planTiles(shape, options, options);
        const blender = blenderFor(plan, [1, 2]);
        const expected = new Float64Array(2 * voxelCount(plan.outputShape));
        const slabs = [];
        for (const [t, tile] of plan.tiles.entries()) {
          const scores = Float32Array.from({ length: 3 * scoresPerTile(plan) }, (_, i) => hash(seed + t * 7919 + i));
          addByBruteForce(plan, tile, scores, expected);
          await blender.add(tile, scores);
          slabs.push(...blender.takeFinished());
        }
        expect(slabs.map(({ start, scores, axis }) => [start, start + scores.shape[axis + 1]])).toEqual(
          plan.segments.map(({ start, end }) => [start, end]),
        );
        const map = await joinSlabs(slabs);
        expect(map.classes).toEqual(['class 1', 'class 2']);
        map.data.forEach((score, i) => {
          if (Math.abs(score - expected[i]) > 1e-5) expect(score).toBeCloseTo(expected[i], 5);
        });
      }),
      { numRuns: 60 },
    );
  });

  it('SlabBlender holds no more bytes than the plan predicts, however long the volume', async () => {
    await fc.assert(
      fc.asyncProperty(plannable({ longest: 30, mostTiles: 200 }), async ({ shape, options }) => {
        const plan = planTiles(shape, options, { ...options, channels: 2 });
        const most = await mostBytesHeld(plan);
        expect(most).toBe(plan.memory.accumulators);
      }),
      { numRuns: 60 },
    );
    const options = { tile: [4, 4, 8], channels: 2 } as const;
    expect(await mostBytesHeld(planTiles([6, 6, 80], options, options))).toBe(
      await mostBytesHeld(planTiles([6, 6, 160], options, options)),
    );
  });

  it('SlabBlender holds no more with the memory of released slabs, whatever the plan, and reuses it', async () => {
    const uneven = planTiles([700, 1, 1], { tile: [19, 1, 1] }, { overlap: [1, 0, 0], channels: 2 });
    expect((await withReleasedSlabs(uneven)).fresh).toBeLessThan(0.1 * 2 * 700);
    await fc.assert(
      fc.asyncProperty(plannable({ longest: 90, mostTiles: 200 }), async ({ shape, options }) => {
        const plan = planTiles(shape, options, { ...options, channels: 2 });
        const { most, arrays } = await withReleasedSlabs(plan);
        const plane = (4 * 2 * voxelCount(plan.outputShape)) / plan.outputShape[plan.axis];
        expect(most).toBeLessThanOrEqual(plan.memory.accumulators + arrays * plane);
      }),
      { examples: [[{ shape: uneven.shape, options: { tile: uneven.tile, overlap: [1, 0, 0] } }]], numRuns: 60 },
    );
  });

  it.each([630, 2520, 1000, 911])(
    'SlabBlender makes no slab anew after the first rows of tiles, %i planes long',
    async (length) => {
      for (const tile of [96, 64, 128, 160]) {
        const plan = planTiles([1, length, 1], { tile: [1, tile, 1] }, { overlap: [0, tile / 4, 0], channels: 2 });
        // Two tiles' worth of planes, and the first and last ones, which overlap on one side.
        expect((await withReleasedSlabs(plan)).fresh).toBeLessThanOrEqual(2 * 3 * tile);
      }
    },
  );

  it('SlabBlender lets the event loop turn after each piece of its work: a class checked, a segment opened, a class added to one', async () => {
    const plan = planTiles([1, 1, 20], { tile: [1, 1, 8] }, { overlap: [0, 0, 2] });
    const blender = blenderFor(plan, [0, 1, 2]);
    const scores = new Float32Array(24);
    // On this clock every piece of work is long, so that each one ends with a turn.
    let now = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 100));
    let turns = 0;
    let counting = true;
    const count = (): void => {
      turns++;
      if (counting) setImmediate(count);
    };
    try {
      setImmediate(count);
      await blender.add(plan.tiles[0], scores);
    } finally {
      counting = false;
      clock.mockRestore();
    }
    // Two segments open with the first tile.
    expect(turns).toBeGreaterThanOrEqual(3 + 2 + 3 * 2 - 1);
    scores[16] = Number.NaN;
    await expect(blender.add(plan.tiles[1], scores)).rejects.toThrow('the model gave NaN');
  });

  it('SlabBlender finishes slabs as soon as no further tile touches them', async () => {
    const plan = planTiles([1, 1, 20], { tile: [1, 1, 8] }, { overlap: [0, 0, 2] });
    const blender = blenderFor(plan);
    expect(plan.starts[2]).toEqual([0, 6, 12]);
    const finished: number[][][] = [];
    for (const tile of plan.tiles) {
      await blender.add(tile, new Float32Array(8));
      finished.push(blender.takeFinished().map(({ start, scores }) => [start, start + scores.shape[3]]));
    }
    expect(finished).toEqual([
      [[0, 6]],
      [
        [6, 8],
        [8, 12],
      ],
      [
        [12, 14],
        [14, 20],
      ],
    ]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])(
    'SlabBlender refuses a score of %s and names the tile',
    async (score) => {
      const plan = planTiles([1, 1, 12], { tile: [1, 1, 8] });
      const blender = blenderFor(plan, [1]);
      await blender.add(plan.tiles[0], new Float32Array(16));
      const scores = new Float32Array(16);
      scores[0] = score;
      await blenderFor(plan, [1]).add(plan.tiles[0], scores); // a class that is not kept may hold anything
      scores[9] = score;
      await expect(blender.add(plan.tiles[1], scores)).rejects.toThrow(
        expect.objectContaining({
          code: 'model-failed',
          message: expect.stringContaining(`the model gave ${score} for the tile at voxel 0×0×4`),
        }),
      );
    },
  );

  it('SlabBlender refuses tiles out of order, too few scores, the grid of another plan and no classes', async () => {
    const plan = planTiles([1, 1, 12], { tile: [1, 1, 8] });
    const blender = blenderFor(plan, [1]);
    const scores = new Float32Array(16);
    await expect(blender.add(plan.tiles[1], scores)).rejects.toThrow(
      '0×0×4 is out of order: expected the one at 0×0×0',
    );
    await expect(blender.add(plan.tiles[0], scores.subarray(8))).rejects.toThrow(
      '8 scores do not fill 2 or more channels',
    );
    await expect(blender.add(plan.tiles[0], scores.subarray(1))).rejects.toThrow('15 scores do not fill');
    for (const tile of plan.tiles) await blender.add(tile, scores);
    await expect(blender.add(plan.tiles[0], scores)).rejects.toThrow('all tiles were added');
    expect(() => blenderFor(plan, [])).toThrow('one or more classes and a channel of each, found 0 and 0');
    const otherGrid = { ...gridOf(plan), shape: [1, 1, 11] as Zyx };
    expect(() => new SlabBlender(plan, { grid: otherGrid, classes: ['a'] })).toThrow('1×1×11');
    const twoForOne = { grid: gridOf(plan), classes: ['a'], channels: [0, 1] };
    expect(() => new SlabBlender(plan, twoForOne)).toThrow('found 1 and 2');
    expect(() => blenderFor(plan, [-1])).toThrow('channels to blend must be whole numbers from 0, found [-1]');
  });
});

/** A number in -1 … 1 that looks random. */
function hash(n: number): number {
  const s = Math.sin(n * 12.9898) * 43758.5453;
  return 2 * (s - Math.floor(s)) - 1;
}

function addByBruteForce(plan: TilePlan, tile: TilePlan['tiles'][number], scores: Float32Array, map: Float64Array) {
  const [, height, width] = plan.outputShape;
  const [tz, ty, tx] = plan.tile.map((edge) => edge / plan.outputStride);
  const [sz, sy, sx] = tile.start.map((start) => start / plan.outputStride);
  const [wz, wy, wx] = ([0, 1, 2] as const).map((a) => plan.weights[a][tile.index[a]]);
  for (const [channel, k] of [
    [0, 1],
    [1, 2],
  ])
    for (let z = 0; z < tz; z++)
      for (let y = 0; y < ty; y++)
        for (let x = 0; x < tx; x++) {
          const weight = wz[z] * wy[y] * wx[x];
          if (weight === 0) continue;
          const score = scores[((k * tz + z) * ty + y) * tx + x];
          map[channel * voxelCount(plan.outputShape) + ((z + sz) * height + y + sy) * width + x + sx] += weight * score;
        }
}

/** Greatest number of bytes allocated for sums and not yet taken, counted from outside: by allocations. */
async function mostBytesHeld(plan: TilePlan): Promise<number> {
  const RealArray = globalThis.Float32Array;
  let allocated = 0;
  let taken = 0;
  let most = 0;
  const blender = blenderFor(plan, [0, 1]);
  const scores = new RealArray(2 * scoresPerTile(plan));
  globalThis.Float32Array = class extends RealArray {
    constructor(...args: [number]) {
      super(...args);
      // Views of a buffer take nothing.
      if (typeof args[0] === 'number') allocated += 4 * args[0];
    }
  } as unknown as typeof Float32Array;
  try {
    for (const tile of plan.tiles) {
      await blender.add(tile, scores);
      most = Math.max(most, allocated - taken);
      for (const slab of blender.takeFinished()) taken += slab.scores.data.byteLength;
    }
  } finally {
    globalThis.Float32Array = RealArray;
  }
  return most;
}

/** Blends with a receiver who releases every slab: the most bytes held, how many arrays there were, and the numbers for which there was no memory yet. */
async function withReleasedSlabs(
  plan: TilePlan,
): Promise<{ readonly most: number; readonly arrays: number; readonly fresh: number }> {
  let memory: SlabMemory | undefined;
  let most = 0;
  const buffers = new Map<ArrayBuffer, number>();
  const { zeros } = SlabMemory.prototype;
  const spy = vi.spyOn(SlabMemory.prototype, 'zeros').mockImplementation(function (this: SlabMemory, length) {
    memory = this;
    const array = zeros.call(this, length);
    most = Math.max(most, 4 * this.held);
    buffers.set(array.buffer, length);
    return array;
  });
  try {
    const blender = blenderFor(plan, [0, 1]);
    const scores = new Float32Array(2 * scoresPerTile(plan));
    for (const tile of plan.tiles) {
      await blender.add(tile, scores);
      for (const slab of blender.takeFinished()) {
        slab.release?.();
        most = Math.max(most, 4 * memory!.held);
      }
    }
  } finally {
    spy.mockRestore();
  }
  return { most, arrays: buffers.size, fresh: [...buffers.values()].reduce((sum, length) => sum + length, 0) };
}
