import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/entry/simulate.ts';
import { chooseCutOff } from '../../src/teach/cut-off.ts';
import { blockOf, type TomogramFeatures } from '../../src/teach/feature-map.ts';
import { backgroundOf, evenLogits, hardCells, samplesOf, sitesOf } from '../../src/teach/fit.ts';
import { headSlabs } from '../../src/teach/head.ts';
import { isWithin, type Lesson, lessonsOf } from '../../src/teach/lesson.ts';
import { fitLogistic, logitOf, type Samples } from '../../src/teach/logistic.ts';
import { meansAround } from '../../src/teach/surroundings.ts';
import { fakeSpec } from '../support/identity-model.ts';
import { joinSlabs } from '../support/score-map.ts';
import { blobs, featuresOfBlobs, openNetwork, radius } from './blobs.ts';

const random = createRandom(7, 1);

describe('fitLogistic', () => {
  const samples = (count: number, apart: number): Samples => {
    const labels = Float64Array.from({ length: count }, (_, i) => i % 2);
    const values = new Float64Array(3 * count).map(
      (_, i) => random.normal() + (i % 3 === 0 ? apart * labels[Math.floor(i / 3)]! : 0),
    );
    return { values, labels, weights: new Float64Array(count).fill(2 / count), featureCount: 3 };
  };

  it('ends where the gradient of loss and penalty is zero', () => {
    const of = samples(200, 2);
    const found = fitLogistic(of);
    const gradient = [0, 1, 2, 3].map((k) => {
      let sum = k < 3 ? 3e-3 * found[k]! : 0;
      of.labels.forEach((label, row) => {
        const p = 1 / (1 + Math.exp(-logitOf(of.values, row, 3, found)));
        sum += of.weights[row]! * (p - label) * (k < 3 ? of.values[3 * row + k]! : 1);
      });
      return Math.abs(sum);
    });
    expect(Math.max(...gradient)).toBeLessThan(1e-6);
    for (const options of [{ maxSteps: 50 }, { maxSteps: 200, oneHessian: true }]) {
      const again = fitLogistic(of, { ...options, start: Float64Array.of(1, 1, 1, 1) });
      for (const [k, coefficient] of again.entries()) expect(coefficient).toBeCloseTo(found[k]!, 4);
    }
  });

  it('has a finite answer for samples that a plane parts', () => {
    const found = fitLogistic(samples(12, 50));
    expect(found.every(Number.isFinite)).toBe(true);
    expect(found[0]).toBeGreaterThan(0);
  });
});

describe('chooseCutOff', () => {
  const normals = (count: number, mean: number) => Array.from({ length: count }, () => mean + random.normal());

  it.each([10, 50, 200])(
    'estimates how many of %d particles there are among peaks, and a logit between them and the rest',
    (count) => {
      const { particles, logit, score } = chooseCutOff(normals(Math.min(20, count), 5), [
        ...normals(count, 5),
        ...normals(1000, -3),
      ]);
      expect(particles).toBeGreaterThan(0.6 * count);
      expect(particles).toBeLessThan(1.5 * count);
      expect(logit).toBeGreaterThan(-1.5);
      expect(logit).toBeLessThan(4);
      expect(score).toBeGreaterThan(0.85);
    },
  );

  it('expects a low score where particles do not stand out', () => {
    expect(chooseCutOff(normals(20, 0), normals(1000, 0)).score).toBeGreaterThan(0);
    const hidden = chooseCutOff(normals(20, 0), [...normals(30, 0), ...normals(1000, -1)]);
    const clear = chooseCutOff(normals(20, 0), [...normals(30, 0), ...normals(1000, -8)]);
    expect(hidden.particles).toBeGreaterThan(2 * clear.particles);
  });

  it('finds nearly all particles of a dense tomogram by five picks, by whichever of them', () => {
    const recalls = Array.from({ length: 41 }, () => {
      const particles = normals(200, 4);
      const { logit } = chooseCutOff(particles.slice(0, 5), [...particles, ...normals(300, -3)]);
      return particles.filter((one) => one >= logit).length / particles.length;
    }).sort((a, b) => a - b);
    expect(recalls[20]).toBeGreaterThan(0.98);
    expect(recalls[4]).toBeGreaterThan(0.95);
  });

  it('is lower if a missed particle counts more than a false pick', () => {
    const [leftOut, peaks] = [normals(20, 3), [...normals(50, 3), ...normals(500, 0)]];
    expect(chooseCutOff(leftOut, peaks, 4).logit).toBeLessThanOrEqual(chooseCutOff(leftOut, peaks).logit);
  });
});

describe('backgroundOf', () => {
  it('has the features of its cells, also when they were kept from a fit with other picks or another count', async () => {
    const model = await openNetwork();
    const made = blobs(1);
    const map = await featuresOfBlobs(model, made);
    await model.dispose();
    for (const [first, count] of [
      [0, 300],
      [6, 300],
      [6, 200],
    ] as const) {
      const picks = [{ run: 'a', picks: made.particles.slice(first, first + 5) }];
      const lessons = lessonsOf([map], picks, { rejects: [], radiusOf: () => radius });
      const { places, values } = backgroundOf(lessons, count);
      expect(places.length).toBeGreaterThan(0.5 * count);
      expect(places.length).toBeLessThan(count);
      const cells = places.map(({ cell }) => cell);
      expect(values).toEqual(meansAround(map, cells));
    }
  });
});

