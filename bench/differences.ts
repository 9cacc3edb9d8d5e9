import { type BenchRun, type Medians, mediansOf } from './medians.ts';

/** The quantity that is compared: the time of a stage in seconds, or the peak memory of its process in bytes. */
export type Measure = 'seconds' | 'memory';

/** Time or peak memory of one stage in two runs. */
export interface Difference {
  readonly name: string;
  readonly measure: Measure;
  /** Absent where the run before lacks the stage. */
  readonly before?: number | undefined;
  /** Absent where the run after lacks the stage. */
  readonly after?: number | undefined;
  /** `after / before`, where there are both. */
  readonly ratio?: number | undefined;
  /** Difference of two runs of the same code, as a part of the lower value; absent where no such pair was given. */
  readonly spread?: number | undefined;
  /** Why the comparison fails. */
  readonly failure?: 'slower' | 'larger' | 'missing' | undefined;
}

/** By what part of the value before a stage may be worse. */
export const TOLERANCE = 0.05;

/** Options of {@link differences}. */
export interface DifferencesOptions {
  /** Timings that never fail: those of other programs. */
  readonly peers?: ReadonlySet<string> | undefined;
  /** Two runs of the same code: a stage fails only if it is worse by more than these two differ. */
  readonly sameCode?: readonly [BenchRun, BenchRun] | undefined;
}

/**
 * Compares two runs by the medians of their rounds: time and peak memory of each stage, in the order of the first run, then
 * what only the second has.
 *
 * A stage fails if only one run has it, or if it is slower or larger by more than {@link TOLERANCE} and by more than the
 * spread of two runs of the same code.
 */
export function differences(
  before: BenchRun,
  after: BenchRun,
  { peers = new Set(), sameCode }: DifferencesOptions = {},
): Difference[] {
  const [old, fresh] = [mediansOf(before), mediansOf(after)];
  const same = sameCode?.map(mediansOf);
  return [...new Set([...old.keys(), ...fresh.keys()])].flatMap((name): Difference[] => {
    const [from, to] = [old.get(name), fresh.get(name)];
    const mayFail = !peers.has(name);
    if (!from || !to) {
      const failure = mayFail ? 'missing' : undefined;
      return [{ name, measure: 'seconds', before: from?.seconds, after: to?.seconds, failure }];
    }
    // Files written by hand or by older versions may lack the memory.
    const measures: Measure[] = from.memory > 0 && to.memory > 0 ? ['seconds', 'memory'] : ['seconds'];
    return measures.map((measure) => {
      const spread = same && spreadOf(same.map((run) => run.get(name)?.[measure]));
      const worse = mayFail && to[measure] > from[measure] * (1 + Math.max(TOLERANCE, spread ?? 0));
      const failure = worse ? ({ seconds: 'slower', memory: 'larger' } as const)[measure] : undefined;
      return {
        name,
        measure,
        before: from[measure],
        after: to[measure],
        ratio: to[measure] / from[measure],
        spread,
        failure,
      };
    });
  });
}

/** Range of the values as a part of the lowest; `undefined` if one was not measured. */
function spreadOf(values: readonly (Medians[Measure] | undefined)[]): number | undefined {
  const measured = values.filter((value) => value !== undefined && value > 0) as number[];
  return measured.length < values.length ? undefined : Math.max(...measured) / Math.min(...measured) - 1;
}

/** A line for the time of each stage and one for its peak memory; failures are marked. */
export function differenceLines(found: readonly Difference[]): string[] {
  const width = Math.max(0, ...found.map(({ name }) => name.length));
  return found.map(({ name, measure, before, after, ratio, spread, failure }) => {
    const shown = measure === 'seconds' ? seconds : megabytes;
    const values = [before, after].map((value) => shown(value).padStart(13)).join('');
    const times = ratio === undefined ? '' : `  ${ratio.toFixed(2)} ×`;
    const noise = spread === undefined ? '' : `  ±${Math.round(100 * spread)} %`;
    return `${name.padEnd(width)}${values}${times}${noise}${failure ? `  ${failure}` : ''}`;
  });
}

const seconds = (value: number | undefined): string => `${value?.toFixed(3) ?? '–'} s`;
const megabytes = (value: number | undefined): string => `${value === undefined ? '–' : Math.round(value / 1e6)} MB`;
