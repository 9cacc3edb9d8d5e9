import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { type Axis, localMaxima, type Peak, type ScoreSlab, type VoxelGrid, type Zyx } from '../../src/entry/index.ts';
import { arbitrarySweep, collect, flatScores, gridOf, type Scores, scoresOf, slabsOf } from '../support/slabs.ts';

const axes: readonly Axis[] = [0, 1, 2];
const byClassThenVoxel = (a: Peak, b: Peak) =>
  a.object.localeCompare(b.object) || a.voxel[0] - b.voxel[0] || a.voxel[1] - b.voxel[1] || a.voxel[2] - b.voxel[2];

/** The definition, literally: flood each plateau, keep it if nothing beside it is higher. */
function maximaByFlooding({ shape, classes, values }: Scores, threshold: number): Peak[] {
  const [depth, height, width] = shape;
  const count = depth * height * width;
  const peaks: Peak[] = [];
  classes.forEach((object, channel) => {
    const scores = values.subarray(channel * count, (channel + 1) * count);
    const seen = new Set<number>();
    for (let seed = 0; seed < count; seed++) {
      if (seen.has(seed) || !(scores[seed] >= threshold)) continue;
      let highest = true;
      const queue = [seed];
      const plateau: Zyx[] = [];
      seen.add(seed);
      for (let i = queue.pop(); i !== undefined; i = queue.pop()) {
        const [z, y, x] = [Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width];
        plateau.push([z, y, x]);
        for (let n = 0; n < 27; n++) {
          const [zz, yy, xx] = [z + Math.floor(n / 9) - 1, y + (Math.floor(n / 3) % 3) - 1, x + (n % 3) - 1];
          if (zz < 0 || yy < 0 || xx < 0 || zz >= depth || yy >= height || xx >= width) continue;
          const j = (zz * height + yy) * width + xx;
          if (scores[j] > scores[seed]) highest = false;
          if (scores[j] !== scores[seed] || seen.has(j)) continue;
          seen.add(j);
          queue.push(j);
        }
      }
      const grid = gridOf(shape);
      if (highest) peaks.push({ grid, voxel: nearestToCentroid(plateau, grid), object, score: scores[seed] });
    }
  });
  return peaks.sort(byClassThenVoxel);
}

function nearestToCentroid(voxels: readonly Zyx[], { voxelSize }: VoxelGrid): Zyx {
  const axes = [0, 1, 2] as const;
  const centroid = axes.map((axis) => voxels.reduce((sum, voxel) => sum + voxel[axis], 0) / voxels.length);
  const distance = (voxel: Zyx) => Math.hypot(...axes.map((axis) => (voxel[axis] - centroid[axis]!) * voxelSize[axis]));
  const least = Math.min(...voxels.map(distance));
  const nearest = voxels.filter((voxel) => distance(voxel) < least + 1e-9);
  return nearest.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2])[0]!;
}

describe('localMaxima against flooding every plateau', () => {
  it.each([
    ['two levels', [0, 1]],
    ['mostly one level', [1, 1, 1, 1, 1, 2]],
    ['some ties', [0, 1, 2, 3, 4, 5, 6, 7]],
    ['NaN and infinities', [0, 1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]],
    ['negative scores', [-3, -2, -1]],
  ])('localMaxima finds the same peaks as flooding every plateau, for any axis and any cuts: %s', async (_, levels) => {
    await fc.assert(
      fc.asyncProperty(arbitrarySweep(levels), fc.constantFrom(-10, -2, 0.5, 1), async (sweep, threshold) => {
        const found = await collect(localMaxima(slabsOf(sweep.scores, sweep.axis, sweep.cuts), { threshold }));
        expect(found.sort(byClassThenVoxel)).toEqual(maximaByFlooding(sweep.scores, threshold));
      }),
      { numRuns: 150 },
    );
  });

  it('localMaxima gives the same peaks in the same order wherever slabs are cut', async () => {
    await fc.assert(
      fc.asyncProperty(arbitrarySweep([0, 1, 1, 2]), async ({ scores, axis, cuts }) => {
        const whole = await collect(localMaxima(slabsOf(scores, axis), { threshold: 1 }));
        expect(await collect(localMaxima(slabsOf(scores, axis, cuts), { threshold: 1 }))).toEqual(whole);
        expect(await collect(localMaxima(slabsOf(scores, axis, [1, 2, 3, 4, 5]), { threshold: 1 }))).toEqual(whole);
      }),
    );
  });
});

