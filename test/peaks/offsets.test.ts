import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { localMaxima, type Peak, quadraticFit, type ScoreSlab, smoothed, type Zyx } from '../../src/entry/index.ts';
import { voxelCount } from '../../src/space/grid.ts';
import { joinSlabs } from '../support/score-map.ts';
import { arbitrarySweep, collect, type Scores, slabsOf } from '../support/slabs.ts';

/** Offsets that no two voxels share: powers of two times a voxel's index, which float32 holds. */
function offsetsOf(shape: Zyx): Float32Array {
  const size = voxelCount(shape);
  return Float32Array.from({ length: 3 * size }, (_, i) => (Math.floor(i / size) - 1.5) * ((i % size) + 1) * 2 ** -10);
}

function moved({ shape }: Scores, offsets: Float32Array, peak: Peak): Peak {
  const [z, y, x] = peak.voxel;
  const i = (z * shape[1] + y) * shape[2] + x;
  const size = voxelCount(shape);
  return { ...peak, voxel: [z + offsets[i], y + offsets[size + i], x + offsets[2 * size + i]] };
}

/** Slabs that lose what they hold when they are released. */
async function* released(slabs: AsyncIterable<ScoreSlab>): AsyncGenerator<ScoreSlab> {
  for await (const slab of slabs) {
    const { data } = slab.scores;
    const release = () => {
      data.fill(Number.NaN);
      slab.offsets?.data.fill(Number.NaN);
    };
    yield { ...slab, release };
  }
}

/** Slabs of offsets in the place of scores. */
async function* offsetsAsScores(slabs: AsyncIterable<ScoreSlab>): AsyncGenerator<ScoreSlab> {
  for await (const { offsets, ...slab } of slabs) yield { ...slab, classes: ['z', 'y', 'x'], scores: offsets! };
}

describe('localMaxima of slabs with offsets', () => {
  it.each([
    ['plateaus', [0, 1]],
    ['mostly single voxels', [0, 1, 2, 3, 4, 5, 6, 7]],
  ])('localMaxima moves each peak by the offset of its own voxel, for any axis and cuts: %s', async (_, levels) => {
    await fc.assert(
      fc.asyncProperty(arbitrarySweep(levels), async ({ scores, axis, cuts }) => {
        const offsets = offsetsOf(scores.shape);
        const plain = await collect(localMaxima(slabsOf(scores, axis, cuts), { threshold: 0.5 }));
        const expected = plain.map((peak) => moved(scores, offsets, peak));
        const slabs = () => slabsOf({ ...scores, offsets }, axis, cuts);
        expect(await collect(localMaxima(slabs(), { threshold: 0.5 }))).toEqual(expected);
        expect(await collect(localMaxima(released(smoothed(slabs(), { sigma: 0 })), { threshold: 0.5 }))).toEqual(
          expected,
        );
      }),
      { numRuns: 100 },
    );
  });

  it('localMaxima does not move the peak of a plateau of more than 131,072 voxels', async () => {
    const find = async (shape: Zyx) => {
      const values = new Float32Array(voxelCount(shape)).fill(1);
      const offsets = new Float32Array(3 * voxelCount(shape)).fill(0.25);
      const slabs = slabsOf({ shape, classes: ['a'], values, offsets }, 0, [20, 40]);
      return (await collect(localMaxima(slabs, { threshold: 0.5 }))).map(({ voxel }) => voxel);
    };
    expect(await find([128, 32, 32])).toEqual([[63.25, 15.25, 15.25]]);
    expect(await find([129, 32, 32])).toEqual([[64, 15, 15]]);
  });

  it('localMaxima ignores the offsets if refine is given', async () => {
    await fc.assert(
      fc.asyncProperty(arbitrarySweep([0, 1, 2, 3]), async ({ scores, axis, cuts }) => {
        const options = { threshold: 0.5, refine: quadraticFit };
        const offsets = offsetsOf(scores.shape);
        const plain = await collect(localMaxima(slabsOf(scores, axis, cuts), options));
        expect(await collect(localMaxima(slabsOf({ ...scores, offsets }, axis, cuts), options))).toEqual(plain);
      }),
      { numRuns: 30 },
    );
  });

  it('localMaxima refuses offsets of another shape than the scores', async () => {
    const scores: Scores = { shape: [2, 3, 4], classes: ['a'], values: new Float32Array(24) };
    const [slab] = slabsOf({ ...scores, offsets: new Float32Array(72) }, 0);
    for (const shape of [
      [2, 2, 3, 4],
      [3, 2, 3, 3],
      [3, 2, 3, 5],
    ] as const) {
      const wrong = { ...slab, offsets: { ...slab.offsets!, shape } };
      await expect(collect(localMaxima([wrong], { threshold: 1 }))).rejects.toMatchObject({
        code: 'invalid-option',
        message: `slab that starts at plane 0 of axis 0 has offsets of ${shape.join('×')} over 75 values; expected 3×2×3×4`,
      });
    }
  });
});

it('smoothed passes offsets on as they are', async () => {
  await fc.assert(
    fc.asyncProperty(arbitrarySweep([0, 1, 5]), async ({ scores, axis, cuts }) => {
      const offsets = offsetsOf(scores.shape);
      const slabs = smoothed(slabsOf({ ...scores, offsets }, axis, cuts), { sigma: 3 });
      expect((await joinSlabs(offsetsAsScores(slabs))).data).toEqual(offsets);
    }),
    { numRuns: 30 },
  );
});
