import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Axis,
  type Component,
  type Connectivity,
  connectedComponents,
  toPick,
  type Zyx,
} from '../../src/entry/index.ts';
import golden from '../fixtures/components.json' with { type: 'json' };
import { arbitrarySweep, collect, flatScores, gridOf, type Scores, scoresOf, slabsOf } from '../support/slabs.ts';

const axes: readonly Axis[] = [0, 1, 2];
const connectivities: readonly Connectivity[] = [6, 18, 26];

/** In an order that no sweep decides. */
const sorted = (components: readonly Component[]) =>
  [...components].sort((a, b) => a.object.localeCompare(b.object) || firstOf(a) - firstOf(b));
const firstOf = ({ grid, bestVoxel: [z, y, x] }: Component) => (z * grid.shape[1] + y) * grid.shape[2] + x;

/** The definition, literally, one flood per component. */
function componentsByFlooding(
  { shape, classes, values }: Scores,
  threshold: number,
  connectivity: number,
): Component[] {
  const [depth, height, width] = shape;
  const count = depth * height * width;
  const steps = { 6: 1, 18: 2, 26: 3 }[connectivity] as number;
  const found: Component[] = [];
  classes.forEach((object, channel) => {
    const scores = values.subarray(channel * count, (channel + 1) * count);
    const seen = new Set<number>();
    for (let seed = 0; seed < count; seed++) {
      if (seen.has(seed) || !(scores[seed] >= threshold)) continue;
      const members: Zyx[] = [];
      const queue = [seed];
      seen.add(seed);
      for (let i = queue.pop(); i !== undefined; i = queue.pop()) {
        const [z, y, x] = [Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width];
        members.push([z, y, x]);
        for (let n = 0; n < 27; n++) {
          const [dz, dy, dx] = [Math.floor(n / 9) - 1, (Math.floor(n / 3) % 3) - 1, (n % 3) - 1];
          if (Math.abs(dz) + Math.abs(dy) + Math.abs(dx) > steps) continue;
          if (z + dz < 0 || y + dy < 0 || x + dx < 0 || z + dz >= depth || y + dy >= height || x + dx >= width)
            continue;
          const j = ((z + dz) * height + y + dy) * width + x + dx;
          if (seen.has(j) || !(scores[j] >= threshold)) continue;
          seen.add(j);
          queue.push(j);
        }
      }
      found.push(summary(members, scores, shape, object));
    }
  });
  return sorted(found);
}

function summary(members: Zyx[], scores: Float32Array, shape: Zyx, object: string): Component {
  const scoreAt = ([z, y, x]: Zyx) => scores[(z * shape[1] + y) * shape[2] + x];
  members.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
  const score = Math.max(...members.map(scoreAt));
  const meanBy = (weights: number[]) => {
    const total = weights.reduce((a, b) => a + b, 0);
    const mean = (axis: Axis) => members.reduce((sum, m, i) => sum + weights[i] * m[axis], 0) / total;
    return [mean(0), mean(1), mean(2)] as const;
  };
  const ones = members.map(() => 1);
  const weights = members.map((m) => Math.max(0, scoreAt(m)));
  const total = weights.reduce((a, b) => a + b, 0);
  const extreme = (of: (...values: number[]) => number, plus: number) => {
    const along = (axis: Axis) => of(...members.map((m) => m[axis])) + plus;
    return [along(0), along(1), along(2)] as const;
  };
  return {
    grid: gridOf(shape),
    object,
    voxel: meanBy(ones),
    score,
    voxels: members.length,
    weightedCentroid: meanBy(total > 0 && total < Infinity ? weights : ones),
    bestVoxel: members.find((m) => scoreAt(m) === score) as Zyx,
    box: { start: extreme(Math.min, 0), end: extreme(Math.max, 1) },
  };
}

