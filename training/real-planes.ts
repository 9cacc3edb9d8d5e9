/**
 * Turns the real planes of the reference data into volumes, looks for particles in them, prints what is found and draws it.
 *
 *     npx tsx --tsconfig bench/tsconfig.json training/real-planes.ts ../shared/data/real OUT [--model OUT/default.onnx]
 *
 * Writes OUT/real-ribosome.png and OUT/real-cube.png; the package must be built. real-volumes.ts and planes-volume.ts turn planes
 * into volumes. The figures show slices at the positions of the planes.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  contiguousVolume,
  cziiRules,
  detectParticles,
  type Model,
  type ParticlePick,
  sourceFromArray,
} from 'cryoet-picks';
import { renderFigure } from 'cryoet-picks/figure';
import { loadModel } from 'cryoet-picks/node';
import * as ort from 'onnxruntime-node';
import { forNormalized } from './normalized-model.ts';
import { cubeVolume, type RealVolume, ribosomeVolume, trueRibosome } from './real-volumes.ts';

const objects = Object.entries(cziiRules.objects).map(([name, object]) => ({ name, ...object }));

interface Drawn {
  readonly truth?: readonly ParticlePick[];
  readonly slices: number;
  readonly path: string;
}

async function look(volume: RealVolume, model: Model, { truth, slices, path }: Drawn): Promise<void> {
  const { run, grid, data } = volume;
  const source = sourceFromArray(contiguousVolume(data, grid.shape), grid);
  const picks = await detectParticles(source, { model: forNormalized(model), thresholds: 'competition' });
  console.log(
    `\n${run}: ${picks.length} picks\n\n| particle | score | x | y | z (Å) | ${truth ? 'from the truth |' : ''}`,
  );
  console.log(`| --- | --- | --- | --- | --- | ${truth ? '--- |' : ''}`);
  for (const { object, score, position: at } of picks) {
    const numbers = [at.x, at.y, at.z].map((value) => value.toFixed(0));
    const apart = truth?.map(({ position: p }) => Math.hypot(p.x - at.x, p.y - at.y, p.z - at.z));
    const distance = apart ? [`${(apart[0]! / grid.voxelSize[0]).toFixed(1)} voxels`] : [];
    console.log(`| ${[object, score.toFixed(3), ...numbers, ...distance].join(' | ')} |`);
  }
  await writeFile(path, await renderFigure(source, { picks, truth, objects, slices, title: `${run}: real planes` }));
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { model: { type: 'string' } } });
const [real, out] = positionals;
if (real === undefined || out === undefined)
  throw new Error('expected: real-planes.ts REAL OUT [--model OUT/default.onnx]');
await mkdir(out, { recursive: true });
const model = await loadModel(ort, values.model);
const truth = [{ object: 'ribosome', position: trueRibosome, score: 1 }];
await look(ribosomeVolume(real), model, { truth, slices: 1, path: join(out, 'real-ribosome.png') });
await look(cubeVolume(real), model, { slices: 3, path: join(out, 'real-cube.png') });
await model.dispose();
