import fc from 'fast-check';
import type { ParticlePick } from '../../src/entry/index.ts';

/** Crowded picks of three objects, on whole Å so that exact distances and equal scores abound. */
export const crowdedPicks: fc.Arbitrary<ParticlePick[]> = fc.array(
  fc.record({
    object: fc.constantFrom('ribosome', 'apo-ferritin', 'thyroglobulin'),
    position: fc.record({
      x: fc.integer({ min: -15, max: 15 }),
      y: fc.integer({ min: -15, max: 15 }),
      z: fc.integer({ min: -5, max: 5 }),
    }),
    score: fc.oneof(
      fc.integer({ min: -2, max: 4 }),
      fc.constantFrom(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
    ),
  }),
  { maxLength: 60 },
);

export function pickAt(x: number, y: number, z: number, rest: Partial<ParticlePick> = {}): ParticlePick {
  return { object: 'ribosome', position: { x, y, z }, score: 1, ...rest };
}
