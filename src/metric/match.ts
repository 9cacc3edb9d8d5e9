import { describeValue, finiteLength, isPoint, points, requireArgument, requireOptions } from '../core/arguments.ts';
import { CryoetPicksError, type ErrorCode } from '../core/errors.ts';
import type { Point } from '../space/grid.ts';
import { type Matching, matchingRule } from './rules.ts';

/** A candidate position in Å; the score orders greedy matching, a missing one comes last. */
export interface Candidate extends Point {
  readonly score?: number | undefined;
}

/** Options of {@link matchPicks}. */
export interface MatchOptions {
  /** Largest distance of a match, inclusive, in Å. */
  readonly radius: number;
  /** @defaultValue `'official'` */
  readonly matching?: Matching | undefined;
}

/** One truth and the candidate matched to it. */
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
 * - `hungarian`: one to one; as many pairs as possible, and among those the pairs with the smallest sum of distances.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for a coordinate that is not finite while both sides are non-empty
 * (as the official metric does), or a NaN score under greedy matching; `invalid-option` for a bad radius or matching.
 *
 * @example
 * ```ts
 * const places = truth.map(({ position }) => position);
 * const candidates = picks.map(({ position, score }) => ({ ...position, score }));
 * const { tp, fp, fn } = matchPicks(places, candidates, { radius: 75, matching: 'hungarian' });
 * ```
 */
export function matchPicks(
  truth: readonly Point[],
  candidates: readonly Candidate[],
  options: MatchOptions,
): MatchResult {
  requireArgument('matchPicks', 'truth', truth, points);
  requireArgument('matchPicks', 'candidates', candidates, points);
  const rules = { radius: finiteLength, matching: matchingRule };
  const { radius, matching = 'official' } = requireOptions('matchPicks', options, rules);
  return matchNamed(truth, candidates, {
    ...{ radius, matching, code: 'invalid-picks' },
    nameOf: (side, index) => `${side === 'truth' ? 'truth' : 'candidate'} ${index}`,
  });
}

/** Options of {@link matchNamed}. */
export interface MatchNamedOptions extends MatchOptions {
  /** Code of the error for a coordinate that is not finite. */
  readonly code: ErrorCode;
  /** How its message names the point. */
  readonly nameOf: (side: 'truth' | 'candidates', index: number) => string;
}

