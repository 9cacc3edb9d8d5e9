import { CryoetPicksError } from '../errors.ts';
import type { Point } from '../space/point.ts';
import { assign } from './assignment.ts';
import { checkMatching, type Matching } from './competition.ts';
import { checkFinite, type RangeLists, truthsInRange } from './in-range.ts';

/** A candidate position in Å; the score orders greedy matching, a missing one comes last. */
export interface Candidate extends Point {
  readonly score?: number | undefined;
}

export interface MatchOptions {
  /** Largest distance of a match, inclusive, in Å. */
  readonly radius: number;
  /** @defaultValue `'official'` */
  readonly matching?: Matching | undefined;
}

/** One truth and the candidate that stands for it. */
export interface MatchedPair {
  /** Index into the truth. */
  readonly truth: number;
  /** Index into the candidates. */
  readonly candidate: number;
  /** In Å. */
  readonly distance: number;
}

/** What matching one object in one run found: `tp + fp` candidates, `tp + fn` truths, one pair per true positive. */
export interface MatchResult {
  readonly tp: number;
  /** Negative where official matching lets one candidate hit several truths. */
  readonly fp: number;
  readonly fn: number;
  /** By ascending truth index. Official: each truth hit with its nearest candidate, which may serve several truths. */
  readonly pairs: readonly MatchedPair[];
}

/**
 * Matches candidates of one object in one run to the truth.
 *
 * - `official`: a truth is hit if any candidate is within the radius; tp is the number of truths hit, fp the number of
 *   candidates minus tp. Further candidates around a truth are false; one candidate between two truths hits both, and fp
 *   may become −1.
 * - `greedy`: one to one; candidates by descending score (ties in the order given) take their nearest free truth.
 * - `hungarian`: one to one; as many pairs as possible, and among those the least sum of distances.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for a coordinate that is not finite while both sides are non-empty
 * (as the official metric does), or a NaN score under greedy matching; `invalid-option` for a bad radius or matching.
 *
 * @example
 * ```ts
 * const { tp, fp, fn } = matchPicks(truth, candidates, { radius: 75, matching: 'hungarian' });
 * ```
 */
export function matchPicks(
  truth: readonly Point[],
  candidates: readonly Candidate[],
  { radius, matching = 'official' }: MatchOptions,
): MatchResult {
  if (!Number.isFinite(radius) || radius < 0) {
    throw new CryoetPicksError('invalid-option', `radius is ${radius} Å; expected a finite number, at least 0`);
  }
  checkMatching(matching);
  // As the official metric: nothing reaches an empty truth or comes of no candidates, so no distance is taken.
  if (truth.length > 0 && candidates.length > 0) {
    checkFinite(truth, 'invalid-picks', (index) => `truth ${index}`);
    checkFinite(candidates, 'invalid-picks', (index) => `candidate ${index}`);
  }
  return matchFinite(truth, candidates, { radius, matching });
}

/** {@link matchPicks} of options and points that were looked at before. */
export function matchFinite(
  truth: readonly Point[],
  candidates: readonly Candidate[],
  { radius, matching = 'official' }: MatchOptions,
): MatchResult {
  if (truth.length === 0 || candidates.length === 0) {
    return { tp: 0, fp: truth.length === 0 ? candidates.length : 0, fn: truth.length, pairs: [] };
  }
  const lists = truthsInRange(truth, candidates, radius);
  const pairs = pairUp(matching, lists, truth.length, candidates);
  const tp = pairs.length;
  return { tp, fp: candidates.length - tp, fn: truth.length - tp, pairs };
}

function pairUp(
  matching: Matching,
  lists: RangeLists,
  truthCount: number,
  candidates: readonly Candidate[],
): MatchedPair[] {
  if (matching === 'official') return nearestCandidates(lists, truthCount);
  if (matching === 'greedy') return greedyPairs(lists, truthCount, byDescendingScore(candidates));
  return optimalPairs(lists, truthCount);
}

function nearestCandidates({ start, truth, squared }: RangeLists, truthCount: number): MatchedPair[] {
  const nearest = new Int32Array(truthCount).fill(-1);
  const least = new Float64Array(truthCount).fill(Number.POSITIVE_INFINITY);
  for (let candidate = 0; candidate + 1 < start.length; candidate++) {
    for (let i = start[candidate]!; i < start[candidate + 1]!; i++) {
      if (squared[i]! >= least[truth[i]!]!) continue;
      least[truth[i]!] = squared[i]!;
      nearest[truth[i]!] = candidate;
    }
  }
  return listPairs(nearest, least);
}

function greedyPairs(lists: RangeLists, truthCount: number, order: Iterable<number>): MatchedPair[] {
  const candidateOf = new Int32Array(truthCount).fill(-1);
  const squared = new Float64Array(truthCount);
  for (const candidate of order) {
    const i = nearestFree(lists, candidate, (truth) => candidateOf[truth] === -1);
    if (i === -1) continue;
    candidateOf[lists.truth[i]!] = candidate;
    squared[lists.truth[i]!] = lists.squared[i]!;
  }
  return listPairs(candidateOf, squared);
}

/** Position in the lists of the nearest free truth of a candidate, −1 if it reaches none; ties take the lower index. */
export function nearestFree(
  { start, truth, squared }: RangeLists,
  candidate: number,
  isFree: (truth: number) => boolean,
): number {
  let best = -1;
  for (let i = start[candidate]!; i < start[candidate + 1]!; i++) {
    if (!isFree(truth[i]!)) continue;
    if (best === -1 || squared[i]! < squared[best]! || (squared[i] === squared[best] && truth[i]! < truth[best]!)) {
      best = i;
    }
  }
  return best;
}

function byDescendingScore(candidates: readonly Candidate[]): number[] {
  const scores = candidates.map(({ score = Number.NEGATIVE_INFINITY }, index) => {
    if (Number.isNaN(score)) {
      throw new CryoetPicksError('invalid-picks', `candidate ${index} has score NaN, which has no place in an order`);
    }
    return score;
  });
  // Not a difference: two infinite scores are equal.
  return [...scores.keys()].sort((a, b) => Number(scores[a]! < scores[b]!) - Number(scores[a]! > scores[b]!));
}

function optimalPairs({ start, truth, squared }: RangeLists, truthCount: number): MatchedPair[] {
  const right = Uint32Array.from(truth);
  const cost = Float64Array.from(squared, Math.sqrt);
  const maxCost = cost.reduce((a, b) => Math.max(a, b), 0);
  const truthOf = assign({ start, right, cost, rightCount: truthCount, maxCost });
  const candidateOf = new Int32Array(truthCount).fill(-1);
  const squaredOf = new Float64Array(truthCount);
  truthOf.forEach((reference, candidate) => {
    if (reference === -1) return;
    candidateOf[reference] = candidate;
    for (let i = start[candidate]!; i < start[candidate + 1]!; i++) {
      if (truth[i] === reference) squaredOf[reference] = squared[i]!;
    }
  });
  return listPairs(candidateOf, squaredOf);
}

function listPairs(candidateOf: Int32Array, squared: Float64Array): MatchedPair[] {
  const pairs: MatchedPair[] = [];
  candidateOf.forEach((candidate, truth) => {
    if (candidate !== -1) pairs.push({ truth, candidate, distance: Math.sqrt(squared[truth]!) });
  });
  return pairs;
}
