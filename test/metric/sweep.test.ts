import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cziiRules, type Matching, type ScoredRun, scorePicks, sweepThresholds } from '../../src/entry/index.ts';
import { pickAt } from './points.ts';

const objects = ['ribosome', 'thyroglobulin', 'apo-ferritin'];
const position = fc.integer({ min: 0, max: 500 });
const picks = fc.array(
  fc
    .tuple(fc.constantFrom(...objects), position, fc.constantFrom(-1, 0, 0.1, 0.25, 0.5, 0.75, 3))
    .map(([object, x, score]) => pickAt(object, x, 0, 0, score)),
  { maxLength: 25 },
);
const truth = fc.uniqueArray(fc.tuple(fc.constantFrom(...objects), position), {
  maxLength: 12,
  selector: ([, x]) => x,
});
const anyRuns: fc.Arbitrary<ScoredRun[]> = fc.array(fc.record({ truth, picks }), { maxLength: 3 }).map((runs) =>
  runs.map((run, index) => ({
    run: `run ${index}`,
    truth: run.truth.map(([object, x]) => pickAt(object, x)),
    picks: run.picks,
  })),
);

const keepFrom = (runs: readonly ScoredRun[], keep: (object: string) => number): ScoredRun[] =>
  runs.map((run) => ({ ...run, picks: run.picks.filter(({ object, score }) => score >= keep(object)) }));

describe('sweepThresholds', () => {
  it.each<Matching>(['official', 'greedy'])(
    'sweepThresholds equals scoring again at every threshold, bit for bit: %s',
    (matching) => {
      const rules = { ...cziiRules, matching };
      fc.assert(
        fc.property(anyRuns, (runs) => {
          const sweep = sweepThresholds(runs, rules);
          expect(Object.keys(sweep.objects)).toEqual(Object.keys(scorePicks(runs, rules).objects));
          for (const [object, { best, curve }] of Object.entries(sweep.objects)) {
            const scores = runs.flatMap((run) => run.picks.filter((pick) => pick.object === object));
            expect([...curve.thresholds]).toEqual([...new Set(scores.map(({ score }) => score))].sort((a, b) => a - b));
            const again = [...curve.thresholds].map(
              (threshold) =>
                scorePicks(
                  keepFrom(runs, () => threshold),
                  rules,
                ).objects[object]!,
            );
            expect([...curve.precision]).toEqual(again.map(({ precision }) => precision));
            expect([...curve.recall]).toEqual(again.map(({ recall }) => recall));
            expect([...curve.fbeta]).toEqual(again.map(({ fbeta }) => fbeta));
            const top = curve.fbeta.indexOf(Math.max(...curve.fbeta));
            expect(best?.threshold).toBe(curve.thresholds[top]);
          }
          const cut = keepFrom(runs, (object) => sweep.objects[object]?.best?.threshold ?? 0);
          expect(scorePicks(cut, rules).score).toBe(sweep.score);
        }),
      );
    },
  );

  it('sweepThresholds finds the best single threshold that trying each would find', () => {
    fc.assert(
      fc.property(anyRuns, (runs) => {
        const { objects: swept, single } = sweepThresholds(runs);
        const thresholds = Object.values(swept).flatMap(({ curve }) => [...curve.thresholds]);
        const tried = [...new Set(thresholds)]
          .sort((a, b) => a - b)
          .map((threshold) => ({ threshold, score: scorePicks(keepFrom(runs, () => threshold)).score }));
        const top = Math.max(...tried.map(({ score }) => score));
        expect(single).toEqual(tried.find(({ score }) => score === top));
      }),
    );
  });

  it('sweepThresholds takes the lowest of equally good thresholds', () => {
    const far = [0.1, 0.2, 0.3].map((score, index) => pickAt('ribosome', 1000 + 1000 * index, 0, 0, score));
    const sweep = sweepThresholds([{ run: 'a', truth: [pickAt('ribosome', 0)], picks: far }]);
    expect(sweep.objects.ribosome?.best).toEqual({ threshold: 0.1, precision: 0, recall: 0, fbeta: 0 });
    expect(sweep.single).toEqual({ threshold: 0.1, score: 0 });
  });

  it('sweepThresholds finds the threshold between good and bad picks', () => {
    const truths = [0, 500, 1000].map((x) => pickAt('ribosome', x));
    const good = truths.map((pick, index) => ({ ...pick, score: 0.6 + index / 10 }));
    const bad = [2000, 3000].map((x) => pickAt('ribosome', x, 0, 0, 0.5));
    const sweep = sweepThresholds([{ run: 'a', truth: truths, picks: [...bad, ...good] }]);
    expect(sweep.objects.ribosome?.best).toEqual({ threshold: 0.6, precision: 1, recall: 1, fbeta: 1 });
    expect(sweep.score).toBe(1 / 7);
  });

  it('sweepThresholds has no best threshold for an object without picks, and no curve for one without truth', () => {
    const sweep = sweepThresholds([{ run: 'a', truth: [pickAt('ribosome', 0)], picks: [pickAt('thyroglobulin', 0)] }]);
    expect(Object.keys(sweep.objects)).toEqual(['ribosome']);
    expect(sweep.objects.ribosome?.best).toBeUndefined();
    expect(sweep.objects.ribosome?.curve.thresholds.length).toBe(0);
    expect([sweep.score, sweep.single]).toEqual([0, undefined]);
  });

  it('sweepThresholds refuses a NaN score, naming the pick', () => {
    const runs = [{ run: 'a', truth: [pickAt('ribosome', 0)], picks: [pickAt('ribosome', 0, 0, 0, Number.NaN)] }];
    expect(() => sweepThresholds(runs)).toThrow(
      expect.objectContaining({
        code: 'invalid-picks',
        message: expect.stringContaining('pick 0 of "ribosome" in run "a" has score NaN'),
      }),
    );
  });

  it('sweepThresholds refuses Hungarian matching', () => {
    expect(() => sweepThresholds([], { ...cziiRules, matching: 'hungarian' })).toThrow(
      expect.objectContaining({ code: 'invalid-option' }),
    );
  });
});