describe('localMaxima on volumes longer than it reads at once', () => {
  it.each(axes)('localMaxima finds the same peaks in long volumes along axis %i, in any layout', async (axis) => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          sides: fc.tuple(
            fc.integer({ min: 33, max: 50 }),
            fc.integer({ min: 1, max: 11 }),
            fc.integer({ min: 1, max: 4 }),
          ),
          cuts: fc.array(fc.integer({ min: 1, max: 49 }), { maxLength: 3 }),
          seed: fc.integer(),
          levels: fc.constantFrom(3, 1000),
        }),
        async ({ sides: [length, a, b], cuts, seed, levels }) => {
          const shape: Zyx = axis === 0 ? [length, a, b] : axis === 1 ? [a, length, b] : [b, a, length];
          const scores = flatScores(shape, 0);
          let state = seed;
          for (let i = 0; i < scores.values.length; i++) {
            state = (Math.imul(state, 1664525) + 1013904223) | 0;
            scores.values[i] = ((state >>> 16) % levels) / levels;
          }
          const found = await collect(localMaxima(slabsOf(scores, axis, cuts), { threshold: 0.5 }));
          expect(found.sort(byClassThenVoxel)).toEqual(maximaByFlooding(scores, 0.5));
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('localMaxima on degenerate volumes', () => {
  const single = (score: number): Scores => flatScores([1, 1, 1], score);
  const line = (...values: number[]): Scores => scoresOf([[values]]);
  it.each<[string, Scores, Zyx[]]>([
    ['one voxel', single(1), [[0, 0, 0]]],
    ['one voxel exactly at the threshold', single(0.5), [[0, 0, 0]]],
    ['one voxel below the threshold', single(0.25), []],
    ['one voxel of NaN', single(Number.NaN), []],
    ['flat above the threshold', flatScores([3, 4, 5], 1), [[1, 1, 2]]],
    ['flat below the threshold', flatScores([3, 4, 5], 0), []],
    ['NaN only', flatScores([3, 4, 5], Number.NaN), []],
    ['+∞ only', flatScores([3, 4, 5], Number.POSITIVE_INFINITY), [[1, 1, 2]]],
    ['−∞ only', flatScores([3, 4, 5], Number.NEGATIVE_INFINITY), []],
    ['a volume without voxels', flatScores([0, 4, 5], 1), []],
    ['peak beside NaN', line(Number.NaN, 1, Number.NaN), [[0, 0, 1]]],
    [
      'peaks at both ends',
      line(1, 0, 2),
      [
        [0, 0, 0],
        [0, 0, 2],
      ],
    ],
    ['a staircase', line(1, 1, 2, 2, 3, 3), [[0, 0, 4]]],
    ['a plateau beaten at its far end', line(1, 1, 1, 1, 1, 2), [[0, 0, 5]]],
    ['a plateau parted by a beaten voxel', line(1, 1, 2, 1, 1), [[0, 0, 2]]],
    [
      'two equal peaks diagonal to each other',
      scoresOf([
        [
          [0, 1],
          [0, 0],
        ],
        [
          [0, 0],
          [1, 0],
        ],
      ]),
      [[0, 0, 1]],
    ],
    [
      'two equal peaks with a gap',
      line(1, 0, 1),
      [
        [0, 0, 0],
        [0, 0, 2],
      ],
    ],
  ])('localMaxima handles a degenerate volume: %s', async (_, scores, expected) => {
    for (const axis of axes) {
      const found = await collect(localMaxima(slabsOf(scores, axis, [1, 2, 3, 4]), { threshold: 0.5 }));
      expect(found.map(({ voxel }) => voxel).sort()).toEqual(expected);
    }
  });

  it('localMaxima finds a peak on each corner, with its score and grid', async () => {
    for (const corner of [0, 2, 6, 8, 18, 20, 24, 26]) {
      const scores = flatScores([3, 3, 3], 0);
      scores.values[corner] = 0.75;
      const voxel: Zyx = [Math.floor(corner / 9), Math.floor(corner / 3) % 3, corner % 3];
      for (const axis of axes) {
        expect(await collect(localMaxima(slabsOf(scores, axis, [1]), { threshold: 0.5 }))).toEqual([
          { grid: gridOf([3, 3, 3]), voxel, object: 'a', score: 0.75 },
        ]);
      }
    }
  });

  it('localMaxima sees that a U of equal scores is one plateau, though its arms meet on the last plane only', async () => {
    const scores = flatScores([9, 1, 3], 1);
    for (let z = 0; z < 8; z++) scores.values[z * 3 + 1] = 0;
    expect(await collect(localMaxima(slabsOf(scores, 0, [2, 5]), { threshold: 0.5 }))).toMatchObject([
      { voxel: [4, 0, 0] },
    ]);
    scores.values[2] = 2; // the end of one arm beats both
    expect(await collect(localMaxima(slabsOf(scores, 0, [2, 5]), { threshold: 0.5 }))).toMatchObject([
      { voxel: [0, 0, 2], score: 2 },
    ]);
  });

  it('localMaxima takes a threshold per object, and looks only for the objects that have one', async () => {
    const classes = ['a', 'constructor', 'c'];
    const scores: Scores = { shape: [1, 1, 1], classes, values: Float32Array.of(0.3, 0.3, 0.3) };
    const find = async (threshold: Record<string, number>) =>
      (await collect(localMaxima(slabsOf(scores, 0), { threshold }))).map(({ object }) => object);
    expect(await find({ a: 0.4, c: 0.2 })).toEqual(['c']);
    expect(await find({ c: 0.2, a: 0.2 })).toEqual(['a', 'c']);
    expect(await find({ constructor: 0.3 })).toEqual(['constructor']);
  });

  it.each<[string, unknown, string]>([
    ['names an object that the slabs do not have', { b: 1 }, 'threshold names "b", but the scores are of "a"'],
    ['names nothing', {}, 'threshold names no object'],
    ['is a function', () => 1, 'localMaxima: threshold must be a number, or numbers by object name, found a function'],
  ])('localMaxima refuses a threshold that %s', async (_, threshold, message) => {
    const slabs = slabsOf(flatScores([1, 1, 1], 1), 0);
    await expect(collect(localMaxima(slabs, { threshold: threshold as number }))).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining(message),
    });
  });

  it('localMaxima orders peaks by plane, then class; a plateau comes right before the plane after its last', async () => {
    const scores: Scores = {
      shape: [5, 1, 3],
      classes: ['a', 'b'],
      values: Float32Array.from(
        [
          [1, 0, 0],
          [1, 0, 2],
          [0, 0, 0],
          [0, 0, 0],
          [3, 0, 0],
          [0, 0, 0],
          [0, 4, 0],
          [0, 0, 0],
          [0, 0, 0],
          [5, 0, 0],
        ].flat(),
      ),
    };
    const found = await collect(localMaxima(slabsOf(scores, 0), { threshold: 0.5 }));
    expect(found.map(({ score }) => score)).toEqual([2, 4, 1, 3, 5]);
  });
});

