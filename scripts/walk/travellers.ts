/**
 * A voxel, a tile and a peak on their way through the built package, each watched by V8's coverage. Run by `scripts/walk.ts`,
 * which bundles this file; prints JSON: the functions that ran, by traveller.
 *
 *     node travellers.js MODEL.onnx FOLDER
 */
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import {
  localMaxima,
  measureIntensity,
  openTomogram,
  type ParticlePick,
  planTiles,
  type ScoreSlab,
  scoreSlabs,
  sourceFromArray,
  suppressNearby,
  type Tomogram,
  toPick,
  type VolumeSource,
  writeTomogram,
  zScore,
} from 'cryoet-picks';
import { directoryStore, loadModel } from 'cryoet-picks/node';
import * as ort from 'onnxruntime-node';
import { type ScriptRuns, ThreadsCoverage } from './threads-coverage.ts';

const [modelFile, folder] = process.argv.slice(2) as [string, string];
/** Four tiles of the network, so that tiles are blended. */
const shape = [64, 160, 160] as const;
const voxelSize = [10.012, 10.012, 10.012] as const;

const coverage = await ThreadsCoverage.open();
const data = Float32Array.from({ length: shape[0] * shape[1] * shape[2] }, (_, i) => Math.sin(i * i));
const stride = [shape[1] * shape[2], shape[2], 1] as const;
const path = join(folder, 'tomogram.zarr');
const source = sourceFromArray({ data, shape, stride, offset: 0 }, { voxelSize });
// Blosc, as copick projects have it, in chunks large enough to be measured one by one, and enough of them to start all threads.
await writeTomogram(directoryStore(path), source, { format: 'zarr2', chunkShape: [64, 64, 64] });
/** Held to the end: what happens as one is collected belongs to no way. */
const opened: Tomogram[] = [];
async function open(): Promise<Tomogram> {
  const tomogram = await openTomogram(directoryStore(path, { readOnly: true }));
  opened.push(tomogram);
  return tomogram;
}
const model = await loadModel(ort, modelFile);
const plan = planTiles(shape, model.spec);

const score = (tomogram: VolumeSource, intensity: Awaited<ReturnType<typeof measureIntensity>>) =>
  scoreSlabs(tomogram, { plan, model, normalize: zScore(intensity) });

async function detect(slabs: readonly ScoreSlab[]): Promise<ParticlePick[]> {
  const found: ParticlePick[] = [];
  for await (const peak of localMaxima(slabs, { threshold: 0 })) found.push(toPick(peak));
  return suppressNearby(found, { minDistance: 60 });
}

// Everything once: modules are imported and threads started.
const warm = await open();
const warmIntensity = await measureIntensity(warm);
const kept: ScoreSlab[] = [];
for await (const slab of score(warm, warmIntensity)) kept.push(slab);
await detect(kept);
const again: ScoreSlab[] = [];
for await (const slab of score(warm, warmIntensity)) again.push(slab);

/** Gives the threads that decode chunks something to do. */
async function wake(): Promise<void> {
  const { grid, read } = await open();
  await read({ start: [0, 0, 0], end: grid.shape });
}

const tomogram = await open();
const runs: Record<string, ScriptRuns[]> = {};
let intensity = warmIntensity;
runs.voxel = await coverage.during(
  async () => {
    intensity = await measureIntensity(tomogram);
  },
  { wake },
);

// Idle threads end after some seconds, which is no part of what follows. The one that stays is the model's.
while (coverage.threads > 1) await setTimeout(100);
await setTimeout(100);
let slabs = 0;
// The chunks of this tomogram are in memory by now: how they got there is the way of the voxel.
runs.tile = await coverage.during(async () => {
  for await (const _ of score(tomogram, intensity)) slabs++;
});
let picks: readonly ParticlePick[] = [];
runs.peak = await coverage.during(async () => {
  picks = await detect(again);
});
await model.dispose();
coverage.close();
if (intensity.count !== data.length || slabs === 0 || picks.length === 0) {
  throw new Error(
    `nothing to watch: ${intensity.count} voxels, ${slabs} slabs, ${picks.length} picks of ${opened.length} tomograms`,
  );
}
console.log(JSON.stringify(runs));
