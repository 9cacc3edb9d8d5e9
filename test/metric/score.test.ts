import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cziiRules, type ScoringRules, scorePicks, scoreTables, scoringRules } from '../../src/entry/index.ts';
import { pickAt } from './points.ts';

const ribosome = (x: number, y = 0, z = 0) => pickAt('ribosome', x, y, z);
const invalidSubmission = (message: string) =>
  expect.objectContaining({ code: 'invalid-submission', message: expect.stringContaining(message) });

describe('the competition', () => {
  it('cziiRules has weights that sum to its divisor and distinct colours', () => {
    const objects = Object.values(cziiRules.objects);
    expect(objects.reduce((sum, { weight }) => sum + weight, 0)).toBe(cziiRules.weightSum);
    expect(new Set(objects.map(({ color }) => color.join())).size).toBe(6);
  });

  it('cziiRules has the match distances of the official metric, in Å', () => {
    const distances = Object.entries(cziiRules.objects).map(([name, { radius }]) => [
      name,
      radius * cziiRules.matchFraction,
    ]);
    expect(Object.fromEntries(distances)).toEqual({
      'apo-ferritin': 30,
      'beta-amylase': 32.5,
      'beta-galactosidase': 45,
      ribosome: 75,
      thyroglobulin: 65,
      'virus-like-particle': 67.5,
    });
  });
});