describe('hardCells', () => {
  it('finds cells that a first head takes for the object, none near a pick, which stand for their share of the background', async () => {
    const model = await openNetwork();
    const made = blobs(1);
    const map = await featuresOfBlobs(model, made);
    await model.dispose();
    const picks = [{ run: 'a', picks: made.particles.slice(0, 5) }];
    const lessons = lessonsOf([map], picks, { rejects: [], radiusOf: () => radius });
    const [lesson] = lessons as [Lesson];
    const even = backgroundOf(lessons, 2000);
    const samples = samplesOf(lesson, [], even);
    const hard = await hardCells(samples, lessons);
    const { values } = sitesOf(samples, hard.places, ({ cell }) => [cell]);
    expect(hard.places.length).toBeGreaterThan(50);
    for (const [i, place] of hard.places.entries()) {
      expect(logitOf(values, i, samples.featureCount, hard.coefficients)).toBeGreaterThan(hard.threshold - 1e-3);
      expect(lesson.picks.some((pick) => isWithin(pick, place, 1.5 * radius))).toBe(false);
    }
    const withHard = samplesOf(lesson, [], even, hard);
    const { weights, labels } = withHard;
    const background = weights.reduce((sum, weight, row) => sum + (labels[row] === 0 ? weight : 0), 0);
    expect(background).toBeCloseTo(1, 6);
    expect(weights.length).toBe(samples.weights.length + hard.places.length);
    expect(evenLogits(withHard, hard.coefficients)).toHaveLength(even.places.length);
    expect(withHard.labels.length - withHard.evenFrom).toBe(even.places.length);
  });
});

describe('features that are kept', () => {
  it.each([0, 1, 2] as const)(
    'have the means of the slabs over boxes within a step, swept along axis %d, and heads score them',
    async (axis) => {
      const shape = [4, 5, 6] as const;
      const size = 4 * 5 * 6;
      const values = Float32Array.from({ length: 3 * size }, (_, i) => (i < size ? 100 : 1) * random.normal());
      const grid = { shape, voxelSize: [20, 20, 20] as const, origin: { x: 0, y: 0, z: 0 } };
      const blocks = [];
      let released = 0;
      for (let start = 0; start < shape[axis]; start += 2) {
        const planes = Math.min(2, shape[axis] - start);
        const own = shape.map((edge, a) => (a === axis ? planes : edge)) as [number, number, number];
        const data = new Float32Array(3 * own[0] * own[1] * own[2]);
        let at = 0;
        for (let k = 0; k < 3; k++) {
          for (let z = 0; z < own[0]; z++) {
            for (let y = 0; y < own[1]; y++) {
              for (let x = 0; x < own[2]; x++) {
                const cell = [z, y, x].map((index, a) => index + (a === axis ? start : 0)) as [number, number, number];
                data[at++] = values[k * size + (cell[0] * 5 + cell[1]) * 6 + cell[2]]!;
              }
            }
          }
        }
        const plane = own[1] * own[2];
        const scores = {
          data,
          shape: [3, ...own] as const,
          stride: [own[0] * plane, plane, own[2], 1] as const,
          offset: 0,
        };
        const release = () => {
          released++;
        };
        blocks.push(await blockOf({ grid, axis, start, classes: ['1', '2', '3'], scores, release }));
      }
      expect(released).toBe(blocks.length);
      const features: TomogramFeatures = {
        ...{ run: '', grid, voxelSize: [10, 10, 10], spec: fakeSpec(), featureCount: 3, blocks },
      };
      const weights = Float64Array.of(0.01, 1, -1, -0.02, 3, 1, 0.05, 2, -2);
      const map = await joinSlabs(headSlabs(features, [{ object: 'x', weights, bias: 0.5 }]));
      const cells = Array.from({ length: size }, (_, i) => [Math.floor(i / 30), Math.floor(i / 6) % 5, i % 6] as const);
      const found = meansAround(features, cells);
      for (const [i, cell] of cells.entries()) {
        let logit = 0.5;
        for (const [b, reach] of [1, 2, 4].entries()) {
          const box = cells.filter((other) => other.every((index, a) => Math.abs(index - cell[a]!) <= reach));
          for (let k = 0; k < 3; k++) {
            const sum = box.reduce((total, [z, y, x]) => total + values[k * size + (z * 5 + y) * 6 + x]!, 0);
            const mean = sum / box.length;
            expect(Math.abs(found[i * 9 + 3 * b + k]! - mean)).toBeLessThan(k === 0 ? 0.01 : 1e-4);
            logit += weights[3 * b + k]! * mean;
          }
        }
        expect(map.data[i]).toBeCloseTo(1 / (1 + Math.exp(-logit)), 3);
      }
    },
  );
});