describe('localMaxima on scores that saturate', () => {
  it('localMaxima gives the middle of a saturated ball, not its lowest corner', async () => {
    const scores = flatScores([16, 16, 16], 0.1);
    const centre = [7, 8, 6] as const;
    for (let i = 0; i < scores.values.length; i++) {
      const [z, y, x] = [i >> 8, (i >> 4) & 15, i & 15];
      if (Math.hypot(z - centre[0], y - centre[1], x - centre[2]) <= 4) scores.values[i] = 1;
    }
    for (const axis of axes) {
      const found = await collect(localMaxima(slabsOf(scores, axis, [3, 9]), { threshold: 0.5 }));
      expect(found.map(({ voxel }) => voxel)).toEqual([centre]);
    }
  });

  it('localMaxima measures from the centroid in Å where voxels are not cubes', async () => {
    // An L: a long arm along z, of thin voxels, and a short one along x.
    const scores = flatScores([9, 1, 5], 0);
    for (let z = 0; z < 9; z++) scores.values[z * 5] = 1;
    for (let x = 0; x < 5; x++) scores.values[x] = 1;
    const grid = { ...gridOf([9, 1, 5]), voxelSize: [1, 10, 10] as const };
    for (const axis of axes) {
      const slabs = [...slabsOf(scores, axis)].map((slab) => ({ ...slab, grid }));
      // Its centroid is voxel (36 / 13, 0, 10 / 13).
      expect(await collect(localMaxima(slabs, { threshold: 0.5 }))).toMatchObject([{ voxel: [0, 0, 1] }]);
    }
  });

  it('localMaxima holds a saturated block of 128³ voxels in less than 10 MB', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const used = () => {
      collectGarbage();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const shape: Zyx = [128, 128, 128];
    const [slab] = slabsOf(flatScores([1, 128, 128], 1), 0);
    let before = 0;
    let last = 0;
    function* planes() {
      before = used();
      for (let start = 0; start < 128; start++) {
        if (start === 127) last = used();
        yield { ...slab!, grid: gridOf(shape), start };
      }
    }
    expect(await collect(localMaxima(planes(), { threshold: 0.5 }))).toMatchObject([{ voxel: [63, 63, 63] }]);
    expect(last - before).toBeLessThan(10e6);
  });
});

