import {
  callback,
  numberPerObject,
  optional,
  optionalList,
  ownNumber,
  type PerObject,
  perObject,
  type Rule,
  type RulesFor,
  requireOptions,
} from '../core/arguments.ts';
import type { Calibration } from '../inference/calibration.ts';
import { type VoxelGrid, voxelCount } from '../space/grid.ts';
import {
  type Candidates,
  type PicksFromCandidatesOptions,
  pickingRules,
  picksFromCandidates,
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
  const { counts = () => true, ...given } = requireOptions(call, options, estimateRules);
  const { thresholds = {}, ...picking } = given;
  const counted = new Map<string, boolean[]>();
  for (const pick of picksFromCandidates(candidates, given)) {
    const own = counted.get(pick.object) ?? [];
    own.push(counts(pick));
    counted.set(pick.object, own);
  }
  const entries = gradedPicks(candidates, picking).map((graded): [string, FalsePicks] => {
    const { object } = graded;
    const own = counted.get(object) ?? [];
    const picks = own.filter(Boolean).length;
    if (graded.reason !== undefined) return [object, { picks, reason: graded.reason }];
    const { calibration, falseUpTo } = graded;
    const threshold = typeof thresholds === 'number' ? thresholds : ownNumber(thresholds, object);
    if ((threshold ?? candidates.thresholds[object]!) < calibration.floor) {
      return [object, { picks, reason: `its calibration is for scores of at least ${calibration.floor}` }];
    }
    const falsePicks =
      picks === own.length
        ? falseUpTo[picks]!
        : own.reduce((sum, isCounted, i) => (isCounted ? sum + falseUpTo[i + 1]! - falseUpTo[i]! : sum), 0);
    const interval = betaBinomialInterval(picks, falsePicks, calibration.concentration);
    if (!isTelling(interval, picks)) {
      return [object, { picks, reason: `the estimate is too wide, from ${interval[0]} to ${interval[1]} of ${picks}` }];
    }
    return [object, { picks, falsePicks, interval }];
  });
  return Object.fromEntries(entries);
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
  const { maxFalse, ...picking } = requireOptions(call, options, chooseRules);
  requireMaxFalse(candidates.objects, maxFalse, call);
  const entries = gradedPicks(candidates, picking).flatMap((graded): [string, number][] => {
    const share = typeof maxFalse === 'number' ? maxFalse : ownNumber(maxFalse, graded.object);
    return share === undefined || graded.reason !== undefined ? [] : [[graded.object, lowestThreshold(graded, share)]];
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
  objects: /* @__PURE__ */ optionalList('a list of objects { name }'),
  minDistances: /* @__PURE__ */ optional(perObject),
  mask: pickingRules.mask,
};
const estimateRules: RulesFor<EstimateFalsePicksOptions> = {
  ...objectsAndPlaces,
  thresholds: /* @__PURE__ */ optional(perObject),
  counts: /* @__PURE__ */ optional(callback),
};
const chooseRules: RulesFor<ChooseThresholdsOptions> = { ...objectsAndPlaces, maxFalse: perObject };

/** The picks of an object down to the floor of its calibration, best first. */
interface Graded {
  readonly object: string;
  readonly calibration: Calibration;
  readonly reason?: undefined;
  readonly scores: readonly number[];
  /** How many of the first n picks are false by estimate, from n = 0. */
  readonly falseUpTo: Float64Array;
}

/** An object of which it cannot be told how many picks are false. */
interface NotGraded {
  readonly object: string;
  readonly calibration?: undefined;
  readonly reason: string;
}

function gradedPicks(
  candidates: Candidates,
  { objects, minDistances = {}, mask }: Omit<EstimateFalsePicksOptions, 'thresholds' | 'counts'>,
): readonly (Graded | NotGraded)[] {
  const wanted = objects && new Set(objects.map(({ name }) => name));
  const judged = candidates.objects
    .filter((object) => wanted?.has(object) ?? true)
    .map((object) => ({ object, ...calibrationFor(object, candidates, minDistances) }));
  const told = judged.filter(({ calibration }) => calibration).map(({ object: name }) => ({ name }));
  const options = { objects: told, minDistances, thresholds: candidates.lowestThresholds };
  const pick = (within: PicksFromCandidatesOptions) =>
    told.length === 0
      ? new Map<string, readonly number[]>()
      : scoresByObject(picksFromCandidates(candidates, { ...options, ...within }));
  const everywhere = pick({});
  const inside = mask === undefined ? everywhere : pick({ mask });
  return judged.map((one): Graded | NotGraded => {
    if (one.reason !== undefined) return one;
    const { object, calibration } = one;
    const known = (scores: readonly number[] = []) => scores.filter((score) => score >= calibration.floor);
    const scores = known(inside.get(object));
    const terms = termsOf(known(everywhere.get(object)), candidates.grid, calibration);
    return { object, calibration, scores, falseUpTo: falseAmongFirst(scores, terms, calibration.weights) };
  });
}

type FittingCalibration =
  | { readonly calibration: Calibration; readonly reason?: undefined }
  | { readonly calibration?: undefined; readonly reason: string };

/** The calibration of an object, if it is for picks such as these. */
function calibrationFor(
  object: string,
  { calibration: all = {}, lowestThresholds, minDistances: usual }: Candidates,
  minDistances: PerObject,
): FittingCalibration {
  if (!Object.hasOwn(all, object)) return { reason: 'the model card has no calibration for it' };
  const calibration = all[object]!;
  const { floor, minDistance } = calibration;
  const lowest = lowestThresholds[object]!;
  if (lowest > floor)
    return { reason: `candidates are known down to ${lowest}; its calibration needs all down to ${floor}` };
  const given = typeof minDistances === 'number' ? minDistances : ownNumber(minDistances, object);
  const distance = given ?? usual[object]!;
  if (distance === minDistance) return { calibration };
  return { reason: `picks are ${distance} Å apart; its calibration is for ${minDistance} Å` };
}

/** The scores of each object, best first. */
function scoresByObject(picks: readonly ParticlePick[]): ReadonlyMap<string, readonly number[]> {
  const scores = new Map<string, number[]>();
  for (const { object, score } of picks) {
    const own = scores.get(object);
    if (own) own.push(score);
    else scores.set(object, [score]);
  }
  return scores;
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
  scores: readonly number[],
  { shape, voxelSize }: Pick<VoxelGrid, 'shape' | 'voxelSize'>,
  { sure, doubtful }: Pick<Calibration, 'sure' | 'doubtful'>,
): (score: number) => Terms {
  const volume = (voxelCount(shape) * voxelCount(voxelSize)) / CUBIC_MICROMETRE;
  const logDensity = (isCounted: (score: number) => boolean) =>
    Math.log((scores.filter(isCounted).length + 0.5) / volume);
  const ofTomogram = {
    constant: 1,
    sureDensity: logDensity((score) => score >= sure),
    doubtfulDensity: logDensity((score) => score < doubtful),
  };
  return (score) => ({
    ...ofTomogram,
    score: logit(score),
    sureScore: Math.max(0, logit(score) - logit(sure)),
  });
}

/** Where logits are cut: beyond, there is too little to fit. */
const LOGITS = [-6, 8] as const;

function logit(score: number): number {
  const cut = Math.min(1, Math.max(0, score));
  return Math.min(LOGITS[1], Math.max(LOGITS[0], Math.log(cut / (1 - cut))));
}

/** How many of the first n scores are false, from n = 0. */
function falseAmongFirst(
  scores: readonly number[],
  terms: (score: number) => Terms,
  weights: Calibration['weights'],
): Float64Array {
  const sums = new Float64Array(scores.length + 1);
  scores.forEach((score, i) => {
    const own = terms(score);
    const logOdds = (Object.keys(own) as (keyof Terms)[]).reduce((sum, name) => sum + weights[name] * own[name], 0);
    sums[i + 1] = sums[i]! + 1 / (1 + Math.exp(logOdds));
  });
  return sums;
}

function lowestThreshold({ scores, falseUpTo, calibration }: Graded, share: number): number {
  for (let count = scores.length; count > 0; count--) {
    // Equal scores go together.
    if (scores[count] === scores[count - 1]) continue;
    if (falseUpTo[count]! <= share * count) return scores[count - 1]!;
  }
  const [best] = scores;
  // Just above the best one, or, where there is none, as low as may be.
  return best === undefined ? calibration.floor : best + Math.max(Math.abs(best) * Number.EPSILON, Number.MIN_VALUE);
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
