import type { CalibrationCurve } from 'cryoet-picks';
import { scaleOf } from '../../src/tiles/calibration-curve.ts';
import type { Labelled } from '../false-picks/labels.ts';
import { solved } from '../false-picks/linear-equations.ts';

/** Scores at which a curve has a point. */
const knots = [0.02, 0.1, 0.5, 0.9, 0.98, 0.998] as const;
const places = knots.map(logit);

/** How much bends of a curve cost: from nearly free to a straight line. */
const penalties = [1, 10, 100, 1000] as const;

/** What a point far from its score costs: next to nothing, so that a curve exists where few picks tell. */
const ridge = 0.01;

interface Pick {
  readonly score: number;
  readonly isTrue: 0 | 1;
}

/** A curve of an object, and what it would say of tomograms that it does not know. */
export interface FittedCurve {
  readonly curve: CalibrationCurve;
  /** Each tomogram, with scores calibrated by a fit to the others. */
  readonly unseen: readonly Labelled[];
}

/**
 * Fits the curve of an object: a logistic regression of truth on the logit of the score, linear between the knots, with a penalty on its
 * bends. The penalty is the one by which each tomogram is predicted best from the others.
 *
 * @param tomograms - The picks of each, down to the first knot.
 * @returns Undefined for an object of which a higher score says nothing, or of which there is no true or no false pick.
 */
export function fitCurve(tomograms: readonly Labelled[]): FittedCurve | undefined {
  const picks = tomograms.map(({ scores, isTrue }) => scores.map((score, i): Pick => ({ score, isTrue: isTrue[i]! })));
  const all = picks.flat();
  if (new Set(all.map(({ isTrue }) => isTrue)).size < 2) return undefined;
  const fits = penalties.flatMap((penalty) => {
    const curve = curveOf(fittedLogits(all, penalty));
    if (!isRising(curve)) return [];
    const unseen = tomograms.map((tomogram, left) => {
      const others = curveOf(fittedLogits(picks.filter((_, i) => i !== left).flat(), penalty));
      return { ...tomogram, scores: tomogram.scores.map(scaleOf(others).calibrated) };
    });
    return [{ curve, unseen, logLikelihood: unseen.reduce((sum, one) => sum + logLikelihood(one), 0) }];
  });
  return fits.sort((a, b) => b.logLikelihood - a.logLikelihood)[0];
}

function logLikelihood({ scores, isTrue }: Labelled): number {
  const likelihoods = scores.map((score, i) => Math.max(1e-9, isTrue[i] === 1 ? score : 1 - score));
  return likelihoods.reduce((sum, likelihood) => sum + Math.log(likelihood), 0);
}

/** How much each knot counts for a score, and what a slope of 1 beyond the last one adds. */
function inputsOf(score: number): { readonly basis: readonly number[]; readonly beyond: number } {
  const first = places[0]!;
  const last = places.at(-1)!;
  // Where float32 rounds to 1, the logit would be infinite.
  const x = logit(Math.min(score, 1 - 1e-7));
  const inside = Math.min(last, Math.max(first, x));
  const after = Math.max(
    1,
    places.findIndex((place) => place >= inside),
  );
  const part = (inside - places[after - 1]!) / (places[after]! - places[after - 1]!);
  const basis = places.map((_, i) => (i === after - 1 ? 1 - part : i === after ? part : 0));
  return { basis, beyond: x - inside };
}

/** The logits of the shares at the knots, by Newton's method. */
function fittedLogits(picks: readonly Pick[], penalty: number): readonly number[] {
  const inputs = picks.map(({ score, isTrue }) => ({ ...inputsOf(score), isTrue }));
  const bends = places.slice(2).map((place, i) => {
    const [a, b] = [places[i]!, places[i + 1]!];
    const row = places.map(() => 0);
    row[i] = 1 / (b - a);
    row[i + 1] = -1 / (b - a) - 1 / (place - b);
    row[i + 2] = 1 / (place - b);
    return row;
  });
  let shares: readonly number[] = places;
  for (let step = 0; step < 100; step++) {
    const gradient = shares.map((share, i) => ridge * (share - places[i]!));
    const curvature = shares.map((_, i) => shares.map((__, j) => (i === j ? ridge : 0)));
    const add = (row: readonly number[], slope: number, weight: number) => {
      for (let i = 0; i < row.length; i++) {
        if (row[i] === 0) continue;
        gradient[i]! += slope * row[i]!;
        for (let j = 0; j < row.length; j++) curvature[i]![j]! += weight * row[i]! * row[j]!;
      }
    };
    for (const bend of bends) add(bend, penalty * dot(bend, shares), penalty);
    for (const { basis, beyond, isTrue } of inputs) {
      const p = 1 / (1 + Math.exp(-beyond - dot(basis, shares)));
      add(basis, p - isTrue, p * (1 - p));
    }
    const change = solved(curvature, gradient);
    // Short steps at first, so that it does not jump over the minimum.
    const length = Math.min(1, 3 / Math.hypot(...change));
    shares = shares.map((share, i) => share - length * change[i]!);
    if (Math.hypot(...change) < 1e-9) break;
  }
  return shares;
}

function curveOf(shares: readonly number[]): CalibrationCurve {
  return knots.map((score, i) => [score, Number((1 / (1 + Math.exp(-shares[i]!))).toPrecision(6))] as const);
}

function isRising(curve: CalibrationCurve): boolean {
  return curve.every(([, share], i) => share > (curve[i - 1]?.[1] ?? 0) && share < 1);
}

/** How far calibrated scores are from the share of true picks: the mean over ten bins of scores, each weighted by its picks. */
export interface CalibrationError {
  readonly picks: number;
  readonly error: number;
  /** What it would be by chance, were each score the probability that its pick is true. */
  readonly byChance: number;
}

const bins = 10;

/** The calibration error of picks of one object; undefined if there are none. */
export function calibrationError({ scores, isTrue }: Omit<Labelled, 'truth'>): CalibrationError | undefined {
  const picks = scores.length;
  if (picks === 0) return undefined;
  const sums = Array.from({ length: bins }, () => ({ scores: 0, hits: 0, variance: 0 }));
  scores.forEach((score, i) => {
    const bin = sums[Math.min(bins - 1, Math.floor(bins * score))]!;
    bin.scores += score;
    bin.hits += isTrue[i]!;
    bin.variance += score * (1 - score);
  });
  const error = sums.reduce((sum, bin) => sum + Math.abs(bin.scores - bin.hits), 0) / picks;
  const byChance = sums.reduce((sum, { variance }) => sum + Math.sqrt((2 / Math.PI) * variance), 0) / picks;
  return { picks, error, byChance };
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

function logit(share: number): number {
  return Math.log(share / (1 - share));
}
