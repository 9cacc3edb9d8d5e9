import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plainSoftmax, softmaxKernel } from '../../src/inference/activation.ts';

const kernel = softmaxKernel()!;

/** Both, of the voxels from … to; the others must stay as they are. */
function both(scores: Float32Array, size: number, from: number, to: number): [Float32Array, Float32Array] {
  const fast = scores.slice();
  const plain = scores.slice();
  kernel(fast, size, from, to);
  plainSoftmax(plain, size, from, to);
  return [fast, plain];
}

const odd = fc.constantFrom(0, -0, 1e-40, -1e-40, 3e38, -3e38, Infinity, -Infinity, NaN, 88, -88, -87.4, -104, 1000);
const logit = fc.oneof({ weight: 4, arbitrary: fc.float({ min: -30, max: 30, noNaN: true }) }, odd);

const cases = fc
  .record({ classes: fc.integer({ min: 1, max: 9 }), size: fc.integer({ min: 1, max: 23 }) })
  .chain((shape) =>
    fc.record({
      size: fc.constant(shape.size),
      scores: fc.array(logit, { minLength: shape.classes * shape.size, maxLength: shape.classes * shape.size }),
      ends: fc.tuple(fc.nat(shape.size), fc.nat(shape.size)),
    }),
  );

describe('softmaxKernel', () => {
  it('softmaxKernel gives what the plain loop gives within 1e-6, NaN where that does, and touches nothing else', () => {
    const property = fc.property(cases, ({ size, scores, ends }) => {
      const [from, to] = [Math.min(...ends), Math.max(...ends)];
      const given = Float32Array.from(scores);
      const [fast, plain] = both(given, size, from, to);
      for (let i = 0; i < given.length; i++) {
        const isInside = i % size >= from && i % size < to;
        if (!isInside || Number.isNaN(plain[i])) expect(fast[i]).toBe(isInside ? Number.NaN : given[i]);
        // Where a score is far below the greatest, float32 rounds their difference.
        else expect(Math.abs(fast[i]! - plain[i]!)).toBeLessThanOrEqual(Math.min(1e-6, 1e-5 * plain[i]! + 1e-37));
      }
    });
    fc.assert(property, { numRuns: 3000 });
  });

  it('softmaxKernel gives probabilities that sum to 1 for a tile of scores', () => {
    const size = 46 * 45 * 45;
    const given = Float32Array.from({ length: 7 * size }, (_, i) => 12 * Math.sin(i * i));
    const [fast, plain] = both(given, size, 0, size);
    let off = 0;
    for (let i = 0; i < size; i++) {
      let sum = 0;
      for (let k = 0; k < 7; k++) {
        sum += fast[i + k * size]!;
        off = Math.max(off, Math.abs(fast[i + k * size]! - plain[i + k * size]!));
      }
      off = Math.max(off, Math.abs(sum - 1));
    }
    expect(off).toBeLessThan(1e-6);
  });
});