/** {@link matchPicks} of checked options, with errors of the caller's. */
export function matchNamed(
  truth: readonly Point[],
  candidates: readonly Candidate[],
  { radius, matching = 'official', code, nameOf }: MatchNamedOptions,
): MatchResult {
  // As the official metric: nothing reaches an empty truth or comes of no candidates, so no distance is taken.
  if (truth.length === 0 || candidates.length === 0) {
    return { tp: 0, fp: truth.length === 0 ? candidates.length : 0, fn: truth.length, pairs: [] };
  }
  const references = finitePlaces(truth, code, (index) => nameOf('truth', index));
  const places = finitePlaces(candidates, code, (index) => nameOf('candidates', index));
  const lists = truthsInRange(references, places, radius);
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
  const smallest = new Float64Array(truthCount).fill(Number.POSITIVE_INFINITY);
  for (let candidate = 0; candidate + 1 < start.length; candidate++) {
    for (let i = start[candidate]!; i < start[candidate + 1]!; i++) {
      if (squared[i]! >= smallest[truth[i]!]!) continue;
      smallest[truth[i]!] = squared[i]!;
      nearest[truth[i]!] = candidate;
    }
  }
  return listPairs(nearest, smallest);
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
    if (typeof score !== 'number' || Number.isNaN(score)) {
      const found = `candidate ${index} has score ${describeValue(score)}, which has no place in an order`;
      throw new CryoetPicksError('invalid-picks', found);
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

/** Which truths each candidate reaches: those of candidate c lie at `start[c] … start[c + 1] − 1` of the two lists. */
export interface RangeLists {
  readonly start: Uint32Array;
  /** Indices into the truth. */
  readonly truth: readonly number[];
  /** Squared distances in Å². */
  readonly squared: readonly number[];
}

/**
 * Lists, for each candidate, every truth at most `radius` away, inclusive.
 *
 * Squared distances are compared with the squared radius, both in doubles, summed x, y, z: the comparison of scipy's
 * k-d tree, to the last bit. Truths are sorted along x and a window of them is looked at, so crowded tables stay fast.
 *
 * @param truth - x, y, z of each truth, one after the other; finite. So are the candidates.
 * @param radius - In Å, not negative.
 */
export function truthsInRange(truth: Float64Array, candidates: Float64Array, radius: number): RangeLists {
  const order = Uint32Array.from({ length: truth.length / 3 }, (_, index) => index).sort(
    (a, b) => truth[3 * a]! - truth[3 * b]! || a - b,
  );
  const xs = Float64Array.from(order, (index) => truth[3 * index]!);
  // Slightly wide: a rounded square may equal the rounded limit where the distance itself exceeds the radius.
  const reach = radius * (1 + 1e-9) + 1e-150;
  const limit = radius * radius;
  const count = candidates.length / 3;
  const start = new Uint32Array(count + 1);
  const found: number[] = [];
  const squared: number[] = [];
  for (let c = 0; c < count; c++) {
    const x = candidates[3 * c]!;
    const y = candidates[3 * c + 1]!;
    const z = candidates[3 * c + 2]!;
    for (let i = firstWithin(xs, x, reach); i < xs.length && xs[i]! - x <= reach; i++) {
      const at = 3 * order[i]!;
      const dx = truth[at]! - x;
      const dy = truth[at + 1]! - y;
      const dz = truth[at + 2]! - z;
      const d2 = dx * dx + dy * dy + dz * dz;
      if (d2 > limit) continue;
      found.push(order[i]!);
      squared.push(d2);
    }
    start[c + 1] = found.length;
  }
  return { start, truth: found, squared };
}

/** First index of ascending `xs` that is not below `x` by more than `reach`. */
function firstWithin(xs: Float64Array, x: number, reach: number): number {
  let low = 0;
  let high = xs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (xs[middle]! - x < -reach) low = middle + 1;
    else high = middle;
  }
  return low;
}

const nowhere: Partial<Point> = {};

/**
 * The coordinates x, y, z of points, one after the other, each read once.
 *
 * @param what - How the message names one point, given its index.
 * @throws {@link CryoetPicksError} of the given code if one is not finite.
 */
export function finitePlaces(points: readonly Point[], code: ErrorCode, what: (index: number) => string): Float64Array {
  const places = new Float64Array(3 * points.length);
  for (let index = 0; index < points.length; index++) {
    const given = points[index];
    const { x, y, z } = given ?? nowhere;
    if (Number.isFinite(x) && Number.isFinite(y) && Number.isFinite(z)) {
      places[3 * index] = x!;
      places[3 * index + 1] = y!;
      places[3 * index + 2] = z!;
      continue;
    }
    if (!isPoint(given)) {
      const expected = 'expected a point { x, y, z } in Å';
      throw new CryoetPicksError(code, `${what(index)} is ${describeValue(given)}; ${expected}`);
    }
    throw new CryoetPicksError(code, `${what(index)} is at (${x}, ${y}, ${z}) Å; expected finite coordinates`);
  }
  return places;
}

/** A sparse bipartite graph: the edges of left vertex i lie at `start[i] … start[i + 1] − 1` of the two lists. */
export interface SparseCosts {
  readonly start: Uint32Array;
  readonly right: Uint32Array;
  /** Not negative, at most `maxCost`. */
  readonly cost: Float64Array;
  readonly rightCount: number;
  readonly maxCost: number;
}

/**
 * Pairs left with right vertices one to one: as many pairs as the edges allow, and among those the pairs with the smallest total cost.
 *
 * Shortest augmenting paths with potentials (Jonker and Volgenant, Computing 38, 1987) over the edges alone: a search
 * never leaves the connected component it starts in. To stay single costs more than any rearrangement could save.
 *
 * @returns The right vertex of each left vertex, −1 for one left alone.
 */
function assign(graph: SparseCosts): Int32Array {
  const leftCount = graph.start.length - 1;
  const search = newSearch(graph, leftCount);
  for (let row = 0; row < leftCount; row++) augmentFrom(row, graph, search);
  return search.rightOf;
}

/** State of the searches: the matching, the potentials, and scratch that is valid for the vertices in `reached`. */
interface Search {
  readonly rightOf: Int32Array;
  readonly leftOf: Int32Array;
  readonly leftPotential: Float64Array;
  readonly rightPotential: Float64Array;
  readonly singleCost: number;
  readonly distance: Float64Array;
  readonly from: Int32Array;
  readonly settled: Uint8Array;
  /** Right vertices with a finite distance, in order of discovery. */
  readonly reached: number[];
}

function newSearch({ rightCount, maxCost }: SparseCosts, leftCount: number): Search {
  return {
    rightOf: new Int32Array(leftCount).fill(-1),
    leftOf: new Int32Array(rightCount).fill(-1),
    leftPotential: new Float64Array(leftCount),
    rightPotential: new Float64Array(rightCount),
    singleCost: (Math.min(leftCount, rightCount) + 1) * maxCost + 1,
    distance: new Float64Array(rightCount).fill(Number.POSITIVE_INFINITY),
    from: new Int32Array(rightCount),
    settled: new Uint8Array(rightCount),
    reached: [],
  };
}

/** One Dijkstra search from an unpaired left vertex, to a free right vertex or to a left vertex better left single. */
function augmentFrom(root: number, graph: SparseCosts, search: Search): void {
  const { leftOf, leftPotential, singleCost, distance, settled } = search;
  let left = root;
  let travelled = 0;
  let single = root;
  let singleDistance = Number.POSITIVE_INFINITY;
  let end = -1;
  for (;;) {
    const toSingle = travelled + singleCost - leftPotential[left]!;
    if (toSingle < singleDistance) {
      singleDistance = toSingle;
      single = left;
    }
    relaxEdges(left, travelled, graph, search);
    const next = nearestUnsettled(search);
    if (next === -1 || distance[next]! >= singleDistance) break;
    travelled = distance[next]!;
    if (leftOf[next] === -1) {
      end = next;
      break;
    }
    settled[next] = 1;
    left = leftOf[next]!;
  }
  const length = end === -1 ? singleDistance : travelled;
  updatePotentials(root, length, search);
  flipPath(root, end === -1 ? single : -1, end, search);
  forget(search);
}

function relaxEdges(left: number, travelled: number, { start, right, cost }: SparseCosts, search: Search): void {
  const { leftPotential, rightPotential, distance, from, settled, reached } = search;
  for (let edge = start[left]!; edge < start[left + 1]!; edge++) {
    const vertex = right[edge]!;
    if (settled[vertex]) continue;
    const along = travelled + (cost[edge]! - leftPotential[left]! - rightPotential[vertex]!);
    if (along >= distance[vertex]!) continue;
    if (distance[vertex] === Number.POSITIVE_INFINITY) reached.push(vertex);
    distance[vertex] = along;
    from[vertex] = left;
  }
}

function nearestUnsettled({ reached, settled, distance, leftOf }: Search): number {
  let best = -1;
  for (const vertex of reached) {
    if (settled[vertex]) continue;
    if (best !== -1 && distance[vertex]! > distance[best]!) continue;
    if (best === -1 || distance[vertex]! < distance[best]! || (leftOf[vertex] === -1 && leftOf[best] !== -1)) {
      best = vertex;
    }
  }
  return best;
}

/** Keeps every reduced cost of the next searches non-negative. */
function updatePotentials(root: number, length: number, search: Search): void {
  const { leftOf, leftPotential, rightPotential, distance, settled, reached } = search;
  leftPotential[root]! += length;
  for (const vertex of reached) {
    if (!settled[vertex]) continue;
    const slack = length - distance[vertex]!;
    rightPotential[vertex]! -= slack;
    leftPotential[leftOf[vertex]!]! += slack;
  }
}

/** Swaps paired and unpaired edges along the path that ends at right vertex `end`, or at left vertex `single`. */
function flipPath(root: number, single: number, end: number, { rightOf, leftOf, from }: Search): void {
  let vertex = end;
  if (single !== -1) {
    if (single === root) return;
    vertex = rightOf[single]!;
    rightOf[single] = -1;
  }
  for (;;) {
    const left = from[vertex]!;
    const previous = rightOf[left]!;
    rightOf[left] = vertex;
    leftOf[vertex] = left;
    if (left === root) return;
    vertex = previous;
  }
}

function forget({ reached, distance, settled }: Search): void {
  for (const vertex of reached) {
    distance[vertex] = Number.POSITIVE_INFINITY;
    settled[vertex] = 0;
  }
  reached.length = 0;
}
