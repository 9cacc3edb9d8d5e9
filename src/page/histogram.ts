import { counted } from './counted.ts';
import { element } from './element.ts';

/** Bars of a histogram. */
const BARS = 40;

/** The counts of scores between the lowest and the highest one, and these two; undefined without scores. */
export function histogramOf(
  scores: readonly number[],
): { readonly counts: readonly number[]; readonly low: number; readonly high: number } | undefined {
  if (scores.length === 0) return undefined;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const score of scores) {
    low = Math.min(low, score);
    high = Math.max(high, score);
  }
  const counts = new Array<number>(BARS).fill(0);
  const width = high - low || 1;
  for (const score of scores) counts[Math.min(BARS - 1, Math.floor(((score - low) / width) * BARS))]!++;
  return { counts, low, high };
}

/** A small histogram of scores, those that are kept in colour. */
export function histogramView(): {
  readonly root: HTMLCanvasElement;
  draw(scores: readonly number[], threshold: number, color: string): void;
} {
  const root = element('canvas', { width: 2 * 248, height: 2 * 22, className: 'histogram', role: 'img' });
  return {
    root,
    draw(scores, threshold, color) {
      const context = root.getContext('2d') as CanvasRenderingContext2D;
      context.clearRect(0, 0, root.width, root.height);
      const histogram = histogramOf(scores);
      root.setAttribute('aria-label', `Scores of ${counted(scores.length, 'pick')}`);
      if (histogram === undefined) return;
      const { counts, low, high } = histogram;
      // Roots, so that a few good picks show beside thousands of poor ones.
      const most = Math.sqrt(Math.max(...counts));
      const width = root.width / counts.length;
      counts.forEach((count, i) => {
        const height = (Math.sqrt(count) / most) * root.height;
        const middle = low + ((i + 0.5) / counts.length) * (high - low);
        context.fillStyle = middle >= threshold || low === high ? color : '#3a414d';
        context.fillRect(i * width, root.height - height, width - 1, height);
      });
    },
  };
}
