/** A stage: a script of this library, and one that does the same work with the Python tools that people use. */
export interface Stage {
  readonly name: string;
  readonly ours: string;
  /** Each set of arguments is a process of its own. */
  readonly args?: readonly (readonly string[])[];
  readonly peer?: string;
}

export const stages: readonly Stage[] = [
  { name: 'reading', ours: 'reading.ts', peer: 'reading.py' },
  { name: 'local-maxima', ours: 'local-maxima.ts', peer: 'local_maxima.py' },
  { name: 'components', ours: 'components.ts', peer: 'components.py' },
  { name: 'splitting', ours: 'splitting.ts', peer: 'splitting.py' },
  { name: 'metric', ours: 'metric.ts', peer: 'metric.py' },
  { name: 'suppression', ours: 'suppression.ts', peer: 'suppression.py' },
  { name: 'detect', ours: 'detect.ts', args: [[], ['bare']], peer: 'detect.py' },
];

/** Two timings, and how many times as fast the first must be. */
export interface Comparison {
  readonly ours: string;
  readonly peer: string;
  readonly atLeast: number;
}

export const comparisons: readonly Comparison[] = [
  ...['lz4-64', 'lz4-128', 'lz4-256'].flatMap((store) => [
    { ours: `openTomogram ${store}`, peer: `zarr-python ${store}`, atLeast: 1 },
    { ours: `openTomogram ${store}`, peer: `zarrita ${store}`, atLeast: 4 },
  ]),
  { ours: 'openTomogram sharded', peer: 'zarr-python sharded', atLeast: 1 },
  { ours: 'localMaxima', peer: 'peak_local_max', atLeast: 15 },
  { ours: 'localMaxima', peer: 'maximum_filter', atLeast: 12 },
  { ours: 'localMaxima', peer: 'plain sum', atLeast: 1 / 3 },
  ...['0.1', '1', '10'].map((part) => ({ ours: `connectedComponents ${part} %`, peer: `cc3d ${part} %`, atLeast: 1 })),
  { ours: 'splitTouching 1 %', peer: 'scipy + scikit-image 1 %', atLeast: 5 },
  { ours: 'scoreTables', peer: 'pandas + scipy', atLeast: 20 },
  { ours: 'suppressNearby', peer: 'cKDTree greedy loop', atLeast: 10 },
  { ours: 'detectParticles', peer: 'bare session.run', atLeast: 1 / 1.05 },
  { ours: 'detectParticles', peer: 'zarr + MONAI + onnxruntime + scikit-image', atLeast: 1.3 },
];
