import {
  callback,
  fieldsOf,
  numberPerObject,
  optional,
  optionalList,
  ownNumber,
  type PerObject,
  perObject,
  type Rule,
  type RulesFor,
  requireOptions,
  text,
} from '../core/arguments.ts';
import type { Calibration } from '../inference/calibration.ts';
import { thresholdsRule } from '../inference/thresholds.ts';
import { formatZyx, type VoxelGrid, voxelCount } from '../space/grid.ts';
import {
  bestFirst,
  type Candidates,
  candidatesApart,
  type Picking,
  type PicksFromCandidatesOptions,
  pickingOf,
  pickingRules,
  pickOf,
  requireCandidates,
  requireKnown,
} from './candidates.ts';
import type { ParticlePick } from './pick.ts';

/** Options of {@link estimateFalsePicks}, as {@link picksFromCandidates} has them. */
export interface EstimateFalsePicksOptions
  extends Pick<PicksFromCandidatesOptions, 'objects' | 'thresholds' | 'minDistances' | 'mask'> {
  /** True for a pick to count, such as one that nobody has looked at. @defaultValue all */
  readonly counts?: ((pick: ParticlePick) => boolean) | undefined;
}

/** How many picks of an object there are, and how many of them are false by estimate. */
export interface FalsePicks {
  readonly picks: number;
  /** Not a whole number; undefined if it cannot be told. */
  readonly falsePicks?: number | undefined;
  /** Whole numbers between which the number of false picks lies in nine cases of ten; undefined if it cannot be told. */
  readonly interval?: readonly [low: number, high: number] | undefined;
  /** Why it cannot be told. */
  readonly reason?: string | undefined;
}

/**
 * Estimates how many picks at a threshold are false, without knowing the truth: from the scores of all candidates and the
 * {@link Calibration} of the model card.
 *
 * The calibration gives each pick a probability to be true, which depends on its score and on how densely sure and doubtful picks
 * lie in the tomogram. The estimate is the sum of one minus these probabilities, the interval that of a beta-binomial distribution.
 * Picks are counted after suppression, as a person sees them, and before `acrossObjects` and `max`.
 *
 * It holds for tomograms like those that the calibration was fitted to. It cannot be told for an object without a calibration; where
 * candidates, threshold or minimum distance are others than the calibration is for; and where the interval holds both a fifth of the
 * picks and four fifths of them.
 *
 * @returns An entry for each object that is picked.
 * @throws {@link CryoetPicksError} `invalid-option` as {@link picksFromCandidates}.
 *
 * @example
 * ```ts
 * const candidates = await detectCandidates(tomogram, { model });
 * const { ribosome } = estimateFalsePicks(candidates, { thresholds: { ribosome: 0.9 } });
 * console.log(ribosome?.picks, ribosome?.falsePicks, ribosome?.interval); // 31, 2.6, [0, 6]
 * ```
 */
export function estimateFalsePicks(
  candidates: Candidates,
  options: EstimateFalsePicksOptions = {},
): Readonly<Record<string, FalsePicks>> {
  const call = 'estimateFalsePicks';
  requireCandidates(candidates, call);
  const { counts, ...asked } = requireOptions(call, options, estimateRules);
  const picking = pickingOf(candidates, asked);
  const isCounted = counts && ((index: number) => counts(pickOf(candidates, index)));
  const entries = gradedPicks(candidates, picking).map((graded): [string, FalsePicks] => {
    const { object } = graded;
    return [object, estimateOf(graded, picking.thresholds[object]!, isCounted)];
  });
  return Object.fromEntries(entries);
}

/** What is false of the picks of an object at a threshold, and of these, of those that count. */
function estimateOf(graded: Graded, threshold: number, isCounted?: (index: number) => boolean): FalsePicks {
  const reaching = countReaching(graded, threshold);
  const counted = isCounted && Array.from(graded.members.subarray(0, reaching), isCounted);
  const picks = counted?.filter(Boolean).length ?? reaching;
  const { calibration, falseUpTo } = graded;
  if (calibration === undefined) return { picks, reason: graded.reason };
  if (threshold < calibration.floor) {
    return { picks, reason: `${calibrationOf(graded.object)} starts at a score of ${calibration.floor}` };
  }
  const falsePicks =
    picks === reaching
      ? falseUpTo[picks]!
      : counted!.reduce((sum, isIn, i) => (isIn ? sum + falseUpTo[i + 1]! - falseUpTo[i]! : sum), 0);
  const interval = betaBinomialInterval(picks, falsePicks, calibration.concentration);
  if (isTelling(interval, picks)) return { picks, falsePicks, interval };
  return { picks, reason: `anything from ${interval[0]} to ${interval[1]} of ${picks} is possible` };
}

