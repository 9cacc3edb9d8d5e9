import type { ChosenThreshold } from '../detect/max-false.ts';
import { counted } from '../page/counted.ts';
import type { RunSummary } from './run-results.ts';
import { formatTable } from './terminal.ts';

/** Of how many runs the thresholds of `--max-false` are printed; `--json` has those of all. */
const MAX_SHOWN_RUNS = 4;

/** The thresholds that `--max-false` has chosen, those without it, and how many picks are false at each chosen one, by estimate. */
export function maxFalseLines(summaries: readonly Pick<RunSummary, 'run' | 'picks' | 'maxFalse'>[]): string[] {
  const runs = summaries.filter(({ maxFalse }) => maxFalse !== undefined);
  if (runs.length === 0) return [];
  const rows = runs.slice(0, MAX_SHOWN_RUNS).flatMap(({ run, picks, maxFalse = {} }) =>
    Object.entries(maxFalse).map(([object, chosen]) => {
      const kept = picks?.[object] ?? chosen.picks;
      const thresholds = [chosen.threshold, chosen.usualThreshold].map(shortThreshold);
      return [run, object, ...thresholds, kept, estimateOf(chosen, kept)];
    }),
  );
  const others = runs.length - MAX_SHOWN_RUNS;
  const more = others > 0 ? [`--json has the thresholds of the other ${counted(others, 'run')} too`] : [];
  const header = ['run', 'object', 'threshold', 'usually', 'picks', 'false by estimate, in nine cases of ten'];
  return [...formatTable({ header, rows }), ...more, ''];
}

/** The number with the fewest digits that gives the same picks as a threshold: no score, which is a float32, lies between the two. */
export function shortThreshold(threshold: number): number {
  const score = Math.fround(threshold);
  const size = Math.abs(score);
  const below = score < threshold ? score : Math.fround(score - size * 2 ** -24);
  const above = score < threshold ? Math.fround(score + size * 0.75 * 2 ** -23) : score;
  for (let digits = 1; digits <= 17; digits++) {
    const near = Number(threshold.toPrecision(digits));
    const unit = 10 ** (Math.floor(Math.log10(size)) + 1 - digits);
    const short = [near, near - unit, near + unit]
      .map((one) => Number(one.toPrecision(digits)))
      .find((one) => below < one && one <= above);
    if (short !== undefined) return short;
  }
  return threshold;
}

/** What is false of the picks at a threshold, of which a maximum number may be kept. */
function estimateOf({ picks, falsePicks, interval, reason }: ChosenThreshold, kept: number): string {
  if (falsePicks === undefined || interval === undefined) return `cannot be told: ${reason}`;
  if (picks === 0) return 'no pick is sure enough to be kept';
  const whole = kept === picks ? '' : ` of the ${picks} at this threshold`;
  return `about ${falsePicks.toFixed(1)}${whole}, from ${interval[0]} to ${interval[1]}`;
}
