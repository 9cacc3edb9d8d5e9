import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatSpacing, sanitizeName } from '../../../src/copick/layout.ts';
import { expectedByCopick } from '../../support/copick-fixture.ts';

describe('sanitizeName', () => {
  it.each(expectedByCopick.names.vectors)('sanitizeName turns %j into %j, like copick', (name, expected) => {
    if (expected === null)
      expect(() => sanitizeName(name)).toThrow(expect.objectContaining({ code: 'invalid-option' }));
    else expect(sanitizeName(name)).toBe(expected);
  });

  it('sanitizeName replaces exactly the characters that copick replaces', () => {
    const replaced: number[] = [];
    for (let code = 0; code < 0x10000; code++) {
      const name = `a${String.fromCharCode(code)}b`;
      if (sanitizeName(name) !== name) replaced.push(code);
    }
    expect(replaced).toEqual(expectedByCopick.names.replaced);
  });

  it('sanitizeName changes nothing the second time', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const once = sanitizeName(`a${text}b`);
        expect(sanitizeName(once)).toBe(once);
      }),
    );
  });
});

describe('formatSpacing', () => {
  it.each(expectedByCopick.spacings.slice(0, 18))('formatSpacing writes %d as Python does: %s', (spacing, label) => {
    expect(formatSpacing(spacing)).toBe(label);
  });

  it('formatSpacing agrees with the whole table made by Python, exact ties included', () => {
    const ours = expectedByCopick.spacings.map(([spacing]) => formatSpacing(spacing));
    expect(ours).toEqual(expectedByCopick.spacings.map(([, label]) => label));
  });

  it('formatSpacing is the decimal nearest to the exact value, the even one of two', () => {
    const spacing = fc.oneof(
      fc.double({ min: 1e-7, max: 1e6, noNaN: true }),
      fc.integer({ min: 1, max: 1e6 }).map((sixteenths) => sixteenths / 16),
    );
    fc.assert(
      fc.property(spacing, (value) => {
        expect(formatSpacing(value)).toBe(exactLabel(value));
      }),
      { numRuns: 1000 },
    );
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('formatSpacing refuses %d', (spacing) => {
    expect(() => formatSpacing(spacing)).toThrow(expect.objectContaining({ code: 'invalid-option' }));
  });
});

/** Rounds m · 2^e to thousandths by integer arithmetic alone. */
function exactLabel(value: number): string {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  const word = bits.getBigUint64(0);
  const exponent = Number((word >> 52n) & 0x7ffn);
  const mantissa = (word & 0xfffffffffffffn) | (exponent === 0 ? 0n : 1n << 52n);
  const shift = BigInt(1075 - Math.max(1, exponent));
  const numerator = mantissa * 1000n;
  const denominator = 1n << shift;
  const floor = numerator / denominator;
  const twice = 2n * (numerator % denominator);
  const up = twice > denominator || (twice === denominator && floor % 2n === 1n);
  const thousandths = (floor + (up ? 1n : 0n)).toString().padStart(4, '0');
  return `${thousandths.slice(0, -3)}.${thousandths.slice(-3)}`;
}
