import { describeValue } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import type { ParticlePick } from '../picks/pick.ts';
import { finitePlaces, nearestFree, type RangeLists, truthsInRange } from './match.ts';
import { cziiRules, type ScoringRules } from './rules.ts';
import {
  byObject,
  checkRuns,
  divisorOf,
  objectsOf,
  type Quality,
  qualityOf,
  type ScoredRun,
  weightedMean,
} from './score.ts';

/** A threshold and what it gives; picks whose score is at least the threshold are kept. */
export interface SweepPoint extends Quality {
  readonly threshold: number;
}

/** One point per distinct score, by ascending threshold: entry i of each list belongs to `thresholds[i]`. */
export interface SweepCurve {
  readonly thresholds: Float64Array;
  readonly precision: Float64Array;
  readonly recall: Float64Array;
  readonly fbeta: Float64Array;
}

export interface ObjectSweep {
  /** The lowest threshold with the largest F-measure; absent if the object has no pick. */
  readonly best?: SweepPoint | undefined;
  readonly curve: SweepCurve;
}

/** The result of a sweep. */
export interface Sweep {
  /** The score with each object cut at its best threshold. */
  readonly score: number;
  /** Every object of the truth, in order of first appearance there. */
  readonly objects: { readonly [object: string]: ObjectSweep };
  /** The best single threshold for all objects, the lowest of equals; absent without picks. */
  readonly single?: { readonly threshold: number; readonly score: number } | undefined;
}

/**
 * Finds the score threshold of each object that maximises its F-measure over all runs.
 *
 * One pass over the picks of an object in descending score gives the whole curve; every point of it equals scoring the
 * picks with at least that score, to the last bit. Where the curve is flat at its maximum, the lowest threshold is taken:
 * it keeps more candidates, which helps if new tomograms score lower.
 *
 * Give it picks after suppression at a low threshold, not candidates: all candidates around a particle but one would count as
 * false. What `suppressNearby` keeps at a higher threshold is what of these reaches it.
 *
 * @param rules - Official (the default) or greedy matching.
 * @throws {@link CryoetPicksError} `invalid-picks` for a NaN score, `invalid-option` for Hungarian matching, whose pairs do
 * not grow one by one; otherwise as {@link scorePicks}.
 *
 * @example
 * ```ts
 * const { objects, score } = sweepThresholds([{ run: 'TS_5_4', truth, picks }]);
 * console.log(score, objects['ribosome']?.best?.threshold);
 * ```
 */
export function sweepThresholds(runs: readonly ScoredRun[], rules: ScoringRules = cziiRules): Sweep {
  checkRuns(runs, rules, 'sweepThresholds');
  if (rules.matching === 'hungarian') {
    throw new CryoetPicksError('invalid-option', 'thresholds are swept under "official" or "greedy" matching only');
  }
  const groups = runs.map(({ run, truth, picks }) => ({ run, truth: byObject(truth), picks: byObject(picks) }));
  const objects = objectsOf(runs.flatMap(({ truth }) => truth)).map((object): [string, ObjectSweep] => {
    const parts = groups.map(({ run, truth, picks }) => ({
      run,
      truth: truth.get(object) ?? [],
      picks: picks.get(object) ?? [],
    }));
    const curve = sweepObject(object, parts, rules);
    return [object, { best: bestOf(curve), curve }];
  });
  return {
    score: weightedMean(
      objects.map(([object, { best }]) => [object, { fbeta: best?.fbeta ?? 0 }]),
      rules,
    ),
    objects: Object.fromEntries(objects),
    single: bestSingle(objects, rules),
  };
}

/** The picks of one object over all runs, in descending score; ties keep their order. */
interface Queue {
  readonly scores: Float64Array;
  /** Which run, and which of its picks of this object. */
  readonly runs: Uint32Array;
  readonly picks: Uint32Array;
  readonly order: Uint32Array;
}

function sweepObject(object: string, runs: readonly ScoredRun[], rules: ScoringRules): SweepCurve {
  const lists = runs.map((run) => listsOf(object, run, rules));
  const hit = runs.map(({ truth }) => new Uint8Array(truth.length));
  const truthCount = runs.reduce((count, { truth }) => count + truth.length, 0);
  const { scores, runs: runOf, picks, order } = queueOf(object, runs);
  const points: SweepPoint[] = [];
  let tp = 0;
  for (let kept = 0; kept < order.length; kept++) {
    const index = order[kept]!;
    const run = runOf[index]!;
    tp += takeHits(lists[run], picks[index]!, hit[run]!, rules.matching === 'greedy');
    // Picks of one score are kept or dropped together.
    if (kept + 1 < order.length && scores[order[kept + 1]!] === scores[index]) continue;
    const counts = { tp, fp: kept + 1 - tp, fn: truthCount - tp };
    points.push({ threshold: scores[index]!, ...qualityOf(counts, rules.beta) });
  }
  points.reverse();
  return {
    thresholds: Float64Array.from(points, ({ threshold }) => threshold),
    precision: Float64Array.from(points, ({ precision }) => precision),
    recall: Float64Array.from(points, ({ recall }) => recall),
    fbeta: Float64Array.from(points, ({ fbeta }) => fbeta),
  };
}

