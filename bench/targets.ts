import type { Medians } from './medians.ts';

/** A script of this library or of other tools, which runs in a process of its own. */
export type Script = readonly [file: string, ...args: string[]];

/** Scripts that do the same work: ours and the peers'. */
export interface Stage {
  readonly name: string;
  readonly scripts: readonly Script[];
}

export const stages: readonly Stage[] = [
  { name: 'reading', scripts: [['stages/reading.ts'], ['stages/zarrita.ts'], ['peers/reading.py']] },
  { name: 'intensity', scripts: [['stages/intensity.ts'], ['peers/intensity.py']] },
  { name: 'local-maxima', scripts: [['stages/local-maxima.ts'], ['peers/local_maxima.py']] },
  { name: 'components', scripts: [['stages/components.ts'], ['peers/components.py']] },
  { name: 'splitting', scripts: [['stages/splitting.ts'], ['peers/splitting.py']] },
  { name: 'metric', scripts: [['stages/metric.ts'], ['peers/metric.py']] },
  { name: 'suppression', scripts: [['stages/suppression.ts'], ['peers/suppression.py']] },
  { name: 'detect', scripts: [['stages/detect.ts'], ['stages/bare.ts'], ['peers/detect.py'], ['stages/flips.ts']] },
  { name: 'memory', scripts: [['stages/memory.ts'], ['stages/memory.ts', '4']] },
  { name: 'growth', scripts: [['stages/growth.ts']] },
];

/** Two timings, and the minimum ratio of their speeds. */
export interface Comparison {
  readonly ours: string;
  readonly peer: string;
  /** Minimum of peer time / our time; absent where there is no target. */
  readonly atLeast?: number | undefined;
  /** Our work as a multiple of the peer's. @defaultValue 1 */
  readonly times?: number | undefined;
}

const monai = 'zarr + MONAI + onnxruntime + scikit-image';

export const comparisons: readonly Comparison[] = [
  ...['lz4-64', 'lz4-128', 'lz4-256'].flatMap((store) => [
    { ours: `openTomogram ${store}`, peer: `zarr-python ${store}`, atLeast: 1 },
    { ours: `openTomogram ${store}`, peer: `zarrita ${store}`, atLeast: 4 },
  ]),
  { ours: 'openTomogram sharded', peer: 'zarr-python sharded', atLeast: 1 },
  { ours: 'openTomogram sharded', peer: 'zarrita sharded' },
  { ours: 'measureIntensity', peer: 'numpy' },
  { ours: 'localMaxima', peer: 'peak_local_max', atLeast: 15 },
  { ours: 'localMaxima', peer: 'maximum_filter', atLeast: 12 },
  { ours: 'localMaxima', peer: 'plain sum', atLeast: 1 / 3 },
  ...['0.1', '1', '10'].map((part) => ({ ours: `connectedComponents ${part} %`, peer: `cc3d ${part} %`, atLeast: 1 })),
  { ours: 'splitTouching 1 %', peer: 'scipy + scikit-image 1 %', atLeast: 5 },
  { ours: 'scoreTables, 50 tomograms', peer: 'pandas + scipy', atLeast: 20 },
  { ours: 'scoreTables, 500 tomograms', peer: 'pandas + scipy', atLeast: 20, times: 10 },
  { ours: 'suppressNearby', peer: 'cKDTree greedy loop', atLeast: 10 },
  { ours: 'detectParticles', peer: 'bare session.run', atLeast: 1 / 1.05 },
  { ours: 'detectParticles', peer: monai, atLeast: 1.3 },
];

/** Timings of the peers: our code cannot make them slower or faster. */
export const peers: ReadonlySet<string> = new Set(comparisons.map(({ peer }) => peer));

/** A measured number with an upper and perhaps a lower bound. */
export interface Limit {
  readonly what: string;
  /** Names of the timings that it is computed from. */
  readonly of: readonly string[];
  readonly value: (...of: readonly Medians[]) => number;
  readonly show: (value: number) => string;
  readonly atLeast?: number | undefined;
  readonly atMost: number;
}

const MB = 1e6;
const megabytes = (value: number) => `${Math.round(value / MB)} MB`;
const ratio = (value: number) => value.toFixed(2);

export const limits: readonly Limit[] = [
  {
    what: `\`detectParticles\`, peak memory to that of ${monai}`,
    of: ['detectParticles', monai],
    value: (ours, peer) => ours!.memory / peer!.memory,
    show: ratio,
    atMost: 1 / 3,
  },
  {
    what: '`detectParticles`, longest stall of the event loop after one run to warm up',
    of: ['detectParticles'],
    value: (ours) => ours!.stall,
    show: (value) => `${Math.round(value)} ms`,
    atMost: 50,
  },
  {
    what: '`detectParticles` of four mirror images (`withFlips` along y and x), time to that without',
    of: ['detectParticles', 'four mirror images'],
    value: (one, four) => four!.seconds / one!.seconds,
    show: ratio,
    atMost: 4.2,
  },
  {
    what: '`detectParticles` of four mirror images, longest stall of the event loop',
    of: ['four mirror images'],
    value: (ours) => ours!.stall,
    show: (value) => `${Math.round(value)} ms`,
    atMost: 50,
  },
  {
    what: '7 classes at stride 1, tiles of 96³: peak memory to what was predicted',
    of: ['memory, volume ×1'],
    value: (ours) => ours!.memory / ours!.predicted,
    show: ratio,
    atLeast: 0.85,
    atMost: 1.15,
  },
  {
    what: 'the same: peak memory',
    of: ['memory, volume ×1'],
    value: (ours) => ours!.memory,
    show: megabytes,
    atMost: 900 * MB,
  },
  {
    what: 'the same of a volume 4 times as long: peak memory to that of the first',
    of: ['memory, volume ×1', 'memory, volume ×4'],
    value: (first, long) => long!.memory / first!.memory,
    show: ratio,
    atMost: 1.05,
  },
];

/** Two timings of the same kind of work; the second does `times` as much of it. */
export interface Growth {
  readonly from: string;
  readonly to: string;
  readonly times: number;
}

export const growths: readonly Growth[] = [
  ...['reading', 'localMaxima', 'connectedComponents'].flatMap((work) =>
    [2, 4].map((times) => ({ from: `${work}, volume ×1`, to: `${work}, volume ×${times}`, times })),
  ),
  { from: 'localMaxima, classes ×1', to: 'localMaxima, classes ×2', times: 2 },
  { from: 'suppressNearby, candidates ×1', to: 'suppressNearby, candidates ×10', times: 10 },
  { from: 'scoreTables, 50 tomograms', to: 'scoreTables, 500 tomograms', times: 10 },
];