describe('localMaxima of slabs that can be released', () => {
  it('localMaxima finds the same peaks when each slab is overwritten as soon as it is released, wherever slabs are cut', async () => {
    await fc.assert(
      fc.asyncProperty(arbitrarySweep([0, 1, 1, 2]), async ({ scores, axis, cuts }) => {
        const kept = await collect(localMaxima(slabsOf(scores, axis, cuts), { threshold: 1 }));
        let released = 0;
        function* overwritten() {
          for (const slab of slabsOf(scores, axis, cuts)) {
            const release = () => {
              released++;
              slab.scores.data.fill(3);
            };
            yield { ...slab, release };
          }
        }
        expect(await collect(localMaxima(overwritten(), { threshold: 1 }))).toEqual(kept);
        expect(released).toBe([...slabsOf(scores, axis, cuts)].length);
      }),
    );
  });

  it('localMaxima releases a slab before it takes the next one', async () => {
    const held = new Set<number>();
    let most = 0;
    function* counted() {
      for (const slab of slabsOf(flatScores([9, 2, 2], 1), 0, [1, 4, 6])) {
        held.add(slab.start);
        most = Math.max(most, held.size);
        yield { ...slab, release: () => held.delete(slab.start) };
      }
    }
    await collect(localMaxima(counted(), { threshold: 1 }));
    expect({ most, left: held.size }).toEqual({ most: 1, left: 0 });
  });
});