/** Marks the truths that one more pick hits and returns how many of them are new. */
function takeHits(lists: RangeLists | undefined, pick: number, hit: Uint8Array, oneToOne: boolean): number {
  if (lists === undefined) return 0;
  if (oneToOne) {
    const i = nearestFree(lists, pick, (truth) => hit[truth] === 0);
    if (i === -1) return 0;
    hit[lists.truth[i]!] = 1;
    return 1;
  }
  let fresh = 0;
  for (let i = lists.start[pick]!; i < lists.start[pick + 1]!; i++) {
    const truth = lists.truth[i]!;
    fresh += 1 - hit[truth]!;
    hit[truth] = 1;
  }
  return fresh;
}

function listsOf(object: string, { run, truth, picks }: ScoredRun, rules: ScoringRules): RangeLists | undefined {
  if (truth.length === 0 || picks.length === 0) return undefined;
  const name = `${JSON.stringify(object)} in run ${JSON.stringify(run)}`;
  const references = truth.map(({ position }) => position);
  const candidates = picks.map(({ position }) => position);
  const places = finitePlaces(references, 'invalid-submission', (index) => `truth ${index} of ${name}`);
  const found = finitePlaces(candidates, 'invalid-submission', (index) => `pick ${index} of ${name}`);
  return truthsInRange(places, found, rules.objects[object]!.radius * rules.matchFraction);
}

function queueOf(object: string, runs: readonly ScoredRun[]): Queue {
  const count = runs.reduce((total, { picks }) => total + picks.length, 0);
  const queue = { scores: new Float64Array(count), runs: new Uint32Array(count), picks: new Uint32Array(count) };
  let next = 0;
  runs.forEach(({ run, picks }, r) => {
    picks.forEach(({ score }: ParticlePick, p) => {
      if (typeof score !== 'number' || Number.isNaN(score)) {
        throw new CryoetPicksError(
          'invalid-picks',
          `pick ${p} of ${JSON.stringify(object)} in run ${JSON.stringify(run)} has score ${describeValue(score)}; a sweep needs scores`,
        );
      }
      queue.scores[next] = score;
      queue.runs[next] = r;
      queue.picks[next] = p;
      next += 1;
    });
  });
  const { scores } = queue;
  const order = Uint32Array.from(scores.keys()).sort((a, b) =>
    scores[a]! > scores[b]! ? -1 : scores[a]! < scores[b]! ? 1 : a - b,
  );
  return { ...queue, order };
}

function bestOf({ thresholds, precision, recall, fbeta }: SweepCurve): SweepPoint | undefined {
  if (thresholds.length === 0) return undefined;
  let best = 0;
  for (let i = 1; i < fbeta.length; i++) if (fbeta[i]! > fbeta[best]!) best = i;
  return { threshold: thresholds[best]!, precision: precision[best]!, recall: recall[best]!, fbeta: fbeta[best]! };
}

/** Walks the curves of all objects together, from the lowest threshold up. */
function bestSingle(objects: readonly (readonly [string, ObjectSweep])[], rules: ScoringRules): Sweep['single'] {
  const curves = objects.map(([, { curve }]) => curve);
  const weights = objects.map(([object]) => rules.objects[object]!.weight);
  const divisor = divisorOf(rules);
  const at = new Uint32Array(curves.length);
  let best: Sweep['single'];
  for (;;) {
    let threshold = Number.POSITIVE_INFINITY;
    let sum = 0;
    let done = true;
    for (let o = 0; o < curves.length; o++) {
      const { thresholds, fbeta } = curves[o]!;
      // Above its last threshold an object keeps nothing.
      if (at[o]! >= thresholds.length) continue;
      done = false;
      threshold = Math.min(threshold, thresholds[at[o]!]!);
      sum += fbeta[at[o]!]! * weights[o]!;
    }
    if (done) return best;
    if (best === undefined || sum / divisor > best.score) best = { threshold, score: sum / divisor };
    for (let o = 0; o < curves.length; o++) if (curves[o]!.thresholds[at[o]!] === threshold) at[o]! += 1;
  }
}
