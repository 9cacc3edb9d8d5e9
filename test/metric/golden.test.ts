import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cziiRules, parseSubmissionRows, scoreTables, type TableRow } from '../../src/entry/index.ts';
import { qualityOf, weightedMean } from '../../src/metric/score.ts';
import { sharedData, sharedDataMissing } from '../support/shared-data.ts';
import { pickAt } from './points.ts';

interface Expected {
  readonly tp: number;
  readonly fp: number;
  readonly fn: number;
  readonly precision: number;
  readonly recall: number;
  readonly fbeta: number;
}

type Row = readonly [run: string, object: string, x: number | null, y: number | null, z: number | null];

interface GoldenCase {
  readonly name: string;
  readonly truth: readonly Row[];
  readonly submission: readonly Row[];
  readonly expected: { readonly score: number; readonly objects: Record<string, Expected> };
}

const read = (path: string | URL): string => readFileSync(path, 'utf8');
const golden: GoldenCase[] = JSON.parse(read(new URL('../fixtures/metric_golden.json', import.meta.url)));

/** JSON has no NaN; the golden tables hold null instead. */
const toRows = (rows: readonly Row[]): TableRow[] =>
  rows.map(([run, object, ...point]) => {
    const [x, y, z] = point.map((coordinate) => coordinate ?? Number.NaN);
    return { run, pick: pickAt(object, x!, y!, z!) };
  });

/** Compares bits: toEqual takes no tolerance for numbers. */
function expectSame(report: ReturnType<typeof scoreTables>, score: number, objects: Record<string, Expected>): void {
  const found = Object.entries(report.objects).map(([object, { tp, fp, fn, precision, recall, fbeta }]) => [
    object,
    { tp, fp, fn, precision, recall, fbeta },
  ]);
  expect(Object.fromEntries(found)).toEqual(objects);
  expect(report.score).toBe(score);
}

describe('the official metric, made with scipy and pandas', () => {
  it.each(golden)(
    'scoreTables equals the official metric, made with scipy and pandas: $name',
    ({ truth, submission, expected }) => {
      expectSame(
        scoreTables({ truth: toRows(truth), submission: toRows(submission) }),
        expected.score,
        expected.objects,
      );
    },
  );

  it('scoreTables does not depend on the order of the submission', () => {
    for (const { truth, submission, expected } of golden) {
      const reversed = toRows(submission).reverse();
      expectSame(scoreTables({ truth: toRows(truth), submission: reversed }), expected.score, expected.objects);
    }
  });
});

describe.skipIf(sharedDataMissing)('the official metric on the training truth (needs ../shared/data)', () => {
  const rows = (name: string) => parseSubmissionRows(read(sharedData(`metric/golden/${name}.csv`)), { source: name });
  const expected: Record<string, { score: number; particles: Record<string, Expected> }> = sharedDataMissing
    ? {}
    : JSON.parse(read(sharedData('metric/golden/expected.json')));

  it('the training truth has twelve pairs', () => {
    expect(Object.keys(expected).length).toBe(12);
  });

  it.each(Object.keys(expected))('scoreTables equals the official metric on the training truth: %s', (name) => {
    const { score, particles } = expected[name]!;
    const report = scoreTables({ truth: rows(`truth_${name}`), submission: rows(`submission_${name}`) });
    expectSame(report, score, particles);
  });

  it('two apo-ferritins 29.54 Å apart, one of them dropped, score above 1', () => {
    const truth = parseSubmissionRows(read(sharedData('truth/czii_train_picks.csv')));
    expect(truth.length).toBe(1269);
    expect(scoreTables({ truth, submission: truth }).score).toBe(1);
    const inRun = (row: TableRow) => row.run === 'TS_73_6' && row.pick.object === 'apo-ferritin';
    const dropped = truth.filter(inRun).find((a) =>
      truth.filter(inRun).some((b) => {
        const [p, q] = [a.pick.position, b.pick.position];
        return a !== b && Math.hypot(p.x - q.x, p.y - q.y, p.z - q.z) < 30;
      }),
    );
    const report = scoreTables({ truth, submission: truth.filter((row) => row !== dropped) });
    expect(report.score).toBe(1.0000224124792685);
    expect(report.objects['apo-ferritin']).toMatchObject({ tp: 375, fp: -1, fn: 0, fbeta: 1.0001568873548792 });
  });

  it('a submission with x and z swapped scores next to nothing', () => {
    const truth = parseSubmissionRows(read(sharedData('truth/czii_train_picks.csv')));
    const submission = truth.map(({ run, pick: { object, position, score } }) => ({
      run,
      pick: { object, score, position: { x: position.z, y: position.y, z: position.x } },
    }));
    expect(scoreTables({ truth, submission }).score).toBeCloseTo(0.011, 3);
  });

  it('the counts of published tables give their F-measures, and these the total', () => {
    interface Recorded {
      readonly recorded_score: number;
      readonly per_particle: Record<string, { hit: number; miss: number; fp: number; fbeta4: number }>;
    }
    const tables: Recorded[] = JSON.parse(read(sharedData('metric/recorded_scores.json')));
    expect(tables.length).toBe(10);
    for (const { recorded_score, per_particle } of tables) {
      const scores = Object.entries(per_particle).map(([object, { hit, miss, fp, fbeta4 }]) => {
        const quality = qualityOf({ tp: hit, fp, fn: miss }, cziiRules.beta);
        // The notebooks evaluate F in another association, so the last digits differ.
        expect(Math.abs(quality.fbeta - fbeta4)).toBeLessThan(1e-14);
        return [object, quality] as const;
      });
      expect(Math.abs(weightedMean(scores, cziiRules) - recorded_score)).toBeLessThan(1e-14);
    }
  });
});
