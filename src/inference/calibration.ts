import { finiteNumber, isFields, isRight, type Rule } from '../core/arguments.ts';

/**
 * What the scores of an object's picks say about how many of them are true: a logistic regression that was fitted to picks whose
 * truth is known. `estimateFalsePicks` uses it.
 *
 * The natural logarithm of the odds that a pick with the score s is true is the sum of
 *
 * - `constant`;
 * - `score` · logit(s), where logit(s) = ln(s / (1 − s)), cut to −6 … 8;
 * - `sureScore` · the part of logit(s) above logit(`sure`);
 * - `sureDensity` · ln((n + ½) / V), where n counts the picks of the tomogram with a score ≥ `sure`, and V is its volume in µm³;
 * - `doubtfulDensity` · ln((n + ½) / V), where n counts those with a score < `doubtful`.
 *
 * The densities stand for how common the object is in the tomogram, and what resembles it.
 */
export interface Calibration {
  /** Lowest score of the picks that it was fitted to; all candidates down to here must be known. */
  readonly floor: number;
  /** Minimum distance of these picks, in Å. */
  readonly minDistance: number;
  /** Score from which a pick counts as sure. */
  readonly sure: number;
  /** Score below which a pick counts as doubtful. */
  readonly doubtful: number;
  readonly weights: {
    readonly constant: number;
    readonly score: number;
    readonly sureScore: number;
    readonly sureDensity: number;
    readonly doubtfulDensity: number;
  };
  /**
   * How well the share of false picks is known: the number of false picks follows a beta-binomial distribution with
   * α + β = `concentration`. The larger it is, the less tomograms differ from each other.
   */
  readonly concentration: number;
}

const share: Rule = {
  expected: 'a score above 0 and below 1',
  isValid: (value) => typeof value === 'number' && value > 0 && value < 1,
};
const positive: Rule = {
  expected: 'a finite number above 0',
  isValid: (value) => Number.isFinite(value) && (value as number) > 0,
};
const notNegative: Rule = {
  expected: 'a length ≥ 0 in Å',
  isValid: (value) => Number.isFinite(value) && (value as number) >= 0,
};

/** What a calibration must be. */
export const calibrationRule: Rule = {
  expected: 'a calibration { floor, minDistance, sure, doubtful, weights, concentration }',
  isValid: isFields,
  fields: {
    floor: share,
    minDistance: notNegative,
    sure: share,
    doubtful: share,
    weights: {
      expected: 'weights { constant, score, sureScore, sureDensity, doubtfulDensity }',
      isValid: isFields,
      fields: {
        constant: finiteNumber,
        score: finiteNumber,
        sureScore: finiteNumber,
        sureDensity: finiteNumber,
        doubtfulDensity: finiteNumber,
      },
    },
    concentration: positive,
  },
};

/** What calibrations by object must be. */
export const calibrationsRule: Rule = {
  expected: `calibrations by object name, each ${calibrationRule.expected.replace(/^a calibration /, '')}`,
  isValid: (value) => isFields(value) && Object.values(value).every((one) => isRight(one, calibrationRule)),
};