describe('localMaxima and its callers', () => {
  const scores = flatScores([4, 2, 2], 1);
  const run = (slabs: Iterable<ScoreSlab>) => collect(localMaxima(slabs, { threshold: 0.5 }));

  it('localMaxima finds nothing in an empty stream', async () => {
    expect(await run([])).toEqual([]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'localMaxima refuses the threshold %s',
    async (bad) => {
      await expect(collect(localMaxima([], { threshold: bad }))).rejects.toMatchObject({ code: 'invalid-option' });
      await expect(collect(localMaxima([], { threshold: { a: bad } }))).rejects.toThrow(
        `threshold of "a" must be a finite score, found ${bad}`,
      );
    },
  );

  it.each<[string, (slabs: ScoreSlab[]) => ScoreSlab[], RegExp]>([
    ['a missing first slab', ([, b, c]) => [b, c], /starts at plane 1 of axis 0 leaves a gap.*expected plane 0/],
    ['a missing slab in the middle', ([a, , c]) => [a, c], /starts at plane 2.*expected plane 1/],
    ['a missing last slab', ([a, b]) => [a, b], /end after plane 1 of axis 0; the score map has 4 planes/],
    ['a slab given twice', ([a, b, c]) => [a, b, b, c], /expected plane 2/],
    ['another sweep axis', ([a, b]) => [a, { ...b, axis: 1 }], /belongs to another sweep/],
    [
      'other classes',
      ([a, b]) => [a, { ...b, classes: ['g'] }],
      /belongs to another sweep.*classes "g"; expected.*classes "a"/,
    ],
    ['fewer channels than classes', ([a]) => [{ ...a, classes: ['a', 'b'] }], /2 classes/],
    [
      'data shorter than its shape',
      ([a]) => [{ ...a, scores: { ...a.scores, data: new Float32Array(3) } }],
      /3 values/,
    ],
  ])('localMaxima refuses %s', async (_, spoil, message) => {
    const slabs = spoil([...slabsOf(scores, 0, [1, 2])]);
    await expect(run(slabs)).rejects.toThrow(message);
    await expect(run(slabs)).rejects.toMatchObject({ code: 'invalid-option' });
  });

  it('localMaxima stops at an abort with its reason, and takes no further slab', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    let taken = 0;
    async function* source() {
      for (const slab of slabsOf(scores, 0, [1, 2, 3])) {
        if (++taken === 2) controller.abort(reason);
        yield slab;
      }
    }
    await expect(collect(localMaxima(source(), { threshold: 0.5, signal: controller.signal }))).rejects.toBe(reason);
    expect(taken).toBe(2);
  });

  it('a timer can abort localMaxima within one slab', async () => {
    // A clock on which every piece of work is long.
    let now = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 100));
    const controller = new AbortController();
    try {
      function* oneSlab() {
        // Long before the last plane, however fast the machine is.
        setTimeout(() => controller.abort('enough'));
        yield* slabsOf(flatScores([20_000, 2, 2], 1), 0);
      }
      const peaks = collect(localMaxima(oneSlab(), { threshold: 0.5, signal: controller.signal }));
      await expect(peaks).rejects.toBe('enough');
    } finally {
      clock.mockRestore();
    }
  });

  it('localMaxima releases the source when the caller leaves early', async () => {
    let released = false;
    async function* source() {
      try {
        yield* slabsOf({ ...scores, values: Float32Array.from({ length: 16 }, (_, i) => +(i === 0)) }, 0, [1, 2, 3]);
      } finally {
        released = true;
      }
    }
    for await (const _ of localMaxima(source(), { threshold: 0.5 })) break;
    expect(released).toBe(true);
  });

  it('localMaxima changes neither slabs nor options', async () => {
    const [slab] = [...slabsOf(scores, 1)];
    const before = slab.scores.data.slice();
    await collect(localMaxima([slab], Object.freeze({ threshold: 0.5 })));
    expect(slab.scores.data).toEqual(before);
  });

  it('localMaxima gives each peak the orientation that the slabs have at its voxel, on plateaus too', async () => {
    const transformAt = ([z, y, x]: Zyx) => [[z, y, x, 0]];
    await fc.assert(
      fc.asyncProperty(arbitrarySweep([0, 1, 2]), async ({ scores, axis, cuts }) => {
        const slabs = [...slabsOf(scores, axis, cuts)];
        const bare = await collect(localMaxima(slabs, { threshold: 0 }));
        const turned = await collect(
          localMaxima(
            slabs.map((slab) => ({ ...slab, transformAt })),
            { threshold: 0 },
          ),
        );
        expect(turned.map(({ transform: _, ...peak }) => peak)).toEqual(bare);
        for (const { voxel, transform } of turned) expect(transform).toEqual([[...voxel, 0]]);
      }),
      { numRuns: 50 },
    );
  });
});
