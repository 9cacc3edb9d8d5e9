import { expect, it } from 'vitest';
import { parseNumber } from '../../src/picks/csv.ts';

it('parsePicks looks at each digit of a long cell that is not a number once, not once for every digit before it', () => {
  // Two passes over this many digits are 10^12 steps: a test that would never end.
  const digits = '9'.repeat(1_000_000);
  expect(parseNumber(`${digits}x`)).toBeUndefined();
  expect(parseNumber(`${digits}.${digits}x`)).toBeUndefined();
  expect(parseNumber('12.')).toBe(12);
  expect(parseNumber('.5e3')).toBe(500);
});
