/** Samples of a regression: features and what they are of. */
export interface Samples {
  /** `[sample, feature]`, C-order. */
  readonly values: Float64Array;
  /** 1 for samples of the object, 0 for others. */
  readonly labels: Float64Array;
  /** How much each counts. */
  readonly weights: Float64Array;
  readonly featureCount: number;
}

/** A linear function: one coefficient per feature, then the constant. */
export type Coefficients = Float64Array;

/** Weight of the penalty on coefficients of features of standard deviation 1, where the samples of each class count 1 together. */
const RIDGE = 1e-3;

/** The smallest share of a step that is tried, and the relative gain below which the fit is done. */
const [MIN_SHARE, PRECISION] = [1e-3, 1e-9];

/**
 * Fits the logit of a label as a linear function of features, with a ridge penalty: Newton's method on the logistic loss. The loss is
 * convex and the penalty bounds it, so that few samples, which a plane parts, have an answer, too.
 *
 * @param start - Where to start. @defaultValue the least squares of labels −1 and 1: with a ridge, Fisher's discriminant
 */
export function fitLogistic(samples: Samples, start?: Coefficients, maxSteps = 20): Coefficients {
  let coefficients = start?.slice() ?? leastSquares(samples);
  let loss = lossOf(samples, coefficients);
  for (let i = 0; i < maxSteps; i++) {
    const step = newtonStep(samples, slopeOfLoss, coefficients);
    let share = 1;
    let next = coefficients;
    let nextLoss = Number.POSITIVE_INFINITY;
    // Where the loss is nearly flat, a whole step leads too far.
    for (; share > MIN_SHARE && !(nextLoss <= loss); share /= 2) {
      next = coefficients.map((one, k) => one - share * step[k]);
      nextLoss = lossOf(samples, next);
    }
    if (!(nextLoss <= loss)) break;
    const isDone = loss - nextLoss <= PRECISION * loss;
    [coefficients, loss] = [next, nextLoss];
    if (isDone) break;
  }
  return coefficients;
}

/** The logistic loss of all samples with the penalty, which the fit makes as small as can be. */
function lossOf({ values, labels, weights, featureCount }: Samples, coefficients: Coefficients): number {
  let loss = 0;
  for (let k = 0; k < featureCount; k++) loss += (RIDGE / 2) * coefficients[k] ** 2;
  for (let row = 0; row < labels.length; row++) {
    if (weights[row] === 0) continue;
    const logit = logitOf(values, row, featureCount, coefficients);
    const wrong = labels[row] === 1 ? -logit : logit;
    loss += weights[row] * (wrong > 0 ? wrong + Math.log1p(Math.exp(-wrong)) : Math.log1p(Math.exp(wrong)));
  }
  return loss;
}

function leastSquares(samples: Samples): Coefficients {
  const zero = new Float64Array(samples.featureCount + 1);
  return newtonStep(samples, (_, label) => [2 * label - 1, 1], zero);
}

/** The value of a linear function for a sample. */
export function logitOf(values: Float64Array, row: number, featureCount: number, coefficients: Coefficients): number {
  let logit = coefficients[featureCount];
  for (let k = 0; k < featureCount; k++) logit += coefficients[k] * values[row * featureCount + k];
  return logit;
}

/** First and second derivative of a sample's loss by its logit; the second is positive. */
type Derivatives = (logit: number, label: number) => readonly [slope: number, curvature: number];

const slopeOfLoss: Derivatives = (logit, label) => {
  const p = 1 / (1 + Math.exp(-logit));
  return [p - label, p * (1 - p)];
};

/** The inverse of the Hessian times the gradient. */
function newtonStep(
  { values, labels, weights, featureCount: n }: Samples,
  derivatives: Derivatives,
  at: Coefficients,
): Float64Array {
  const width = n + 1;
  const hessian = new Float64Array(width * width);
  const gradient = new Float64Array(width);
  for (let row = 0; row < labels.length; row++) {
    const weight = weights[row];
    if (weight === 0) continue;
    const [slope, curvature] = derivatives(logitOf(values, row, n, at), labels[row]);
    const [g, h] = [weight * slope, weight * curvature];
    const base = row * n;
    for (let i = 0; i <= n; i++) {
      const a = i === n ? 1 : values[base + i];
      gradient[i] += g * a;
      const scaled = h * a;
      for (let j = 0; j <= i; j++) hessian[i * width + j] += scaled * (j === n ? 1 : values[base + j]);
    }
  }
  for (let i = 0; i < n; i++) {
    gradient[i] += RIDGE * at[i];
    hessian[i * width + i] += RIDGE;
  }
  hessian[width * width - 1] += 1e-9;
  return solveSymmetric(hessian, gradient);
}

/** Solves A x = b by Cholesky's decomposition, in place of both. A is positive definite; its lower triangle is read. */
function solveSymmetric(a: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j];
      for (let k = 0; k < j; k++) sum -= a[i * n + k] * a[j * n + k];
      a[i * n + j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / a[j * n + j];
    }
  }
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
  return b;
}
