import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Axis, localMaxima, quadraticFit, type Zyx } from '../../src/entry/index.ts';
import { collect, slabsOf } from '../support/slabs.ts';

/** The 27 values of a function around 0. */
function around(f: (z: number, y: number, x: number) => number): Float64Array {
  return Float64Array.from({ length: 27 }, (_, i) =>
    f(Math.floor(i / 9) - 1, (Math.floor(i / 3) % 3) - 1, (i % 3) - 1),
  );
}

const offset = fc.double({ min: -0.5, max: 0.5, noNaN: true });

describe('quadraticFit', () => {
  it('quadraticFit finds the top of any quadratic that has one', () => {
    const steep = fc.double({ min: 0.5, max: 4, noNaN: true });
    const mixed = fc.double({ min: -0.2, max: 0.2, noNaN: true });
    fc.assert(
      fc.property(
        fc.tuple(offset, offset, offset),
        fc.tuple(steep, steep, steep, mixed, mixed, mixed),
        (top, [a, b, c, d, e, f]) => {
          const found = quadraticFit(
            around((z, y, x) => {
              const [dz, dy, dx] = [z - top[0], y - top[1], x - top[2]];
              return 5 - a * dz * dz - b * dy * dy - c * dx * dx - d * dz * dy - e * dz * dx - f * dy * dx;
            }),
          );
          top.forEach((place, axis) => {
            expect(found[axis]).toBeCloseTo(place, 8);
          });
        },
      ),
    );
  });

  it('quadraticFit never leaves the voxel', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 27, maxLength: 27 }),
        (scores) => {
          for (const part of quadraticFit(Float64Array.from(scores))) expect(Math.abs(part)).toBeLessThanOrEqual(0.5);
        },
      ),
    );
  });

  it.each([
    ['a neighbour beyond the volume', around((z) => (z < 0 ? Number.NaN : -z))],
    ['an infinite neighbour', around((z, y, x) => (z + y + x === 0 ? 1 : Number.NEGATIVE_INFINITY))],
    ['a saddle', around((z, y, x) => z * z - y * y - x * x)],
    ['no curvature', around((z) => z)],
  ])('quadraticFit stays in the middle with %s', (_, scores) => {
    expect(quadraticFit(scores)).toEqual([0, 0, 0]);
  });

  it.each([0, 1, 2] as const satisfies readonly Axis[])(
    'quadraticFit places the peak of a Gaussian within 0.03 voxels, swept along axis %d',
    async (axis) => {
      const centre: Zyx = [4.3, 5.15, 3.6];
      const shape: Zyx = [9, 11, 8];
      const values = new Float32Array(shape[0] * shape[1] * shape[2]);
      values.forEach((_, i) => {
        const at = [Math.floor(i / 88), Math.floor(i / 8) % 11, i % 8];
        values[i] = Math.exp(-at.reduce((sum, n, k) => sum + (n - centre[k]) ** 2, 0) / 8);
      });
      const peaks = await collect(
        localMaxima(slabsOf({ shape, classes: ['c'], values }, axis, [2, 5]), { threshold: 0.5, refine: quadraticFit }),
      );
      expect(peaks).toHaveLength(1);
      const [{ voxel, score }] = peaks;
      voxel.forEach((place, k) => {
        expect(Math.abs(place - centre[k])).toBeLessThan(0.03);
      });
      expect(score).toBe(Math.max(...values));
    },
  );
});
