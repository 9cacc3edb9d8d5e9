import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { halfToNumber, numberToHalf } from '../../src/codecs/number-type.ts';

describe('numberToHalf', () => {
  it('numberToHalf gives back the bits of every half', () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = halfToNumber(bits);
      expect(numberToHalf(value)).toBe(Number.isNaN(value) ? 0x7e00 : bits);
    }
  });

  it('numberToHalf rounds to the nearest half, ties to even', () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const [low, high] = [halfToNumber(bits), halfToNumber(bits + 1)];
      const middle = (low + high) / 2;
      const step = (high - low) / 1024;
      expect(numberToHalf(middle - step)).toBe(bits);
      expect(numberToHalf(middle + step)).toBe(bits + 1);
      expect(numberToHalf(middle)).toBe(bits % 2 === 0 ? bits : bits + 1);
      expect(numberToHalf(-middle)).toBe(0x8000 | (bits % 2 === 0 ? bits : bits + 1));
    }
  });

  it('numberToHalf rounds to infinity from 65520 and to zero up to 2^-25', () => {
    expect([65504, 65519.99, 65520, 1e300, -1e300].map(numberToHalf)).toEqual([0x7bff, 0x7bff, 0x7c00, 0x7c00, 0xfc00]);
    expect([2 ** -25, 2 ** -25 * 1.001, 5e-324].map(numberToHalf)).toEqual([0, 1, 0]);
  });

  it('numberToHalf rounds any number to a half that no other half is nearer to', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 65519, noNaN: true }), (value) => {
        const half = numberToHalf(value);
        const error = (bits: number) => Math.abs(halfToNumber(bits) - value);
        if (half < 0x7bff) expect(error(half)).toBeLessThanOrEqual(error(half + 1));
        if (half > 0) expect(error(half)).toBeLessThanOrEqual(error(half - 1));
      }),
    );
    expect([2049, 2051, 65519, 65520, Number.NaN].map((n) => halfToNumber(numberToHalf(n)))).toEqual([
      2048,
      2052,
      65504,
      Number.POSITIVE_INFINITY,
      Number.NaN,
    ]);
  });
});