describe('scorePicks', () => {
  it.each(Object.entries(cziiRules.objects))(
    'scorePicks gives weight / 7 for one perfect particle alone: %s',
    (object, { weight }) => {
      const truth = [pickAt(object, 100)];
      expect(scorePicks([{ run: 'a', truth, picks: truth }], cziiRules).score).toBe(weight / 7);
    },
  );

  it('scorePicks gives F = 34/33 for one candidate on two truths', () => {
    const report = scorePicks([{ run: 'a', truth: [ribosome(0), ribosome(100)], picks: [ribosome(50)] }]);
    expect(report.objects.ribosome).toMatchObject({
      tp: 2,
      fp: -1,
      fn: 0,
      precision: 2,
      recall: 1,
      fbeta: 34 / 33,
      countError: -1,
    });
    expect(report.score).toBe(34 / 33 / 7);
  });

  it('scorePicks gives F = 8.5/9 for two candidates on one truth', () => {
    const report = scorePicks([{ run: 'a', truth: [ribosome(0)], picks: [ribosome(5), ribosome(-5)] }]);
    expect(report.objects.ribosome?.fbeta).toBe(8.5 / 9);
  });

  it.each([
    { name: 'nothing at all', runs: [] },
    { name: 'a run without truth or picks', runs: [{ run: 'a', truth: [], picks: [] }] },
    { name: 'no truth', runs: [{ run: 'a', truth: [], picks: [ribosome(0)] }] },
    { name: 'no candidates', runs: [{ run: 'a', truth: [ribosome(0)], picks: [] }] },
  ])('scorePicks gives 0, not NaN: $name', ({ runs }) => {
    const report = scorePicks(runs);
    expect(report.score).toBe(0);
    for (const { precision, recall, fbeta, meanDistance } of Object.values(report.objects)) {
      expect([precision, recall, fbeta, meanDistance]).toEqual([0, 0, 0, undefined]);
    }
  });

  it('scorePicks ignores an object that no truth holds, but names it', () => {
    const truth = [ribosome(0)];
    const report = scorePicks([{ run: 'a', truth, picks: [...truth, pickAt('thyroglobulin', 9)] }]);
    expect(report.score).toBe(1 / 7);
    expect(Object.keys(report.objects)).toEqual(['ribosome']);
    expect(report.ignoredObjects).toEqual(['thyroglobulin']);
  });

  it('scorePicks counts candidates of a run as false if their object is in the truth of another run', () => {
    const report = scorePicks([
      { run: 'a', truth: [ribosome(0)], picks: [ribosome(0)] },
      { run: 'b', truth: [], picks: [ribosome(0), ribosome(1)] },
    ]);
    expect(report.objects.ribosome).toMatchObject({ tp: 1, fp: 2, fn: 0 });
    expect(report.runs.b?.ribosome).toMatchObject({ tp: 0, fp: 2, fn: 0, countError: 2 });
  });

  it('scorePicks gives counts of runs that sum to the totals, from which F follows', () => {
    const x = fc.integer({ min: 0, max: 600 });
    const picks = fc.array(fc.tuple(fc.constantFrom('ribosome', 'thyroglobulin'), x), { maxLength: 12 });
    const run = fc.record({ truth: fc.uniqueArray(x, { maxLength: 9 }), picks });
    fc.assert(
      fc.property(fc.array(run, { maxLength: 4 }), (drawn) => {
        const runs = drawn.map(({ truth, picks: found }, index) => ({
          run: String(index),
          truth: truth.map((position) => ribosome(position)),
          picks: found.map(([object, position]) => pickAt(object, position)),
        }));
        const report = scorePicks(runs);
        const total = report.objects.ribosome ?? { tp: 0, fp: 0, fn: 0 };
        for (const key of ['tp', 'fp', 'fn'] as const) {
          const sum = Object.values(report.runs).reduce((s, table) => s + (table.ribosome?.[key] ?? 0), 0);
          expect(sum).toBe(total[key]);
        }
        const truthCount = runs.reduce((sum, { truth }) => sum + truth.length, 0);
        const pickCount = runs.flatMap(({ picks: all }) => all).filter(({ object }) => object === 'ribosome').length;
        if (truthCount === 0) return;
        expect([total.tp + total.fp, total.tp + total.fn]).toEqual([pickCount, truthCount]);
        expect(report.score * 7).toBeCloseTo((17 * total.tp) / (16 * truthCount + pickCount), 12);
      }),
    );
  });

  it('scorePicks gives mean and median distance of the matched pairs, over all runs and in each', () => {
    const report = scorePicks([
      { run: 'a', truth: [ribosome(0), ribosome(1000)], picks: [ribosome(3, 4), ribosome(1010)] },
      { run: 'b', truth: [ribosome(0)], picks: [ribosome(0, 0, -30)] },
    ]);
    expect(report.objects.ribosome).toMatchObject({ meanDistance: 15, medianDistance: 10 });
    expect(report.runs.a?.ribosome).toMatchObject({ meanDistance: 7.5, medianDistance: 7.5 });
  });

  it('scorePicks scores one to one if the rules say so', () => {
    const runs = [{ run: 'a', truth: [ribosome(0), ribosome(100)], picks: [ribosome(50)] }];
    for (const matching of ['greedy', 'hungarian'] as const) {
      expect(scorePicks(runs, { ...cziiRules, matching }).objects.ribosome).toMatchObject({ tp: 1, fp: 0, fn: 1 });
    }
  });

  it('scorePicks refuses an unknown object in picks and in truth', () => {
    const odd = [pickAt('ribosom', 0)];
    const message = 'Unrecognized particle type "ribosom" in run "a"; scored are "apo-ferritin"';
    expect(() => scorePicks([{ run: 'a', truth: [ribosome(0)], picks: odd }])).toThrow(invalidSubmission(message));
    expect(() => scorePicks([{ run: 'a', truth: odd, picks: [] }])).toThrow(invalidSubmission(message));
  });

  it('scorePicks finds no object by the name of an inherited property', () => {
    const picks = [pickAt('constructor', 0)];
    expect(() => scorePicks([{ run: 'a', truth: [], picks }])).toThrow(invalidSubmission('"constructor"'));
  });

  it.each([
    { name: 'under two types', truth: [ribosome(1, 2, 3), pickAt('thyroglobulin', 1, 2, 3)] },
    { name: 'minus zero', truth: [ribosome(0), ribosome(-0)] },
    { name: 'NaN', truth: [ribosome(Number.NaN), ribosome(Number.NaN)] },
    { name: 'beside others of equal x', truth: [ribosome(1, 2), ribosome(1, 3), ribosome(2), ribosome(1, 2)] },
  ])('scorePicks throws for a duplicate point in the truth: $name', ({ truth }) => {
    expect(() => scorePicks([{ run: 'a', truth, picks: [] }])).toThrow(
      invalidSubmission('truth of run "a" has the point'),
    );
  });

  it('scorePicks accepts the same point in two runs, and twice among the picks', () => {
    const truth = [ribosome(0)];
    const report = scorePicks([
      { run: 'a', truth, picks: [...truth, ...truth] },
      { run: 'b', truth, picks: truth },
    ]);
    expect(report.objects.ribosome).toMatchObject({ tp: 2, fp: 1, fn: 0 });
  });

  it('scorePicks refuses a coordinate that is not finite only if truth and picks both hold points', () => {
    const lost = ribosome(Number.NaN);
    expect(() => scorePicks([{ run: 'a', truth: [ribosome(0)], picks: [ribosome(0), lost] }])).toThrow(
      invalidSubmission('pick 1 of "ribosome" in run "a" is at (NaN, 0, 0) Å; expected finite coordinates'),
    );
    expect(() => scorePicks([{ run: 'a', truth: [lost], picks: [ribosome(0)] }])).toThrow(
      invalidSubmission('truth 0 of "ribosome" in run "a"'),
    );
    const apart = scorePicks([
      { run: 'a', truth: [lost], picks: [] },
      { run: 'b', truth: [], picks: [lost] },
    ]);
    expect(apart.objects.ribosome).toMatchObject({ tp: 0, fp: 1, fn: 1 });
  });

  it('scorePicks throws for a run given twice', () => {
    const run = { run: 'a', truth: [], picks: [] };
    expect(() => scorePicks([run, run])).toThrow(expect.objectContaining({ code: 'invalid-option' }));
  });

  it.each<[string, Partial<ScoringRules>]>([
    ['beta', { beta: 0 }],
    ['matchFraction', { matchFraction: Number.NaN }],
    ['weightSum', { weightSum: 0 }],
    ['radius', { objects: { ribosome: { radius: -1, weight: 1 } } }],
    ['weight', { objects: { ribosome: { radius: 1, weight: Number.POSITIVE_INFINITY } } }],
  ])('scorePicks throws for rules with a bad %s', (what, change) => {
    expect(() => scorePicks([], { ...cziiRules, ...change })).toThrow(
      expect.objectContaining({ code: 'invalid-option', message: expect.stringContaining(what) }),
    );
  });
});

