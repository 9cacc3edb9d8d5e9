import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Candidates, type ParticlePick, scorePicks } from '../../src/entry/index.ts';
import { candidatePicks, reviewOf } from '../../src/page/review.ts';
import { compareWithTruth, curveOf, rulesFor } from '../../src/page/scoring.ts';
import { type Edit, named } from '../../src/page/state.ts';

const objects = ['foo', 'bar'].map((name) => ({ name, color: 'rgb(1 2 3)', radius: 100 }));
const minDistances = { foo: 80, bar: 60 };
const pick: fc.Arbitrary<ParticlePick> = fc.record({
  object: fc.constantFrom('foo', 'bar'),
  position: fc.record({ x: fc.nat(300), y: fc.nat(60), z: fc.nat(60) }),
  // Quarters, so that scores are often equal.
  score: fc.integer({ min: 1, max: 8 }).map((value) => value / 8),
});
const truths = fc.array(pick, { minLength: 1, maxLength: 12 });

/** Candidates of some picks; a threshold of 0.5, and none missing down to 0.125. */
function candidatesOf(picks: readonly ParticlePick[]): Candidates {
  const names = ['foo', 'bar'];
  const of = (value: number) => ({ foo: value, bar: value });
  return {
    grid: { shape: [10, 10, 40], voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } },
    objects: names,
    thresholds: of(0.5),
    minDistances,
    floors: of(0.125),
    lowestThresholds: of(0.125),
    objectIndices: Uint16Array.from(picks, ({ object }) => names.indexOf(object)),
    positions: Float64Array.from(picks.flatMap(({ position: { x, y, z } }) => [x, y, z])),
    scores: Float32Array.from(picks, ({ score }) => score),
  };
}

describe('compareWithTruth', () => {
  it('the picks that hit and the particles that are missed are as many as the official metric counts', () => {
    fc.assert(
      fc.property(fc.array(pick, { maxLength: 12 }), truths, (picks, truth) => {
        const review = reviewOf({ loaded: named(picks), edits: new Map(), thresholds: {}, minDistances: {} });
        const { report, hits, missed } = compareWithTruth({ objects, truth }, review)!;
        const kept = new Map(review.kept.map((one) => [one.id, one.object]));
        for (const [object, { tp, fn }] of Object.entries(report.objects)) {
          const own = [...hits].filter(([id]) => kept.get(id) === object);
          expect(own.reduce((sum, [, count]) => sum + count, 0)).toBe(tp);
          expect(missed.filter((one) => one.object === object).length).toBe(fn);
        }
      }),
    );
  });

  it('a pick between two particles hits both', () => {
    const at = (x: number): ParticlePick => ({ object: 'foo', position: { x, y: 0, z: 0 }, score: 1 });
    const review = reviewOf({ loaded: named([at(40)]), edits: new Map(), thresholds: {}, minDistances: {} });
    const { hits, missed } = compareWithTruth({ objects, truth: [at(0), at(80)] }, review)!;
    expect([...hits.values()]).toEqual([2]);
    expect(missed).toEqual([]);
  });
});

const decision = fc.constantFrom<Edit>(
  { decision: 'accepted' },
  { decision: 'rejected' },
  { decision: 'deleted' },
  { object: 'bar' },
  { position: { x: 150, y: 0, z: 0 } },
);

describe('curveOf', () => {
  it.each([true, false])(
    'each point of the curve is what the picks at its threshold score, with what was decided; candidates: %s',
    (hasCandidates) => {
      fc.assert(
        fc.property(
          fc.array(pick, { maxLength: 25 }),
          truths,
          fc.array(fc.tuple(fc.nat(), decision), { maxLength: 4 }),
          fc.constantFrom('foo', 'bar'),
          (picks, truth, decisions, object) => {
            fc.pre(truth.some((one) => one.object === object));
            const candidates = hasCandidates ? candidatesOf(picks) : undefined;
            const loaded = candidates ? candidatePicks(candidates) : named(picks);
            const edits = new Map<string, Edit>([
              ['added', { isAdded: true, object, position: { x: 0, y: 0, z: 0 }, decision: 'accepted' }],
            ]);
            for (const [index, edit] of decisions)
              if (loaded.length > 0) edits.set(loaded[index % loaded.length]!.id, edit);
            const state = { loaded, candidates, edits, thresholds: { foo: 0.75 }, minDistances, objects, truth };
            const curve = curveOf(object, state)!;
            for (const [i, threshold] of curve.thresholds.entries()) {
              const { kept } = reviewOf({
                ...state,
                thresholds: { ...state.thresholds, [object]: Math.min(threshold, 9) },
              });
              const report = scorePicks([{ run: 'run', truth, picks: kept }], rulesFor(state));
              const { precision, recall } = report.objects[object]!;
              expect([curve.precision[i], curve.recall[i]]).toEqual([precision, recall]);
            }
          },
        ),
      );
    },
  );

  it('four candidates around one particle are one pick at every threshold, and never false', () => {
    const at = (x: number, score: number): ParticlePick => ({ object: 'foo', position: { x, y: 0, z: 0 }, score });
    const candidates = candidatesOf([at(10, 1), at(30, 0.875), at(50, 0.75), at(70, 0.625)]);
    const state = { loaded: candidatePicks(candidates), candidates, edits: new Map(), thresholds: {}, minDistances };
    const { precision, recall } = curveOf('foo', { ...state, objects, truth: [at(10, 1)] })!;
    expect([[...precision], [...recall]]).toEqual([[1], [1]]);
  });
});
