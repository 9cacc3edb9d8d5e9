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
const RIDGE = 3e-3;

/**
 * A sample of less curvature is left out of the Hessian, as most of the background: all of it together is less than the penalty. It counts
 * in the gradient, so that the fit ends where it would.
 */
const FLAT = 1e-3;

/** The smallest share of a step that is tried, and the relative gain below which the fit is done. */
const [MIN_SHARE, PRECISION] = [1e-3, 1e-12];

/** How {@link fitLogistic} goes on from a fit of nearly the same samples. */
export interface LogisticOptions {
  /** @defaultValue the least squares of labels −1 and 1: with a ridge, Fisher's discriminant */
  readonly start?: Coefficients | undefined;
  /** @defaultValue 20 */
  readonly maxSteps?: number | undefined;
  /** Whether the Hessian of the first step serves all steps, which are then cheap, but more. @defaultValue false */
  readonly oneHessian?: boolean | undefined;
}

/**
 * Fits the logit of a label as a linear function of features, with a ridge penalty: Newton's method on the logistic loss. The loss is
 * convex and the penalty bounds it, so that few samples, which a plane parts, have an answer, too.
 */
export function fitLogistic(samples: Samples, options: LogisticOptions = {}): Coefficients {
  const { start, maxSteps = 20, oneHessian = false } = options;
  let coefficients = start?.slice() ?? leastSquares(samples);
  let loss = lossOf(samples, coefficients);
  let factor: Float64Array | undefined;
  for (let i = 0; i < maxSteps; i++) {
    const slope = derivativesAt(samples, coefficients, { withHessian: factor === undefined });
    factor ??= factorOf(slope.hessian!);
    const step = solved(factor, slope.gradient);
    if (!oneHessian) factor = undefined;
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
  const { gradient, hessian } = derivativesAt(samples, zero, { squares: true });
  return solved(factorOf(hessian!), gradient);
}

/** The value of a linear function for a sample. */
export function logitOf(values: Float64Array, row: number, featureCount: number, coefficients: Coefficients): number {
  let logit = coefficients[featureCount];
  for (let k = 0; k < featureCount; k++) logit += coefficients[k] * values[row * featureCount + k];
  return logit;
}

interface DerivativeOptions {
  readonly withHessian?: boolean;
  /** Whether the loss is that of least squares, half of the square of what is missing to 1 or −1. */
  readonly squares?: boolean;
}

/** Gradient and Hessian of the loss and the penalty; of the Hessian, the lower triangle. */
function derivativesAt(
  { values, labels, weights, featureCount: n }: Samples,
  at: Coefficients,
  { withHessian = true, squares = false }: DerivativeOptions,
): { readonly gradient: Float64Array; readonly hessian: Float64Array | undefined } {
  const width = n + 1;
  const gradient = new Float64Array(width);
  const hessian = withHessian ? new Float64Array(width * width) : undefined;
  for (let row = 0; row < labels.length; row++) {
    const weight = weights[row];
    if (weight === 0) continue;
    const logit = logitOf(values, row, n, at);
    const p = 1 / (1 + Math.exp(-logit));
    const slope = squares ? logit - (2 * labels[row] - 1) : p - labels[row];
    const curvature = squares ? 1 : p * (1 - p);
    const [g, h] = [weight * slope, weight * curvature];
    const base = row * n;
    for (let i = 0; i < n; i++) gradient[i] += g * values[base + i];
    gradient[n] += g;
    if (hessian === undefined) continue;
    hessian[width * width - 1] += h;
    if (curvature < FLAT) continue;
    for (let i = 0; i <= n; i++) {
      const scaled = i === n ? h : h * values[base + i];
      for (let j = 0; j <= i && j < n; j++) hessian[i * width + j] += scaled * values[base + j];
    }
  }
  for (let i = 0; i < n; i++) gradient[i] += RIDGE * at[i];
  if (hessian !== undefined) {
    for (let i = 0; i < n; i++) hessian[i * width + i] += RIDGE;
    hessian[width * width - 1] += 1e-9;
  }
  return { gradient, hessian };
}

/** Cholesky's factor of a positive definite matrix, of which the lower triangle is read, in its place. */
function factorOf(a: Float64Array): Float64Array {
  const n = Math.sqrt(a.length);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j];
      for (let k = 0; k < j; k++) sum -= a[i * n + k] * a[j * n + k];
      a[i * n + j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / a[j * n + j];
    }
  }
  return a;
}

/** Solves L Lᵀ x = b, in place of b. */
function solved(a: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
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
