/** Counts of one object: `tp + fp` candidates, `tp + fn` truths. */
export interface Counts {
  readonly tp: number;
  /** May be negative under official matching. */
  readonly fp: number;
  readonly fn: number;
}

/** Precision, recall and F-measure; each is 0 where it is not defined, and may exceed 1 where fp is negative. */
export interface Quality {
  readonly precision: number;
  readonly recall: number;
  readonly fbeta: number;
}

/**
 * Precision, recall and F-measure of counts, in the official order of operations to the last bit.
 *
 * @param beta - Recall counts β times as much as precision.
 */
export function qualityOf({ tp, fp, fn }: Counts, beta: number): Quality {
  const precision = tp + fp > 0 ? tp / (tp + fp) : 0;
  const recall = tp + fn > 0 ? tp / (tp + fn) : 0;
  // The product comes first and the sum divides last: another association changes the last digit.
  const fbeta =
    precision + recall > 0 ? ((1 + beta * beta) * (precision * recall)) / (beta * beta * precision + recall) : 0;
  return { precision, recall, fbeta };
}
