import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Axis, type Component, connectedComponents, splitTouching, type Zyx } from '../../src/entry/index.ts';
import { voxelCount } from '../../src/space/grid.ts';
import { arbitrarySweep, collect, flatScores, gridOf, type Scores, slabsOf } from '../support/slabs.ts';

/** Scores of 1 in balls, given in Å of the test grid, of 3 × 2 × 5 Å voxels. */
function ballScores(shape: Zyx, balls: readonly { readonly at: Zyx; readonly radius: number }[]): Scores {
  const scores = flatScores(shape, 0);
  scores.values.forEach((_, i) => {
    const [, height, width] = shape;
    const voxel = [Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width];
    const distance = ({ at }: { readonly at: Zyx }) =>
      Math.hypot(...gridOf(shape).voxelSize.map((edge, axis) => edge * voxel[axis] - at[axis]));
    if (balls.some((ball) => distance(ball) <= ball.radius)) scores.values[i] = 1;
  });
  return scores;
}

const axes: readonly Axis[] = [0, 1, 2];
const byPlace = (a: Component, b: Component) =>
  a.voxel[0] - b.voxel[0] || a.voxel[1] - b.voxel[1] || a.voxel[2] - b.voxel[2];

describe('splitTouching', () => {
  it.each(axes)('splitTouching separates two balls that touch, swept along axis %d', async (axis) => {
    const scores = ballScores(
      [20, 30, 24],
      [
        { at: [30, 30, 40], radius: 20 },
        { at: [30, 30, 76], radius: 20 },
      ],
    );
    const whole = await collect(connectedComponents(slabsOf(scores, axis, [3, 9]), { threshold: 0.5 }));
    const parts = await collect(splitTouching(slabsOf(scores, axis, [3, 9]), { threshold: 0.5, minDistance: 20 }));
    expect(whole).toHaveLength(1);
    expect(parts).toHaveLength(2);
    parts.sort((a, b) => a.voxel[2] - b.voxel[2]);
    expect(Math.abs(parts[0].voxel[2] * 5 - 40)).toBeLessThan(2.5);
    expect(Math.abs(parts[1].voxel[2] * 5 - 76)).toBeLessThan(2.5);
    expect(parts[0].voxels + parts[1].voxels).toBe(whole[0].voxels);
  });

  it.each(axes)('splitTouching leaves one ball whole, wherever it is, swept along axis %d', async (axis) => {
    const scores = ballScores([12, 20, 10], [{ at: [0, 14, 22], radius: 14 }]);
    const slabs = () => slabsOf(scores, axis, [2]);
    const parts = await collect(splitTouching(slabs(), { threshold: 0.5, minDistance: 14 }));
    expect(parts).toEqual(await collect(connectedComponents(slabs(), { threshold: 0.5 })));
  });

  it('splitTouching shares all voxels out among connected parts, whatever the sweep', async () => {
    await fc.assert(
      fc.asyncProperty(arbitrarySweep([0, 1, 2, 3]), async ({ scores, axis, cuts }) => {
        const options = { threshold: 1, minDistance: 4 };
        const whole = await collect(connectedComponents(slabsOf(scores, axis, cuts), options));
        const parts = await collect(splitTouching(slabsOf(scores, axis, cuts), options));
        const total = (components: readonly Component[]) => components.reduce((sum, { voxels }) => sum + voxels, 0);
        // Flooding goes over faces: a voxel that hangs on by a corner and is no core of its own belongs to nobody.
        expect(total(parts)).toBeLessThanOrEqual(total(whole));
        expect(parts.length).toBeGreaterThanOrEqual(whole.length);
        expect(Math.max(0, ...parts.map(({ score }) => score))).toBeLessThanOrEqual(3);
        const uncut = await collect(splitTouching(slabsOf(scores, axis, []), options));
        expect([...parts].sort(byPlace)).toEqual([...uncut].sort(byPlace));
      }),
      { numRuns: 100 },
    );
  });

  it('splitTouching measures parts as connectedComponents measures components', async () => {
    // Two cubes joined by a bridge of one voxel; the parts cut off there are the cubes and the bridge.
    const shape: Zyx = [5, 5, 12];
    const scores = flatScores(shape, 0);
    for (let z = 0; z < 5; z++)
      for (let y = 0; y < 5; y++)
        for (const x of [0, 1, 2, 3, 4, 7, 8, 9, 10, 11]) scores.values[(z * 5 + y) * 12 + x] = 1 + x / 10 + y / 100;
    for (const x of [5, 6]) scores.values[(2 * 5 + 2) * 12 + x] = 1;
    const [left, right] = await collect(splitTouching(slabsOf(scores, 0, []), { threshold: 1, minDistance: 12 }));
    expect([left.voxels + right.voxels, left.score, right.score]).toEqual([252, Math.fround(1.44), Math.fround(2.14)]);
    expect(left.bestVoxel).toEqual([0, 4, 4]);
    expect(right.bestVoxel).toEqual([0, 4, 11]);
    expect(left.box.start).toEqual([0, 0, 0]);
    expect(right.box.end).toEqual([5, 5, 12]);
    expect(left.weightedCentroid[2]).toBeGreaterThan(left.voxel[2]);
    expect(left.grid).toEqual(gridOf(shape));
  });

  it('splitTouching omits small parts', async () => {
    const scores = ballScores(
      [20, 30, 24],
      [
        { at: [30, 30, 40], radius: 22 },
        { at: [30, 30, 70], radius: 11 },
      ],
    );
    const parts = await collect(
      splitTouching(slabsOf(scores, 0, []), { threshold: 0.5, minDistance: 15, minVoxels: 300 }),
    );
    expect(parts).toHaveLength(1);
  });

  it('splitTouching handles a volume that is one particle from face to face', async () => {
    const scores = flatScores([3, 4, 5], 2);
    const parts = await collect(splitTouching(slabsOf(scores, 0, []), { threshold: 1, minDistance: 100 }));
    expect(parts.map(({ voxels }) => voxels)).toEqual([voxelCount([3, 4, 5])]);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])(
    'splitTouching refuses a minDistance of %d',
    async (minDistance) => {
      const scores = flatScores([1, 1, 1], 1);
      await expect(collect(splitTouching(slabsOf(scores, 0, []), { threshold: 1, minDistance }))).rejects.toMatchObject(
        {
          code: 'invalid-option',
          message: `splitTouching: minDistance must be a positive length in Å, found ${minDistance}`,
        },
      );
    },
  );
});
