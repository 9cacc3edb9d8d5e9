import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  deviationFromRotation,
  type EulerAngles,
  type EulerConvention,
  eulerFromRotation,
  isIdentity,
  type Rotation,
  rotationFromEuler,
  rotationOf,
  transformOf,
} from '../../src/picks/rotation.ts';

const golden = JSON.parse(readFileSync(new URL('../fixtures/euler_golden.json', import.meta.url), 'utf8')) as {
  readonly angles: readonly EulerAngles[];
} & Record<EulerConvention, readonly Rotation[]>;
const conventions = ['relion', 'dynamo', 'tom'] as const;

function furthest(a: Rotation, b: Rotation): number {
  return Math.max(...a.flatMap((row, i) => row.map((value, j) => Math.abs(value - b[i]![j]!))));
}

describe.each(conventions)('rotations in the convention of %s', (convention) => {
  it('rotations of every convention equal those of scipy and eulerangles', () => {
    const errors = golden.angles.map((angles, i) =>
      furthest(rotationFromEuler(angles, convention), golden[convention][i]!),
    );
    expect(errors.length).toBeGreaterThan(40);
    expect(Math.max(...errors)).toBeLessThan(1e-14);
  });

  it('rotations of every convention survive the conversion to angles and back, also next to the poles', () => {
    const angle = fc.double({ min: -720, max: 720, noNaN: true });
    const pole = fc.tuple(fc.constantFrom(0, 180, -180, 360), fc.double({ min: -1e-6, max: 1e-6, noNaN: true }));
    const second = fc.oneof(
      angle,
      pole.map(([turn, off]) => turn + off),
    );
    fc.assert(
      fc.property(fc.tuple(angle, second, angle), (angles) => {
        const rotation = rotationFromEuler(angles, convention);
        expect(deviationFromRotation(rotation)).toBeLessThan(1e-14);
        const found = eulerFromRotation(rotation, convention);
        expect(found[1]).toBeGreaterThanOrEqual(0);
        expect(furthest(rotationFromEuler(found, convention), rotation)).toBeLessThan(1e-11);
      }),
    );
  });

  it('rotations of every convention survive noise of the size of single precision at a pole', () => {
    const noisy: Rotation = [
      [0.6, -0.8, 3e-8],
      [0.8, 0.6, -5e-8],
      [-4e-8, 2e-8, 1],
    ];
    expect(furthest(rotationFromEuler(eulerFromRotation(noisy, convention), convention), noisy)).toBeLessThan(2e-7);
  });

  it('rotations of every convention are exact for the identity', () => {
    expect(isIdentity(rotationFromEuler([0, 0, 0], convention))).toBe(true);
    expect(eulerFromRotation(rotationFromEuler([0, 0, 0], convention), convention)).toEqual([0, 0, 0]);
  });
});

describe('rotationOf', () => {
  const quarter = rotationFromEuler([90, 0, 0], 'tom');

  it('rotationOf returns the upper left of a transform', () => {
    expect(quarter).toEqual([
      [0, -1, 0],
      [1, 0, 0],
      [0, 0, 1],
    ]);
    expect(rotationOf(transformOf(quarter))).toEqual(quarter);
  });

  it('rotationOf returns undefined for a transform that turns nothing', () => {
    expect(rotationOf(undefined)).toBeUndefined();
    expect(rotationOf(transformOf(rotationFromEuler([0, 0, 0], 'tom')))).toBeUndefined();
  });
});

describe('deviationFromRotation', () => {
  it.each<[string, Rotation, number]>([
    [
      'a stretch',
      [
        [1.1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ],
      0.21,
    ],
    [
      'a shear',
      [
        [1, 0.25, 0],
        [0, 1, 0],
        [0, 0, 1],
      ],
      0.25,
    ],
    [
      'a mirror image',
      [
        [-1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ],
      Number.POSITIVE_INFINITY,
    ],
    [
      'a matrix of zeros',
      [
        [0, 0, 0],
        [0, 0, 0],
        [0, 0, 0],
      ],
      Number.POSITIVE_INFINITY,
    ],
  ])('deviationFromRotation measures %s', (_, matrix, deviation) => {
    expect(deviationFromRotation(matrix)).toBeCloseTo(deviation, 12);
  });
});
