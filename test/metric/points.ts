import fc from 'fast-check';
import type { ParticlePick, Point } from '../../src/entry/index.ts';

/** A pick at a position in Å. */
export function pickAt(object: string, x: number, y = 0, z = 0, score = 1): ParticlePick {
  return { object, position: { x, y, z }, score };
}

/** Points on a coarse lattice, so that ties, duplicates and exact distances are common. */
export function latticePoints(maxLength: number, extent = 5): fc.Arbitrary<Point[]> {
  const coordinate = fc.integer({ min: 0, max: extent });
  return fc.array(fc.record({ x: coordinate, y: coordinate, z: fc.integer({ min: 0, max: 1 }) }), { maxLength });
}