describe('scoringRules', () => {
  it('scoringRules scores other objects, divided by the sum of their weights', () => {
    const rules = scoringRules(
      [
        { name: 'proteasome', radius: 80 },
        { name: '__proto__', radius: 20 },
      ],
      { weights: { proteasome: 3 }, beta: 1 },
    );
    const truth = [pickAt('proteasome', 0), pickAt('__proto__', 500)];
    const report = scorePicks(
      [{ run: '__proto__', truth, picks: [pickAt('proteasome', 40), pickAt('__proto__', 511)] }],
      rules,
    );
    expect(report.score).toBe(0.75);
    expect(Object.keys(report.objects)).toEqual(['proteasome', '__proto__']);
    expect(Object.keys(report.runs)).toEqual(['__proto__']);
  });

  it('scoringRules scores 0 if no object has weight', () => {
    const truth = [pickAt('a', 0)];
    const rules = scoringRules([{ name: 'a', radius: 1 }], { weights: { a: 0 } });
    expect(scorePicks([{ run: 'r', truth, picks: truth }], rules).score).toBe(0);
  });

  it('scoringRules refuses an object without a radius', () => {
    expect(() => scoringRules([{ name: 'membrane', radius: null }])).toThrow(/"membrane" has no radius/);
  });
});

describe('scoreTables', () => {
  const row = (run: string, object: string, x: number) => ({ run, pick: pickAt(object, x) });

  it('scoreTables drops runs that the truth table lacks before it looks at their objects', () => {
    const truth = [row('a', 'ribosome', 0)];
    const submission = [row('b', 'no such thing', 0), ...truth, row('b', 'ribosome', Number.NaN)];
    const report = scoreTables({ truth, submission });
    expect(report.score).toBe(1 / 7);
    expect(report.ignoredRuns).toEqual(['b']);
    expect(() => scoreTables({ truth, submission: [row('a', 'no such thing', 0)] })).toThrow(
      invalidSubmission('Unrecognized particle type "no such thing"'),
    );
  });

  it('scoreTables sums objects in order of first appearance in the table, not run by run', () => {
    const truth = [row('a', 'ribosome', 0), row('b', 'thyroglobulin', 0), row('a', 'apo-ferritin', 9)];
    expect(Object.keys(scoreTables({ truth, submission: [] }).objects)).toEqual([
      'ribosome',
      'thyroglobulin',
      'apo-ferritin',
    ]);
  });

  it('scoreTables scores rows in any order of runs and objects the same', () => {
    const names = Object.keys(cziiRules.objects);
    const rowOf = fc
      .record({ run: fc.constantFrom('a', 'b', 'c'), object: fc.constantFrom(...names), x: fc.integer({ max: 2000 }) })
      .map(({ run, object, x }) => row(run, object, x));
    fc.assert(
      fc.property(fc.array(rowOf, { maxLength: 60 }), (submission) => {
        const truth = names.flatMap((object, i) => ['c', 'a'].map((run) => row(run, object, 10 * i + 1)));
        const report = scoreTables({ truth, submission });
        const sorted = [...submission].sort((a, b) => {
          const [one, other] = [a, b].map(({ run, pick }) => `${run} ${pick.object}`) as [string, string];
          return one < other ? -1 : one > other ? 1 : 0;
        });
        const { ignoredRuns, ignoredObjects, ...apart } = scoreTables({ truth, submission: sorted });
        expect(report).toMatchObject(apart);
        const tp = Object.values(report.objects).reduce((sum, object) => sum + object.tp + object.fp, 0);
        expect(tp).toBe(submission.filter(({ run }) => run !== 'b').length);
      }),
    );
  });

  it('scoreTables counts a run without rows in the submission as all missed', () => {
    const truth = [row('a', 'ribosome', 0), row('b', 'ribosome', 0)];
    expect(scoreTables({ truth, submission: [row('b', 'ribosome', 0)] }).runs.a?.ribosome).toMatchObject({
      fn: 1,
    });
  });
});
