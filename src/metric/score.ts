import type { Pick } from '../picks/pick.ts';
import { competition, type ScoringRules } from './competition.ts';
import { type Counts, type Quality, qualityOf } from './f-beta.ts';
import { checkFinite } from './in-range.ts';
import { type Candidate, matchFinite } from './match.ts';
import { byObject, checkRuns, objectsOf, type ScoredRun } from './runs.ts';

/** How well one object was found, in one run or over all of them. */
export interface ObjectScore extends Counts, Quality {
  /** Number of candidates minus number of truths. */
  readonly countError: number;
  /** Mean distance of matched pairs in Å; absent without a match. */
  readonly meanDistance?: number | undefined;
  /** Median distance of matched pairs in Å; absent without a match. */
  readonly medianDistance?: number | undefined;
}

/** What scoring found; `runs` holds the same table run by run. */
export interface Report {
  /** Weighted mean of the F-measures; may exceed 1 by a little where one candidate hits two truths. */
  readonly score: number;
  /** Every object of the truth, in order of first appearance there. */
  readonly objects: { readonly [object: string]: ObjectScore };
  readonly runs: { readonly [run: string]: { readonly [object: string]: ObjectScore } };
  /** Objects that were picked but that no truth holds: neither counted nor punished. */
  readonly ignoredObjects: readonly string[];
}

/**
 * Scores picks against the truth, by default as the CZII competition did, identical to the last digit.
 *
 * Counts are summed over runs per object, turned into an F-measure, and averaged by weight. An object counts if the truth
 * of any run holds it; in a run whose truth lacks it all its picks are false. Every run given is scored, also one without
 * truth; a truth table with fewer runs than the submission is what `scoreTables` takes.
 *
 * @param rules - Radii, weights, β, matching: `{ ...competition, matching: 'hungarian' }` scores one to one.
 * @throws {@link CryoetPicksError} `invalid-submission` for an object the rules do not name, a point that occurs twice in
 * the truth of a run (official matching), or a coordinate that is not finite where it meets the other side;
 * `invalid-option` for rules out of range or a run given twice.
 *
 * @example
 * ```ts
 * const { score, objects } = scorePicks([{ run: 'TS_5_4', truth, picks }], competition);
 * console.log(score, objects['ribosome']?.recall);
 * ```
 *
 * Source: Kaggle notebook `metric/czi-cryoet-84969`.
 */
export function scorePicks(runs: readonly ScoredRun[], rules: ScoringRules = competition): Report {
  return scoreInOrder(runs, objectsOf(runs.flatMap(({ truth }) => truth)), rules);
}

/** {@link scorePicks} with the objects to score named in the order their shares are summed. */
export function scoreInOrder(runs: readonly ScoredRun[], objects: readonly string[], rules: ScoringRules): Report {
  checkRuns(runs, rules);
  const totals = new Map(objects.map((object) => [object, newTally()]));
  const tables = runs.map((run): [string, Record<string, ObjectScore>] => [run.run, scoreRun(run, totals, rules)]);
  const scores = objects.map((object): [string, ObjectScore] => [object, summarize(totals.get(object)!, rules)]);
  const picked = new Set(runs.flatMap(({ picks }) => objectsOf(picks)));
  return {
    score: weightedMean(scores, rules),
    objects: Object.fromEntries(scores),
    runs: Object.fromEntries(tables),
    ignoredObjects: [...picked].filter((object) => !totals.has(object)),
  };
}

/** Mean of F-measures by weight, summed in the order given, divided as the rules say. */
export function weightedMean(
  scores: Iterable<readonly [object: string, { readonly fbeta: number }]>,
  rules: ScoringRules,
): number {
  let sum = 0;
  for (const [object, { fbeta }] of scores) sum += fbeta * rules.objects[object]!.weight;
  return sum / divisorOf(rules);
}

/** What the weighted sum is divided by; 1 where nothing has weight, so that the score is 0 then. */
export function divisorOf({ objects, weightSum }: ScoringRules): number {
  return weightSum ?? (Object.values(objects).reduce((total, { weight }) => total + weight, 0) || 1);
}

/** Counts that still grow, and the distances of the matched pairs in Å. */
interface Tally {
  tp: number;
  fp: number;
  fn: number;
  readonly distances: number[];
}

function newTally(): Tally {
  return { tp: 0, fp: 0, fn: 0, distances: [] };
}

/** Scores one run and adds its counts to the totals. */
function scoreRun(
  { run, truth, picks }: ScoredRun,
  totals: ReadonlyMap<string, Tally>,
  rules: ScoringRules,
): Record<string, ObjectScore> {
  const truthOf = byObject(truth);
  const picksOf = byObject(picks);
  const table: [string, ObjectScore][] = [];
  for (const [object, total] of totals) {
    const tally = newTally();
    const name = `${JSON.stringify(object)} in run ${JSON.stringify(run)}`;
    matchInto(tally, truthOf.get(object) ?? [], picksOf.get(object) ?? [], object, name, rules);
    total.tp += tally.tp;
    total.fp += tally.fp;
    total.fn += tally.fn;
    for (const distance of tally.distances) total.distances.push(distance);
    table.push([object, summarize(tally, rules)]);
  }
  return Object.fromEntries(table);
}

function matchInto(
  tally: Tally,
  truth: readonly Pick[],
  picks: readonly Pick[],
  object: string,
  name: string,
  { objects, matchFraction, matching }: ScoringRules,
): void {
  const references = truth.map(({ position }) => position);
  // Only greedy matching asks for scores; positions alone need no copy.
  const candidates: Candidate[] = picks.map(matching === 'greedy' ? toCandidate : ({ position }) => position);
  if (truth.length > 0 && picks.length > 0) {
    checkFinite(references, 'invalid-submission', (index) => `truth ${index} of ${name}`);
    checkFinite(candidates, 'invalid-submission', (index) => `pick ${index} of ${name}`);
  }
  const radius = objects[object]!.radius * matchFraction;
  const { tp, fp, fn, pairs } = matchFinite(references, candidates, { radius, matching });
  tally.tp = tp;
  tally.fp = fp;
  tally.fn = fn;
  for (const { distance } of pairs) tally.distances.push(distance);
}

function toCandidate({ position: { x, y, z }, score }: Pick): Candidate {
  return { x, y, z, score };
}

function summarize({ tp, fp, fn, distances }: Tally, { beta }: ScoringRules): ObjectScore {
  const counts = { tp, fp, fn, ...qualityOf({ tp, fp, fn }, beta), countError: fp - fn };
  if (distances.length === 0) return counts;
  const sorted = Float64Array.from(distances).sort();
  const half = sorted.length >>> 1;
  return {
    ...counts,
    meanDistance: sorted.reduce((sum, distance) => sum + distance, 0) / sorted.length,
    medianDistance: sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2,
  };
}