/** Equal, but for the rounding of the weighted centroid, whose terms each sweep adds in its own order. */
function expectSame(found: readonly Component[], expected: readonly Component[]): void {
  const weightless = ({ weightedCentroid: _, ...rest }: Component) => rest;
  expect(found.map(weightless)).toEqual(expected.map(weightless));
  found.forEach(({ weightedCentroid }, i) => {
    for (const axis of axes) expect(weightedCentroid[axis]).toBeCloseTo(expected[i].weightedCentroid[axis], 9);
  });
}

describe('connectedComponents', () => {
  const cases = golden.flatMap((volume, i) => connectivities.map((c) => ({ name: `volume ${i}, ${c}`, volume, c })));
  it.each(cases)(
    'connectedComponents gives what scipy.ndimage.label gives: $name neighbours',
    async ({ volume, c }) => {
      const scores = {
        shape: volume.shape as unknown as Zyx,
        classes: ['c'],
        values: Float32Array.from(volume.values),
      };
      for (const axis of axes) {
        const options = { threshold: volume.threshold, connectivity: c };
        const found = await collect(connectedComponents(slabsOf(scores, axis, [2, 3]), options));
        const rows = found.map((f) => [
          ...[f.voxels, ...f.voxel, ...f.weightedCentroid, f.score, ...f.bestVoxel],
          ...[...f.box.start, ...f.box.end],
        ]);
        const byNumbers = (a: number[], b: number[]) => a.map((v, i) => v - b[i]).find((d) => Math.abs(d) > 1e-9) ?? 0;
        const expected = volume.components[`${c}`];
        expect(rows).toHaveLength(expected.length);
        rows.sort(byNumbers).forEach((row, i) => {
          for (let k = 0; k < row.length; k++) expect(row[k]).toBeCloseTo(expected[i][k], 9);
        });
      }
    },
  );

  it.each(connectivities)(
    'connectedComponents equals flooding, for any axis and any cuts, with %s neighbours',
    async (connectivity) => {
      const levels = [0, 0, 0, 1, 2, 1.5, Number.NaN, Number.POSITIVE_INFINITY, -1];
      await fc.assert(
        fc.asyncProperty(
          arbitrarySweep(levels),
          fc.constantFrom(1, 2, -1),
          async ({ scores, axis, cuts }, threshold) => {
            const stream = connectedComponents(slabsOf(scores, axis, cuts), { threshold, connectivity });
            expectSame(sorted(await collect(stream)), componentsByFlooding(scores, threshold, connectivity));
          },
        ),
        { numRuns: 200 },
      );
    },
  );

  it('connectedComponents gives the same components, to the last bit and in the same order, wherever slabs are cut', async () => {
    await fc.assert(
      fc.asyncProperty(arbitrarySweep([0, 0, 0.1, 0.7, 1.3]), async ({ scores, axis, cuts }) => {
        const whole = await collect(connectedComponents(slabsOf(scores, axis), { threshold: 0.1 }));
        expect(await collect(connectedComponents(slabsOf(scores, axis, cuts), { threshold: 0.1 }))).toEqual(whole);
      }),
    );
  });

  it.each<[string, Scores, number]>([
    ['one voxel', flatScores([1, 1, 1], 1), 1],
    ['one voxel at the threshold', flatScores([1, 1, 1], 0.5), 1],
    ['flat above the threshold', flatScores([3, 4, 5], 1), 1],
    ['everything below the threshold', flatScores([3, 4, 5], 0.25), 0],
    ['NaN only', flatScores([3, 4, 5], Number.NaN), 0],
    ['a volume without voxels', flatScores([3, 0, 5], 1), 0],
    ['a voxel beside NaN', scoresOf([[[Number.NaN, 1, Number.NaN]]]), 1],
    [
      'a line across the row end is two',
      scoresOf([
        [
          [0, 0, 1],
          [1, 0, 0],
        ],
      ]),
      2,
    ],
  ])('connectedComponents counts components: %s', async (_, scores, count) => {
    for (const axis of axes) {
      const found = await collect(connectedComponents(slabsOf(scores, axis, [1, 2]), { threshold: 0.5 }));
      expect(found).toHaveLength(count);
    }
  });

  it.each([
    [6, 4],
    [18, 3],
    [26, 2],
  ] as const)(
    'connectedComponents with %s neighbours makes of two pairs and a single voxel %s components',
    async (connectivity, count) => {
      // (0,0,0) and (0,1,1) share an edge; (0,1,1) and (1,2,2) a corner; (1,2,4) none.
      const scores = scoresOf([
        [
          [1, 0, 0, 0, 0],
          [0, 1, 0, 0, 0],
          [0, 0, 0, 0, 0],
        ],
        [
          [0, 0, 0, 0, 0],
          [0, 0, 0, 0, 0],
          [0, 0, 1, 0, 1],
        ],
      ]);
      for (const axis of axes) {
        const found = await collect(connectedComponents(slabsOf(scores, axis), { threshold: 0.5, connectivity }));
        expect(found).toHaveLength(count);
      }
    },
  );

  it('connectedComponents leaves out components of fewer voxels than minVoxels, and keeps those of exactly as many', async () => {
    const scores = scoresOf([[[1, 0, 1, 1, 0, 1, 1, 1]]]);
    const found = await collect(connectedComponents(slabsOf(scores, 2, [3, 6]), { threshold: 0.5, minVoxels: 2 }));
    expect(found.map(({ voxels }) => voxels)).toEqual([2, 3]);
  });

  it('connectedComponents orders components by the plane that ends them, then class, then first voxel', async () => {
    const values = [
      [1, 0, 2],
      [1, 0, 0],
      [0, 0, 0],
      [0, 3, 0],
      [0, 0, 0],
      [0, 0, 4],
    ];
    const scores: Scores = { shape: [3, 1, 3], classes: ['a', 'b'], values: Float32Array.from(values.flat()) };
    const found = await collect(connectedComponents(slabsOf(scores, 0), { threshold: 0.5 }));
    expect(found.map(({ score }) => score)).toEqual([2, 3, 1, 4]);
  });

  it('a component becomes a pick at its centroid, or where the caller wants', async () => {
    const [component] = await collect(connectedComponents(slabsOf(scoresOf([[[0.5, 1]]]), 0), { threshold: 0.5 }));
    expect(toPick(component)).toEqual({ object: 'a', position: { x: -7 + 0.5 * 5, y: 11, z: 0.5 }, score: 1 });
    const best = toPick({ ...component, voxel: component.bestVoxel });
    expect(best.position).toEqual({ x: -2, y: 11, z: 0.5 });
  });

  it.each([
    ['threshold', { threshold: Number.NaN }, 'threshold must be a finite score, found NaN'],
    [
      'threshold as text',
      { threshold: '0.5' as never },
      'threshold must be a number, or numbers by object name, found "0.5"',
    ],
    [
      'no threshold',
      { threshold: undefined as never },
      'threshold must be a number, or numbers by object name, found undefined',
    ],
    ['connectivity', { threshold: 1, connectivity: 8 as 6 }, 'connectivity must be 6, 18 or 26, found 8'],
    ['minVoxels', { threshold: 1, minVoxels: 0 }, 'minVoxels must be a whole number ≥ 1, found 0'],
    ['fractional minVoxels', { threshold: 1, minVoxels: 1.5 }, 'found 1.5'],
  ])('connectedComponents throws for bad options: %s', async (_, options, message) => {
    const run = () => collect(connectedComponents([], options));
    await expect(run()).rejects.toThrow(message);
    await expect(run()).rejects.toMatchObject({ code: 'invalid-option' });
  });

  it('connectedComponents stops at an abort with its reason', async () => {
    const signal = AbortSignal.abort('enough');
    await expect(collect(connectedComponents([], { threshold: 1, signal }))).rejects.toBe('enough');
  });
});
