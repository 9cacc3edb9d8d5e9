import { isFields, isRight, type Rule } from '../core/arguments.ts';

/**
 * What the scores of an object are worth: points `[score, share]`, where `share` is how many of the picks with this score are true,
 * measured on tomograms whose truth is known. Both rise from point to point, above 0 and below 1.
 *
 * Between two points the curve is linear in the logits, ln(p / (1 − p)), of both; before the first and after the last one it goes on with
 * slope 1, so that 0 stays 0 and 1 stays 1. Scores below 0 and above 1 stay as they are. The order of scores is never turned.
 */
export type CalibrationCurve = readonly (readonly [score: number, share: number])[];

/** Curves by object name; scores of an object without one are taken as they are. */
export type CalibrationCurves = Readonly<Record<string, CalibrationCurve>>;

const isShare = (value: unknown) => typeof value === 'number' && value > 0 && value < 1;

/** Whether each point lies above the one before, in both. */
export function isRising(curve: CalibrationCurve): boolean {
  return curve.every(([score, share], i) => i === 0 || (score > curve[i - 1]![0] && share > curve[i - 1]![1]));
}

/** What a curve must be. */
const curveRule: Rule = {
  expected: 'a list of points [score, share], both above 0, below 1 and rising',
  isValid: (value) =>
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((point) => Array.isArray(point) && point.length === 2 && point.every(isShare)) &&
    isRising(value as unknown as CalibrationCurve),
};

/** What curves by object must be. */
export const curvesRule: Rule = {
  expected: `calibration curves by object name, each ${curveRule.expected}`,
  isValid: (value) => isFields(value) && Object.values(value).every((one) => isRight(one, curveRule)),
};

/** From the scores of a score map to calibrated ones, and back. */
export interface ScoreScale {
  /** The share of true picks among those with a score, as float32, like the scores of a score map. */
  readonly calibrated: (score: number) => number;
  /** The lowest float32 score whose calibrated score reaches a threshold: exactly those from here on do. */
  readonly raw: (threshold: number) => number;
}

/** The scale of a curve that was checked; without one, scores stay as they are. */
export function scaleOf(curve: CalibrationCurve | undefined): ScoreScale {
  if (curve === undefined) return { calibrated: (score) => score, raw: (threshold) => threshold };
  const points = curve.map(([score, share]): Logits => [logit(score), logit(share)]);
  const calibrated = (score: number) => {
    if (!(score > 0 && score < 1)) return score;
    return Math.fround(1 / (1 + Math.exp(-logitAt(points, logit(score)))));
  };
  return { calibrated, raw: (threshold) => lowestReaching(calibrated, threshold) };
}

type Logits = readonly [score: number, share: number];

function logitAt(points: readonly Logits[], score: number): number {
  const next = points.findIndex(([x]) => x >= score);
  const [x1, y1] = points.at(next)!;
  if (next <= 0) return y1 + score - x1;
  const [x0, y0] = points[next - 1]!;
  return y0 + ((y1 - y0) * (score - x0)) / (x1 - x0);
}

function logit(share: number): number {
  return Math.log(share / (1 - share));
}

/** The lowest float32 score from 0 to 1 whose calibrated score reaches a threshold. */
function lowestReaching(calibrated: ScoreScale['calibrated'], threshold: number): number {
  if (!(threshold > 0 && threshold <= 1)) return threshold;
  // Numbers from 0 to 1 are ordered as the integers of the same bits.
  const bits = new Uint32Array(1);
  const scores = new Float32Array(bits.buffer);
  scores[0] = 1;
  let [below, reaching] = [0, bits[0]!];
  while (reaching - below > 1) {
    bits[0] = (below + reaching) >>> 1;
    if (calibrated(scores[0]!) >= threshold) reaching = bits[0]!;
    else below = bits[0]!;
  }
  bits[0] = reaching;
  return scores[0]!;
}
