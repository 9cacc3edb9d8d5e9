/** What a head is worth, as far as can be told without a truth. */
export interface CutOff {
  /** Logit from which a peak is a pick. */
  readonly logit: number;
  /** The F-score at it. */
  readonly score: number;
  /** How many particles there are. */
  readonly particles: number;
}

/** Spread of logits that is assumed before any was seen, relative to their distance from usual peaks, and how many picks it counts as. */
const [USUAL_SPREAD, SPREAD_COUNTS] = [0.25, 1];

/** Shares of particles above a logit that say how many particles there are: above, picks are few; below, peaks may be anything. */
const [MIN_SHARE, MAX_SHARE] = [0.5, 0.95];

/** How far the mean of few picks may be from that of all particles, in standard errors: all of these are thought likely alike. */
const MEAN_ERRORS = [0, -2, 2] as const;

/**
 * Chooses the cut-off of a head by the picks that were left out when it was fitted, and by all peaks of its scores.
 *
 * A pick that was left out is a particle that the head does not know. So the share of these above a logit, taken as normally
 * distributed, is the share of all particles above it. Among the peaks above a logit there are at least the particles above it:
 * their number divided by the share, at the logit where that is lowest, is the number of all particles. Both together give the
 * F-score at each logit, without a truth. Few picks say little of the mean of all particles, so the F-score to expect is a mean over
 * three guesses of it; a single one would be too strict where the picks happen to be fainter or better than most.
 *
 * @param leftOut - Logits of the picks that were left out.
 * @param peaks - Logits of all peaks, in any order.
 * @param beta - Of the F-score: 1 if a false pick is as bad as a missed particle.
 */
export function chooseCutOff(leftOut: readonly number[], peaks: readonly number[], beta = 1): CutOff {
  const n = leftOut.length;
  const mean = leftOut.reduce((sum, one) => sum + one, 0) / n;
  const squares = leftOut.reduce((sum, one) => sum + (one - mean) ** 2, 0);
  const falling = [...peaks].sort((a, b) => b - a);
  const usual = USUAL_SPREAD * Math.max(1, mean - (falling[falling.length >> 1] ?? mean));
  const spread = Math.sqrt((squares + SPREAD_COUNTS * usual ** 2) / (n - 1 + SPREAD_COUNTS));
  const guesses = MEAN_ERRORS.map((errors): Guess => {
    const share = (logit: number) => normalAbove((logit - mean) / spread - errors / Math.sqrt(n));
    return { share, particles: particlesAmong(falling, share, n) };
  });
  const fScore = ({ share, particles }: Guess, logit: number, i: number) =>
    ((1 + beta ** 2) * Math.min(i + 1, particles * share(logit))) / (i + 1 + beta ** 2 * particles);
  const likeliest = guesses[0]!;
  let best = { logit: mean - 2 * spread, score: 0, mean: 0 };
  falling.forEach((logit, i) => {
    const average = guesses.reduce((sum, guess) => sum + fScore(guess, logit, i), 0) / guesses.length;
    if (average <= best.mean) return;
    // Halfway to the next peak, so that rounding decides nothing.
    best = { logit: (logit + (falling[i + 1] ?? logit)) / 2, score: fScore(likeliest, logit, i), mean: average };
  });
  return { logit: best.logit, score: best.score, particles: likeliest.particles };
}

/** What may be true of all particles. */
interface Guess {
  /** The share of them above a logit. */
  readonly share: (logit: number) => number;
  /** How many there are. */
  readonly particles: number;
}

/** How many particles there are, by the share of them above a logit: at least as many as were picked. */
function particlesAmong(falling: readonly number[], share: (logit: number) => number, picked: number): number {
  let particles = Number.POSITIVE_INFINITY;
  falling.forEach((logit, i) => {
    const above = share(logit);
    if (above >= MIN_SHARE && above <= MAX_SHARE) particles = Math.min(particles, (i + 1) / above);
  });
  // No peak is among the shares: there are as many as the picks.
  return Number.isFinite(particles) ? Math.max(picked, particles) : picked;
}

/** Share of a standard normal distribution above a value; right to 1e-7 (Abramowitz and Stegun, Handbook, 7.1.26). */
function normalAbove(value: number): number {
  const x = Math.abs(value) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = (poly * Math.exp(-x * x)) / 2;
  return value >= 0 ? tail : 1 - tail;
}
