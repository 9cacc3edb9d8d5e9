import type { Calibration } from 'cryoet-picks';
import { cziiVoxelSize } from 'cryoet-picks/simulate';
import { type Terms, termsOf } from '../../src/picks/false-picks.ts';
import type { LabelledTomogram } from './labels.ts';
import { solved } from './linear-equations.ts';

/** Lowest score of the picks that count: there are few true ones below, and a card with other thresholds has candidates down to here. */
const floor = 0.01;
/** The scores from which a pick is sure, and below which it is doubtful. */
const [sure, doubtful] = [0.88, 0.5];
/** Penalty on squared weights of terms in units of their deviation: little, where there are hundreds of picks. */
const penalty = 3;

/** Parts of the tomograms that choose: each part is predicted by a fit to the others. */
const folds = 8;

/** Thresholds at which numbers of false picks are compared. */
export const comparedThresholds: readonly number[] = [
  0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99,
];

/** The picks of a tomogram at a threshold: how many, how many false, and how many false by estimate. */
export interface Comparison {
  readonly tomogram: LabelledTomogram;
  readonly object: string;
  readonly threshold: number;
  readonly picks: number;
  readonly falsePicks: number;
  readonly estimate: number;
}

/** Fits the calibration of an object, and how well it predicts tomograms that it was not fitted to. */
export function fitCalibration(
  tomograms: readonly LabelledTomogram[],
  object: string,
  minDistance: number,
): { readonly calibration: Calibration; readonly comparisons: readonly Comparison[] } {
  const comparisons: Comparison[] = [];
  for (let fold = 0; fold < folds; fold++) {
    const weights = fitWeights(
      tomograms.filter((_, index) => index % folds !== fold),
      object,
    );
    for (const tomogram of tomograms.filter((_, index) => index % folds === fold)) {
      comparisons.push(...compare(tomogram, object, weights));
    }
  }
  const concentration = fitConcentration(comparisons);
  const weights = rounded(fitWeights(tomograms, object));
  return { calibration: { floor, minDistance, sure, doubtful, weights, concentration }, comparisons };
}

/** The numbers at all thresholds that leave any pick. */
export function compare(tomogram: LabelledTomogram, object: string, weights: Terms): Comparison[] {
  const rows = rowsOf(tomogram, object);
  return comparedThresholds.flatMap((threshold) => {
    const above = rows.filter(({ score }) => score >= threshold);
    if (above.length === 0) return [];
    const falsePicks = above.filter(({ isTrue }) => isTrue === 0).length;
    const estimate = above.reduce((sum, { terms }) => sum + 1 - probability(terms, weights), 0);
    return [{ tomogram, object, threshold, picks: above.length, falsePicks, estimate }];
  });
}

interface Row {
  readonly score: number;
  readonly isTrue: 0 | 1;
  readonly terms: Terms;
}

function rowsOf({ shape, objects }: LabelledTomogram, object: string): Row[] {
  const { scores: all, isTrue } = objects[object]!;
  const scores = all.filter((score) => score >= floor);
  const termsOfScore = termsOf(scores, { shape, voxelSize: cziiVoxelSize }, { sure, doubtful });
  // Best first, so the others are at the end.
  return scores.map((score, index) => ({ score, isTrue: isTrue[index]!, terms: termsOfScore(score) }));
}

const names = ['constant', 'score', 'sureScore', 'sureDensity', 'doubtfulDensity'] as const;

function probability(terms: Terms, weights: Terms): number {
  return 1 / (1 + Math.exp(-names.reduce((sum, name) => sum + weights[name] * terms[name], 0)));
}

/** Logistic regression of truth on the terms, by Newton's method. A higher score never makes a pick less likely true. */
function fitWeights(tomograms: readonly LabelledTomogram[], object: string): Terms {
  const rows = tomograms.flatMap((tomogram) => rowsOf(tomogram, object));
  const free = regression(rows, names);
  if (free.score >= 0 && free.score + free.sureScore >= 0) return free;
  return regression(
    rows,
    names.filter((name) => name !== 'sureScore'),
  );
}

function regression(rows: readonly Row[], used: readonly (keyof Terms)[]): Terms {
  const scale = used.map((name) => {
    const values = rows.map(({ terms }) => terms[name]);
    const mean = values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length);
    return name === 'constant' ? { mean: 0, deviation: 1 } : { mean, deviation: Math.sqrt(variance) || 1 };
  });
  const inputs = rows.map(({ terms }) => used.map((name, i) => (terms[name] - scale[i]!.mean) / scale[i]!.deviation));
  let weights = used.map(() => 0);
  for (let step = 0; step < 50; step++) {
    const gradient = weights.map((weight, i) => (used[i] === 'constant' ? 0 : penalty * weight));
    const curvature = used.map((name, i) => used.map((_, j) => (i === j ? (name === 'constant' ? 1e-6 : penalty) : 0)));
    inputs.forEach((x, row) => {
      const p = 1 / (1 + Math.exp(-x.reduce((sum, value, i) => sum + value * weights[i]!, 0)));
      for (let i = 0; i < x.length; i++) {
        gradient[i]! += (p - rows[row]!.isTrue) * x[i]!;
        for (let j = 0; j < x.length; j++) curvature[i]![j]! += p * (1 - p) * x[i]! * x[j]!;
      }
    });
    const change = solved(curvature, gradient);
    // Short steps at first, so that it does not jump over the minimum.
    const length = Math.min(1, 3 / Math.hypot(...change));
    weights = weights.map((weight, i) => weight - length * change[i]!);
    if (Math.hypot(...change) < 1e-9) break;
  }
  const unscaled = Object.fromEntries(used.map((name, i) => [name, weights[i]! / scale[i]!.deviation]));
  const shift = used.reduce((sum, _, i) => sum + (weights[i]! * scale[i]!.mean) / scale[i]!.deviation, 0);
  return { ...zero, ...unscaled, constant: unscaled.constant! - shift };
}

const zero: Terms = { constant: 0, score: 0, sureScore: 0, sureDensity: 0, doubtfulDensity: 0 };

/** The concentration of the beta-binomial distribution that explains the numbers of false picks best; each tomogram counts once. */
function fitConcentration(comparisons: readonly Comparison[]): number {
  const perTomogram = new Map<LabelledTomogram, number>();
  for (const { tomogram } of comparisons) perTomogram.set(tomogram, (perTomogram.get(tomogram) ?? 0) + 1);
  const choices = Array.from({ length: 49 }, (_, i) => 10 ** (i / 16));
  const fits = choices.map((concentration) =>
    comparisons.reduce((sum, one) => sum + logBetaBinomial(one, concentration) / perTomogram.get(one.tomogram)!, 0),
  );
  return Number(choices[fits.indexOf(Math.max(...fits))]!.toPrecision(3));
}

function logBetaBinomial({ picks, falsePicks, estimate }: Comparison, concentration: number): number {
  const share = Math.min(1 - 1e-6, Math.max(1e-6, estimate / picks));
  const [alpha, beta] = [share * concentration, (1 - share) * concentration];
  const rising = (start: number, count: number) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += Math.log(start + i);
    return sum;
  };
  // Without the binomial coefficient, which is the same for all.
  return rising(alpha, falsePicks) + rising(beta, picks - falsePicks) - rising(concentration, picks);
}

function rounded(weights: Terms): Terms {
  return Object.fromEntries(names.map((name) => [name, Number(weights[name].toFixed(4))])) as unknown as Terms;
}
