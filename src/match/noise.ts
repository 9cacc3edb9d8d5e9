/**
 * How many peaks a search finds of noise. It is told by the peaks of the same search in a piece of noise: of the highest of them, the
 * squares of Fisher's transforms, atanh(score), lie above the lowest as an exponential distribution, since scores in noise are about
 * normal.
 */
export interface ScoreNoise {
  /** Fisher's transforms of the highest peaks of the piece, falling. */
  readonly highest: readonly number[];
  /** Mean of their squares, above that of the lowest. */
  readonly excess: number;
  /** How much larger the tomogram is than the piece. */
  readonly scale: number;
}

/** The highest peaks by which the distribution is fitted; of a piece that has fewer than three times as many, a third. */
const PEAKS = 60;

/**
 * Fits the distribution of the peaks of a piece of noise.
 *
 * @param scores - Of all its peaks, or of the best of them.
 * @param scale - How much larger the tomogram is.
 */
export function noiseOf(scores: readonly number[], scale: number): ScoreNoise {
  const all = scores.map(transformed).sort((a, b) => b - a);
  const highest = all.slice(0, Math.min(PEAKS, Math.ceil(all.length / 3)));
  const least = (highest.at(-1) ?? 0) ** 2;
  // The lowest itself is above nothing, and does not count.
  const excess = highest.reduce((sum, value) => sum + value * value - least, 0) / Math.max(1, highest.length - 1);
  return { highest, excess, scale };
}

/** The number of peaks of noise that are expected to reach a score. */
export function expectedFalse({ highest, excess, scale }: ScoreNoise, score: number): number {
  const value = transformed(score);
  const least = highest.at(-1) ?? Number.POSITIVE_INFINITY;
  if (!(value > least)) return scale * highest.length;
  return excess > 0 ? scale * highest.length * Math.exp((least * least - value * value) / excess) : 0;
}

/** The score that so many are expected to reach; the lowest that can be told, if more of them reach that. */
export function scoreOfExpected({ highest, excess, scale }: ScoreNoise, expected: number): number {
  const least = highest.at(-1) ?? 0;
  const above = excess * Math.log((scale * highest.length) / expected);
  return Math.tanh(Math.sqrt(least * least + Math.max(0, above)));
}

/** Fisher's transform; a score is rounded, and may be a little more than 1. */
function transformed(score: number): number {
  return Math.atanh(Math.max(-HIGHEST, Math.min(HIGHEST, score)));
}

const HIGHEST = 1 - 1e-9;
