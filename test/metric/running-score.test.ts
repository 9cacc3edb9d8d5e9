import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cziiRules, type Matching, runningScore, type ScoredRun, scorePicks } from '../../src/entry/index.ts';
import { pickAt } from './points.ts';

const objects = fc.constantFrom('ribosome', 'apo-ferritin', 'beta-amylase');
const picks = fc.array(fc.tuple(objects, fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 9 })), {
  maxLength: 20,
});
/** Runs whose true particles lie at different places, as the official metric asks for. */
const runs: fc.Arbitrary<ScoredRun[]> = fc.array(fc.tuple(picks, picks), { maxLength: 5 }).map((all) =>
  all.map(([truth, found], i) => ({
    run: `TS_${i}`,
    truth: truth.map(([object, x], n) => pickAt(object, 10 * x, n, 0)),
    picks: found.map(([object, x, y]) => pickAt(object, 10 * x, y, 0)),
  })),
);

describe('runningScore', () => {
  it.each<Matching>(['official', 'greedy', 'hungarian'])(
    'runningScore gives score and counts of scorePicks to the last digit: %s',
    (matching) => {
      const rules = { ...cziiRules, matching };
      fc.assert(
        fc.property(runs, (all) => {
          const running = runningScore(rules);
          for (const run of all) running.add(run);
          const { runs: _, objects: expected, ...whole } = scorePicks(all, rules);
          const { objects: found, ...report } = running.report();
          expect(report).toEqual(whole);
          expect(Object.keys(found)).toEqual(Object.keys(expected));
          for (const [object, { meanDistance, medianDistance, ...counts }] of Object.entries(expected)) {
            const { meanDistance: mean, ...others } = found[object]!;
            expect(others).toEqual(counts);
            if (meanDistance === undefined) expect(mean).toBeUndefined();
            else expect(mean).toBeCloseTo(meanDistance, 9);
          }
        }),
      );
    },
  );

  it('runningScore throws as scorePicks does, for unknown objects, points that occur twice, and rules out of range', () => {
    const running = runningScore();
    const ribosome = pickAt('ribosome', 10);
    const wrong = [
      { run: 'a', truth: [], picks: [pickAt('membrane', 1)] },
      { run: 'a', truth: [ribosome, ribosome], picks: [] },
    ];
    for (const run of wrong) {
      const message = messageOf(() => scorePicks([run]));
      expect(() => running.add(run)).toThrow(message);
    }
    expect(() => runningScore({ ...cziiRules, beta: -1 })).toThrow(/runningScore: rules/);
    // What was refused counts nothing.
    expect(running.report()).toEqual({ score: 0, objects: {}, ignoredObjects: [] });
  });
});

function messageOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
}
