import { median, type Timing } from './measure.ts';

/** What `npm run bench -- --json FILE` writes: every timing of every round. */
export interface BenchRun {
  readonly machine: Machine;
  readonly timings: Readonly<Record<string, readonly Timing[]>>;
}

/** The machine and the commit that were measured. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  /** Load of the machine before the first round. */
  readonly load: number;
  readonly commit: string;
  readonly rounds: number;
}

/** Medians of the rounds of one timing. */
export interface Medians {
  readonly seconds: number;
  /** Seconds of processor time. */
  readonly cpu: number;
  /** Bytes. */
  readonly memory: number;
  /** Bytes; 0 where nothing was predicted. */
  readonly predicted: number;
  /** The longest stall of any round, in milliseconds. */
  readonly stall: number;
}

/** Medians of each timing, by name. */
export function mediansOf({ timings }: BenchRun): Map<string, Medians> {
  return new Map(
    Object.entries(timings).map(([name, rounds]) => [
      name,
      {
        seconds: median(rounds.map(({ seconds }) => seconds)),
        cpu: median(rounds.map(({ cpu }) => cpu)),
        memory: median(rounds.map(({ memory }) => memory)),
        predicted: median(rounds.map(({ predicted = 0 }) => predicted)),
        stall: Math.max(...rounds.map(({ stall }) => stall?.longest ?? 0)),
      },
    ]),
  );
}
