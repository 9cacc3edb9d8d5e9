import { describe, expect, it } from 'vitest';
import { falseWords, thresholdFrom } from '../../src/page/object-panel.ts';

describe('thresholdFrom', () => {
  const range = { low: 0.0504, high: 0.9298 };

  it.each([
    ['0.3', 0.3],
    ['0,3', 0.3],
    [' .5 ', 0.5],
    // The ends as they are shown.
    ['0.050', 0.0504],
    ['0.930', 0.9298],
  ])('%j is a threshold', (typed, threshold) => {
    expect(thresholdFrom(typed, range)).toBe(threshold);
  });

  it.each(['7', '-1', '', 'a', '0,3,1', '0.94', 'NaN', 'Infinity'])('%j is refused', (typed) => {
    expect(thresholdFrom(typed, range)).toBeUndefined();
  });
});

describe('falseWords', () => {
  it('say the estimate with its interval', () => {
    const words = falseWords({ picks: 13, falsePicks: 5.2, interval: [3, 8] });
    expect(words).toBe('~5 of 13 undecided may be false (3 to 8 in nine of ten tomograms)');
  });

  it('say why the number cannot be told', () => {
    const words = falseWords({ picks: 15, reason: 'anything from 3 to 12 of 15 is possible' });
    expect(words).toBe('How many may be false cannot be told: anything from 3 to 12 of 15 is possible.');
    expect(falseWords(undefined)).toContain('candidates');
  });
});
