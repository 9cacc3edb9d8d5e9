// Compares tilings of simulated tomograms, for the bundled network: the official score, and how far scores differ from those of
// one tile. Prints the table in docs/design/tiling.md. Run: npx tsx bench/tilings.ts [TOMOGRAMS]
import * as ort from 'onnxruntime-node';
import {
  chooseObjects,
  cziiRules,
  localMaxima,
  measureIntensity,
  type ParticlePick,
  planTiles,
  type ScoredRun,
  type ScoreSlab,
  scorePicks,
  scoreSlabs,
  sourceFromArray,
  suppressNearby,
  toPick,
  type VolumeSource,
  type Zyx,
  zScore,
} from '../src/entry/index.ts';
import { loadModel } from '../src/entry/node.ts';
import { simulateTomogram } from '../src/entry/simulate.ts';
import { copyVolumeInto } from '../src/volume/volume.ts';

const SHAPE: Zyx = [184, 320, 320];
/** Edge of a tile along y and x, and voxels that neighbours share. */
const TILINGS = [
  [320, 0],
  [136, 40],
  [128, 24],
  [176, 24],
  [168, 16],
  [120, 16],
  [96, 16],
  [112, 8],
  [160, 0],
] as const;
const FIRST_SEED = 900_000;

interface Found {
  readonly scores: readonly Float32Array[];
  readonly picks: readonly ParticlePick[];
}

/** Difference of scores from those of one tile. */
interface Difference {
  largest: number;
  sum: number;
  count: number;
}

const model = await loadModel(ort);
const { thresholds, minDistances } = chooseObjects(
  model.spec,
  Object.keys(cziiRules.objects).map((name) => ({ name })),
  { thresholds: 'competition' },
);

async function find(source: VolumeSource, edge: number, shared: number): Promise<Found> {
  const card = { ...model.spec, tile: [SHAPE[0], edge, edge] as const, bytesPerVoxel: undefined };
  const plan = planTiles(SHAPE, card, { overlap: [0, shared, shared] });
  const scores: Float32Array[] = [];
  const slabs = scoreSlabs(source, { plan, model, normalize: zScore(await measureIntensity(source)) });
  const found: ParticlePick[] = [];
  for await (const peak of localMaxima(keeping(slabs, plan.outputShape, scores), { threshold: thresholds })) {
    found.push(toPick(peak));
  }
  return { scores, picks: suppressNearby(found, { minDistance: minDistances }) };
}

/** Passes slabs on, and keeps the scores of each class. */
async function* keeping(slabs: AsyncIterable<ScoreSlab>, shape: Zyx, kept: Float32Array[]): AsyncGenerator<ScoreSlab> {
  const [depth, height, width] = shape;
  for await (const slab of slabs) {
    const { data, shape: own, stride, offset } = slab.scores;
    const at: [number, number, number] = [0, 0, 0];
    at[slab.axis] = slab.start;
    for (let k = 0; k < own[0]; k++) {
      kept[k] ??= new Float32Array(depth * height * width);
      const from = {
        data,
        offset: offset + k * stride[0],
        shape: [own[1], own[2], own[3]],
        stride: [stride[1], stride[2], stride[3]],
      } as const;
      copyVolumeInto(from, { data: kept[k], shape, stride: [height * width, width, 1], offset: 0 }, at);
    }
    yield slab;
  }
}

function compare(scores: readonly Float32Array[], whole: readonly Float32Array[], difference: Difference): void {
  for (const [k, one] of scores.entries()) {
    for (let i = 0; i < one.length; i++) {
      const off = Math.abs(one[i] - whole[k][i]);
      difference.largest = Math.max(difference.largest, off);
      difference.sum += off;
    }
    difference.count += one.length;
  }
}

const runs = TILINGS.map(() => [] as ScoredRun[]);
const differences = TILINGS.map((): Difference => ({ largest: 0, sum: 0, count: 0 }));
for (let i = 0; i < Number(process.argv[2] ?? 3); i++) {
  const { volume, grid, picks: truth } = await simulateTomogram({ shape: SHAPE, seed: FIRST_SEED + i });
  const source = sourceFromArray(volume, grid);
  let whole: readonly Float32Array[] | undefined;
  for (const [t, [edge, shared]] of TILINGS.entries()) {
    const { scores, picks } = await find(source, edge, shared);
    whole ??= scores;
    compare(scores, whole, differences[t]);
    runs[t].push({ run: `${i}`, truth, picks });
  }
}
for (const [t, [edge, shared]] of TILINGS.entries()) {
  const { largest, sum, count } = differences[t];
  const cells = [
    edge,
    shared,
    scorePicks(runs[t], cziiRules).score.toFixed(4),
    largest.toFixed(2),
    (sum / count).toExponential(1),
  ];
  console.log(`| ${cells.join(' | ')} |`);
}
await model.dispose();
