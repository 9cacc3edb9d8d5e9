import { type BenchRun, mediansOf } from './medians.ts';

/** One timing in two runs. */
export interface Difference {
  readonly name: string;
  /** Seconds before and after; absent where a run lacks the timing. */
  readonly before?: number | undefined;
  readonly after?: number | undefined;
  /** `after / before`, where there are both. */
  readonly ratio?: number | undefined;
  /** True if it takes more than {@link TOLERANCE} longer than before. */
  readonly worse: boolean;
}

/** Part of the time before that a timing may take longer. */
export const TOLERANCE = 0.05;

/** Options of {@link differences}. */
export interface DifferencesOptions {
  /** Timings that are never worse, only different: those of the peers. */
  readonly peers?: ReadonlySet<string> | undefined;
}

/** Every timing of two runs, by the medians of their rounds, in the order of the first and then of what only the second has. */
export function differences(
  before: BenchRun,
  after: BenchRun,
  { peers = new Set() }: DifferencesOptions = {},
): Difference[] {
  const [old, fresh] = [mediansOf(before), mediansOf(after)];
  return [...new Set([...old.keys(), ...fresh.keys()])].map((name) => {
    const [from, to] = [old.get(name)?.seconds, fresh.get(name)?.seconds];
    if (from === undefined || to === undefined) return { name, before: from, after: to, worse: false };
    return { name, before: from, after: to, ratio: to / from, worse: to > from * (1 + TOLERANCE) && !peers.has(name) };
  });
}

/** A line per timing; worse ones are marked. */
export function differenceLines(found: readonly Difference[]): string[] {
  const width = Math.max(0, ...found.map(({ name }) => name.length));
  const seconds = (value: number | undefined) => (value === undefined ? '–' : value.toFixed(3)).padStart(9);
  return found.map(({ name, before, after, ratio, worse }) => {
    const times = ratio === undefined ? '' : `  ${ratio.toFixed(2)} ×`;
    return `${name.padEnd(width)} ${seconds(before)} s ${seconds(after)} s${times}${worse ? '  worse' : ''}`;
  });
}
