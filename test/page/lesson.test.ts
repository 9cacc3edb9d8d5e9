import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Candidates,
  type FeatureModel,
  picksFromCandidates,
  type TomogramFeatures,
  type Zyx,
} from '../../src/entry/index.ts';
import { type Classroom, cropped, learnObjects } from '../../src/page/lesson.ts';
import { candidatePicks, reviewOf } from '../../src/page/review.ts';
import { reviewOfCandidates } from '../../src/page/set-review.ts';
import { blobs, featuresOfBlobs, network, openNetwork, radius } from '../teach/blobs.ts';

let model: FeatureModel;
let classroom: Classroom;
const taughtOn = blobs(1);
const everything = { lowest: { x: -100, y: -100, z: -100 }, highest: { x: 900, y: 900, z: 900 } };
const told = { picks: taughtOn.particles.slice(0, 5), rejects: [], radius: { blob: radius } };

beforeAll(async () => {
  model = await openNetwork();
  const features = await featuresOfBlobs(model, taughtOn, 'TS_1');
  classroom = { features, grid: taughtOn.tomogram.grid, network };
});
afterAll(() => model.dispose());

describe('learnObjects', () => {
  it('gives the candidates of the view first, all of which are among those of the tomogram', async () => {
    const view = { lowest: { x: 0, y: 0, z: 230 }, highest: { x: 640, y: 640, z: 250 } };
    let first: Candidates | undefined;
    const { candidates } = await learnObjects(classroom, { ...told, view }, (found) => {
      first = found;
    });
    const all = candidatePicks(candidates);
    const inView = candidatePicks(first!);
    expect(inView.length).toBeGreaterThan(0);
    expect(inView.length).toBeLessThan(all.length);
    const isAmong = (list: typeof all) => (one: (typeof all)[0]) =>
      list.some(
        ({ position: { x, y, z }, score }) =>
          Math.hypot(x - one.position.x, y - one.position.y, z - one.position.z) < 0.5 &&
          Math.abs(score - one.score) < 1e-3,
      );
    expect(inView.filter((one) => !isAmong(all)(one))).toEqual([]);
    const inside = all.filter(({ position: { z } }) => z >= 230 && z <= 250);
    expect(inside.filter((one) => !isAmong(inView)(one))).toEqual([]);
  });

  it('gives no candidates beforehand if the view holds nearly all of the tomogram', async () => {
    let calls = 0;
    await learnObjects(classroom, { ...told, view: everything }, () => calls++);
    expect(calls).toBe(0);
  });
});

/** A feature of a cell. */
function valueAt({ blocks }: TomogramFeatures, feature: number, cell: Zyx): number {
  const { axis, start, shape, numbers, lowest, step } = blocks.findLast((one) => one.start <= cell[one.axis])!;
  const [z, y, x] = cell.map((index, a) => index - (a === axis ? start : 0)) as unknown as Zyx;
  const number = numbers[((feature * shape[0] + z) * shape[1] + y) * shape[2] + x]!;
  return lowest[feature]! + step[feature]! * number;
}

it.each([0, 1, 2] as const)(
  'a part of features that were swept along axis %d has the features of its cells',
  (axis) => {
    const shape = [4, 5, 6] as const;
    const blocks = Array.from({ length: shape[axis] / (axis === 1 ? 5 : 2) }, (_, i) => {
      const own = shape.map((edge, a) => (a === axis ? (axis === 1 ? 5 : 2) : edge)) as [number, number, number];
      const numbers = Uint16Array.from(
        { length: 2 * own[0] * own[1] * own[2] },
        (_, at) => (7919 * (at + 1000 * i)) % 65_521,
      );
      return {
        axis,
        start: i * own[axis],
        shape: own,
        numbers,
        lowest: Float32Array.of(i, 2),
        step: Float32Array.of(1, 3),
      };
    });
    const grid = { shape, voxelSize: [20, 20, 20], origin: { x: 1, y: 2, z: 3 } } as const;
    const whole = { ...classroom.features, grid, featureCount: 2, blocks } as TomogramFeatures;
    const part = cropped(whole, { start: [1, 0, 2], end: [4, 4, 5] });
    expect(part.grid).toEqual({ shape: [3, 4, 3], voxelSize: [20, 20, 20], origin: { x: 41, y: 2, z: 23 } });
    for (const cell of [
      [0, 0, 0],
      [2, 3, 2],
      [1, 2, 1],
    ] as const) {
      const [z, y, x] = cell;
      for (const feature of [0, 1]) {
        expect(valueAt(part, feature, cell)).toBe(valueAt(whole, feature, [z + 1, y, x + 2]));
      }
    }
  },
);

describe('what was told before candidates came', () => {
  it('stays: clicks are kept, and what was rejected does not come back as a candidate beside it', async () => {
    const { candidates } = await learnObjects(classroom, { ...told, view: everything }, () => undefined);
    const picks = picksFromCandidates(candidates);
    const [rejectedOne, keptOne] = picks as [(typeof picks)[0], (typeof picks)[0]];
    const near = ({ position: { x, y, z }, ...pick }: (typeof picks)[0]) => ({
      ...pick,
      position: { x: x + 9, y, z: z - 7 },
    });
    const review = reviewOfCandidates(candidates, { kept: [near(keptOne)], rejected: [near(rejectedOne)] });
    const { kept, rejected } = reviewOf(review);
    expect(kept).toHaveLength(picks.length - 1);
    expect(rejected.map(({ position }) => position)).toEqual([near(rejectedOne).position]);
    const places = kept.map(({ position }) => position);
    expect(places).toContainEqual(near(keptOne).position);
    expect(places).not.toContainEqual(rejectedOne.position);
    expect(places).not.toContainEqual(keptOne.position);
  });
});