/** How many scores, best first, reach a threshold. */
function countReaching({ scores }: Pick<Graded, 'scores'>, threshold: number): number {
  let [low, high] = [0, scores.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (scores[middle]! >= threshold) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** An interval that holds a fifth of the picks and four fifths of them tells nothing. */
function isTelling([low, high]: readonly [number, number], picks: number): boolean {
  return picks === 0 || low > picks / 5 || high < (4 * picks) / 5;
}

/** Options of {@link chooseThresholds}. */
export interface ChooseThresholdsOptions extends Omit<EstimateFalsePicksOptions, 'thresholds' | 'counts'> {
  /** Maximum share of the picks of an object that are false: one for all objects, or a record of those that have one. */
  readonly maxFalse: PerObject;
}

/**
 * Chooses for each object the lowest threshold at which no larger share of its picks is false than allowed, as
 * {@link estimateFalsePicks} estimates it. Where even the best pick is false more likely than that, the threshold lies above all.
 *
 * @returns Thresholds for {@link picksFromCandidates}. An object of which it cannot be told is left out.
 * @throws {@link CryoetPicksError} `invalid-option` as {@link picksFromCandidates}, or if a share is not from 0 to 1 or of an object
 *   that the candidates do not have.
 *
 * @example
 * ```ts
 * const candidates = await detectCandidates(tomogram, { model });
 * const thresholds = chooseThresholds(candidates, { maxFalse: 0.2 });
 * const picks = picksFromCandidates(candidates, { thresholds });
 * ```
 */
export function chooseThresholds(
  candidates: Candidates,
  options: ChooseThresholdsOptions,
): Readonly<Record<string, number>> {
  const call = 'chooseThresholds';
  requireCandidates(candidates, call);
  const checked = requireOptions(call, options, chooseRules);
  requireMaxFalse(candidates.objects, checked.maxFalse, call);
  const chosen = Object.entries(chooseWithEstimates(candidates, checked));
  return Object.fromEntries(
    chosen.flatMap(([object, { threshold }]) => (threshold === undefined ? [] : [[object, threshold]])),
  );
}

/** A threshold, unless none can be told, and what is false of the picks at it, or else at the usual one. */
export interface ThresholdWithEstimate extends FalsePicks {
  readonly threshold?: number | undefined;
}

/** As {@link chooseThresholds}, with the estimates, of each object that has a maximum share. */
export function chooseWithEstimates(
  candidates: Candidates,
  { maxFalse, ...asked }: ChooseThresholdsOptions & Pick<EstimateFalsePicksOptions, 'thresholds'>,
): Readonly<Record<string, ThresholdWithEstimate>> {
  const picking = pickingOf(candidates, asked);
  const entries = gradedPicks(candidates, picking).flatMap((graded): [string, ThresholdWithEstimate][] => {
    const { object } = graded;
    const share = typeof maxFalse === 'number' ? maxFalse : ownNumber(maxFalse, object);
    if (share === undefined) return [];
    const threshold = graded.calibration && lowestThreshold(graded, share);
    return [[object, { threshold, ...estimateOf(graded, threshold ?? picking.thresholds[object]!) }]];
  });
  return Object.fromEntries(entries);
}

/** @throws {@link CryoetPicksError} `invalid-option` if a share is not from 0 to 1, or belongs to an object that is not looked for. */
export function requireMaxFalse(objects: readonly string[], maxFalse: PerObject, call: string): void {
  requireKnown(objects, { option: 'maxFalse', value: maxFalse, call });
  numberPerObject('maxFalse', maxFalse, shareRule, call);
}

const shareRule: Rule = {
  expected: 'a share from 0 to 1',
  isValid: (value) => typeof value === 'number' && value >= 0 && value <= 1,
};

const objectsAndPlaces = {
  objects: /* @__PURE__ */ optionalList(
    'a list of objects { name }',
    /* @__PURE__ */ fieldsOf('an object { name }', { name: text }),
  ),
  minDistances: /* @__PURE__ */ optional(perObject),
  mask: pickingRules.mask,
};
const estimateRules: RulesFor<EstimateFalsePicksOptions> = {
  ...objectsAndPlaces,
  thresholds: /* @__PURE__ */ optional(thresholdsRule),
  counts: /* @__PURE__ */ optional(callback),
};
const chooseRules: RulesFor<ChooseThresholdsOptions> = { ...objectsAndPlaces, maxFalse: perObject };

interface PicksOfObject {
  readonly object: string;
  /** Candidates that are picks, by their indices, best first: all that are known, or those at the threshold if nothing can be told. */
  readonly members: Uint32Array;
  /** Of each of them. */
  readonly scores: Float64Array;
}

/** An object with a calibration that fits. */
interface Told extends PicksOfObject {
  readonly calibration: Calibration;
  readonly reason?: undefined;
  /** How many of the first n picks are false by estimate, from n = 0, down to the floor of the calibration. */
  readonly falseUpTo: Float64Array;
}

/** An object of which it cannot be told how many picks are false. */
interface Untold extends PicksOfObject {
  readonly calibration?: undefined;
  readonly falseUpTo?: undefined;
  readonly reason: string;
}

type Graded = Told | Untold;

/** The picks of each object, graded. Those at a higher threshold are the first ones: a pick is suppressed by better ones only. */
function gradedPicks(candidates: Candidates, picking: Picking): readonly Graded[] {
  const { names, thresholds, mask } = picking;
  const judged = names.map((object) => ({ object, ...calibrationFor(object, candidates, picking) }));
  const known = judged.map(({ object, calibration }): [string, number] => [
    object,
    calibration ? candidates.lowestThresholds[object]! : thresholds[object]!,
  ]);
  const all = { ...picking, thresholds: Object.fromEntries(known) };
  const inside = candidatesApart(candidates, all);
  const everywhere = mask === undefined ? inside : candidatesApart(candidates, { ...all, mask: undefined });
  return judged.map((one): Graded => {
    const { object, calibration } = one;
    const members = bestFirst(candidates, inside.get(object)!);
    const own = { object, members, scores: scoresOf(candidates, members) };
    if (calibration === undefined) return { ...own, reason: one.reason };
    const count = countReaching(own, calibration.floor);
    const ofTomogram = scoresOf(candidates, everywhere.get(object)!).filter((score) => score >= calibration.floor);
    const terms = termsOf(ofTomogram, candidates.grid, calibration);
    return {
      ...own,
      calibration,
      falseUpTo: falseAmongFirst(own.scores.subarray(0, count), terms, calibration.weights),
    };
  });
}

function scoresOf({ scores }: Candidates, members: Uint32Array): Float64Array {
  const own = new Float64Array(members.length);
  for (let i = 0; i < own.length; i++) own[i] = scores[members[i]!]!;
  return own;
}

type FittingCalibration =
  | { readonly calibration: Calibration; readonly reason?: undefined }
  | { readonly calibration?: undefined; readonly reason: string };

/** The calibration of an object, if it is for picks such as these. */
function calibrationFor(
  object: string,
  { calibration: all = {}, lowestThresholds, grid: { shape } }: Candidates,
  { minDistances }: Picking,
): FittingCalibration {
  if (!Object.hasOwn(all, object)) return { reason: `the model card has no calibration of ${object}` };
  if (shape.includes(0)) return { reason: `the tomogram has no voxels (${formatZyx(shape)})` };
  const calibration = all[object]!;
  const { floor, minDistance } = calibration;
  const lowest = lowestThresholds[object]!;
  if (lowest > floor) {
    const known = `candidates are known down to a score of ${lowest} only`;
    return { reason: `${known}, and ${calibrationOf(object)} needs all down to ${floor}` };
  }
  const distance = minDistances[object]!;
  if (distance === minDistance) return { calibration };
  return {
    reason: `picks are at least ${distance} Å apart, and ${calibrationOf(object)} is for ${minDistance} Å`,
  };
}

function calibrationOf(object: string): string {
  return `the model's calibration of ${object}`;
}

/** Å³ in a µm³. */
const CUBIC_MICROMETRE = 1e12;

/** What the weights of a calibration are for. */
export type Terms = Calibration['weights'];

/**
 * The terms of a score, whose sum, each times its weight, is the log odds that the pick is true.
 *
 * @param scores - Of all picks of the tomogram down to the floor of the calibration.
 */
export function termsOf(
  scores: Iterable<number>,
  { shape, voxelSize }: Pick<VoxelGrid, 'shape' | 'voxelSize'>,
  { sure, doubtful }: Pick<Calibration, 'sure' | 'doubtful'>,
): (score: number) => Terms {
  const volume = (voxelCount(shape) * voxelCount(voxelSize)) / CUBIC_MICROMETRE;
  const logDensity = (count: number) => Math.log((count + 0.5) / volume);
  const counts = { sure: 0, doubtful: 0 };
  for (const score of scores) {
    if (score >= sure) counts.sure++;
    if (score < doubtful) counts.doubtful++;
  }
  const sureDensity = logDensity(counts.sure);
  const doubtfulDensity = logDensity(counts.doubtful);
  const ofSure = logit(sure);
  return (score) => {
    const own = logit(score);
    return { constant: 1, score: own, sureScore: Math.max(0, own - ofSure), sureDensity, doubtfulDensity };
  };
}

/** Where logits are cut: beyond, there is too little to fit. */
const LOGITS = [-6, 8] as const;

function logit(score: number): number {
  const cut = Math.min(1, Math.max(0, score));
  return Math.min(LOGITS[1], Math.max(LOGITS[0], Math.log(cut / (1 - cut))));
}

/** How many of the first n scores are false, from n = 0. */
function falseAmongFirst(
  scores: Float64Array,
  terms: (score: number) => Terms,
  weights: Calibration['weights'],
): Float64Array {
  const sums = new Float64Array(scores.length + 1);
  for (let i = 0; i < scores.length; i++) {
    const { constant, score, sureScore, sureDensity, doubtfulDensity } = terms(scores[i]!);
    const logOdds =
      weights.constant * constant +
      weights.sureDensity * sureDensity +
      weights.doubtfulDensity * doubtfulDensity +
      weights.score * score +
      weights.sureScore * sureScore;
    sums[i + 1] = sums[i]! + 1 / (1 + Math.exp(logOdds));
  }
  return sums;
}

function lowestThreshold({ scores, falseUpTo, calibration }: Told, share: number): number {
  for (let count = falseUpTo.length - 1; count > 0; count--) {
    // Equal scores go together.
    if (scores[count] === scores[count - 1]) continue;
    if (falseUpTo[count]! <= share * count) return scores[count - 1]!;
  }
  // Just above the best one, or, without picks, as low as may be.
  const best = scores[0]!;
  return falseUpTo.length === 1
    ? calibration.floor
    : best + Math.max(Math.abs(best) * Number.EPSILON, Number.MIN_VALUE);
}

/** The share of the distribution on either side of an interval. */
const TAIL = 0.05;

/** The 5 % and 95 % quantiles of a beta-binomial distribution of `count` with the mean `mean` and α + β = `concentration`. */
function betaBinomialInterval(count: number, mean: number, concentration: number): readonly [number, number] {
  if (count === 0) return [0, 0];
  const share = Math.min(1 - 1e-12, Math.max(1e-12, mean / count));
  const [alpha, beta] = [share * concentration, (1 - share) * concentration];
  // From one number to the next by their ratio, in logarithms, since the ends may be tiny.
  const logs = new Float64Array(count + 1);
  for (let k = 0; k < count; k++) {
    logs[k + 1] = logs[k]! + Math.log(((count - k) * (k + alpha)) / ((k + 1) * (count - k - 1 + beta)));
  }
  const most = logs.reduce((a, b) => Math.max(a, b));
  const weights = logs.map((log) => Math.exp(log - most));
  const total = weights.reduce((a, b) => a + b);
  const quantile = (part: number): number => {
    let sum = 0;
    for (let k = 0; k < count; k++) {
      sum += weights[k]!;
      if (sum >= part * total) return k;
    }
    return count;
  };
  return [quantile(TAIL), quantile(1 - TAIL)];
}
