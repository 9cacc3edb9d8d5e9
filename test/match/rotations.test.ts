import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/entry/simulate.ts';
import {
  angleBetween,
  evenRotations,
  rotationAbout,
  rotationsNear,
  type SymmetryGroup,
  symmetryRotations,
} from '../../src/match/rotations.ts';
import { deviationFromRotation, product, type Rotation, transposed } from '../../src/picks/rotation.ts';

const random = createRandom(11);

function randomRotation(): Rotation {
  const r = random.rotation();
  return [
    [r[0], r[1], r[2]],
    [r[3], r[4], r[5]],
    [r[6], r[7], r[8]],
  ];
}

/** The angle to the nearest of some rotations, those that show a symmetric object alike counting as one. */
function distance(rotation: Rotation, list: readonly Rotation[], group: readonly Rotation[]): number {
  const images = group.map((element) => product(rotation, element));
  // The trace alone, for speed: the angle falls with it.
  let trace = -1;
  for (const [a, b, c] of images) {
    for (const [x, y, z] of list) {
      const t =
        a[0] * x[0] +
        a[1] * x[1] +
        a[2] * x[2] +
        b[0] * y[0] +
        b[1] * y[1] +
        b[2] * y[2] +
        c[0] * z[0] +
        c[1] * z[1] +
        c[2] * z[2];
      if (t > trace) trace = t;
    }
  }
  return (Math.acos(Math.min(1, (trace - 1) / 2)) * 180) / Math.PI;
}

const orders: readonly (readonly [SymmetryGroup, number])[] = [
  ['C1', 1],
  ['C2', 2],
  ['C7', 7],
  ['D2', 4],
  ['D7', 14],
  ['T', 12],
  ['O', 24],
  ['I', 60],
];

describe('symmetryRotations', () => {
  it.each(orders)(
    'symmetryRotations gives of %s the whole group, of order %i, the identity first',
    (symmetry, order) => {
      const group = symmetryRotations(symmetry);
      expect(group).toHaveLength(order);
      expect(group[0]).toEqual([
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ]);
      const holds = (rotation: Rotation) => group.some((element) => angleBetween(element, rotation) < 1e-9);
      for (const a of group) {
        expect(deviationFromRotation(a)).toBeLessThan(1e-12);
        expect(holds(transposed(a))).toBe(true);
        for (const b of group) expect(holds(product(a, b))).toBe(true);
      }
    },
  );

  it.each(['', 'C0', 'D', 'C121', 'c2', 'X', 4])('symmetryRotations refuses %j, which is no group', (symmetry) => {
    expect(() => symmetryRotations(symmetry as SymmetryGroup)).toThrow(
      expect.objectContaining({ code: 'invalid-option', option: 'symmetry' }),
    );
  });
});

describe('evenRotations', () => {
  it.each(orders.flatMap(([symmetry, order]) => [15, 30].map((angleStep) => [symmetry, angleStep, order] as const)))(
    'evenRotations leaves with %s in steps of %i° no rotation farther away than a step',
    (symmetry, angleStep, order) => {
      const list = evenRotations({ angleStep, symmetry });
      const group = symmetryRotations(symmetry);
      let farthest = 0;
      for (let n = 0; n < 1000; n++) farthest = Math.max(farthest, distance(randomRotation(), list, group));
      expect(farthest).toBeLessThanOrEqual(angleStep);
      // A whole number of views, each with turns that fill a circle.
      const theory = (8 * Math.PI ** 2) / ((angleStep * Math.PI) / 180) ** 3 / order;
      expect(list.length).toBeGreaterThan(0.95 * theory);
      expect(list.length).toBeLessThan(1.25 * theory + 360 / angleStep);
      expect(evenRotations({ angleStep, symmetry })).toEqual(list);
    },
  );
});

describe('rotationsNear', () => {
  const still = symmetryRotations('C1');

  it('rotationsNear leaves no rotation of its cone farther away than a step, and begins with the centre', () => {
    for (const ratio of [0.3, 0.5, 0.8, 1, 1.3, 1.5, 2, 2.5, 3, 4]) {
      const centre = randomRotation();
      const [angleStep, halfAngle] = [5, 5 * ratio];
      const list = rotationsNear(centre, { halfAngle, angleStep });
      expect(angleBetween(list[0]!, centre)).toBeLessThan(1e-9);
      let farthest = 0;
      let tried = 0;
      while (tried < 2000) {
        const [x, y, z] = [0, 1, 2].map(() => (2 * random.uniform() - 1) * halfAngle) as [number, number, number];
        const angle = Math.hypot(x, y, z);
        if (angle > halfAngle) continue;
        tried++;
        farthest = Math.max(farthest, distance(product(rotationAbout([x, y, z], angle), centre), list, still));
      }
      expect(farthest).toBeLessThanOrEqual(angleStep);
    }
  });
});
