/**
 * Simulates the seven training runs of the CZII competition with particles at their true positions, detects and scores them; prints a
 * table for docs/design/networks.md.
 *
 *     npx tsx --tsconfig bench/tsconfig.json training/seven-runs.ts ../shared/data/truth/czii_train_picks.csv DIR \
 *       [--model OUT/default.onnx] [--runs TS_5_4,TS_6_4] [--shape 184,630,630]
 *
 * Uses the default difficulty and the competition's thresholds of the model card. One tomogram at a time: DIR holds at most 290 MB and is empty at
 * the end. With a smaller shape, particles outside are left out. The package must be built.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  cziiRules,
  detectParticles,
  type Model,
  parseSubmission,
  type Report,
  type RunPicks,
  type ScoredRun,
  scorePicks,
  type Zyx,
} from 'cryoet-picks';
import { directoryStore, loadModel, openProject } from 'cryoet-picks/node';
import { difficulties, simulateProject } from 'cryoet-picks/simulate';
import * as ort from 'onnxruntime-node';

/** Seed of the first run; the others follow. unet/splits.ts uses none of them. */
const firstSeed = 700_000;
/** Voxel size of the simulated tomograms, in Å. */
const voxelSize = 10.012;
const objects = Object.keys(cziiRules.objects);

interface Detected extends ScoredRun {
  readonly seconds: number;
}

interface Request extends RunPicks {
  readonly folder: string;
  readonly seed: number;
  readonly shape: Zyx;
}

/** Simulates a run, detects it and deletes its tomogram. */
async function detect({ run, picks, folder, seed, shape }: Request, model: Model): Promise<Detected> {
  await simulateProject(directoryStore(folder), { ...difficulties.default, seed, shape, positions: [{ run, picks }] });
  try {
    const project = await openProject(join(folder, 'copick.json'));
    const tomogram = await (await project.run(run)).tomogram('denoised');
    const started = performance.now();
    const found = await detectParticles(tomogram, { model, thresholds: 'competition' });
    return { run, truth: picks, picks: found, seconds: (performance.now() - started) / 1000 };
  } finally {
    await rm(folder, { recursive: true });
  }
}

function row(name: string, { score, objects: found }: Report, seconds: string): string {
  const f4 = objects.map((object) => found[object]?.fbeta.toFixed(3) ?? '–');
  return `| ${[name, score.toFixed(4), ...f4, seconds].join(' | ')} |`;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { model: { type: 'string' }, runs: { type: 'string' }, shape: { type: 'string', default: '184,630,630' } },
});
const [file, folder] = positionals;
const shape = values.shape.split(',').map(Number);
if (file === undefined || folder === undefined || shape.length !== 3) {
  throw new Error(
    'expected: seven-runs.ts PICKS.csv DIR [--model OUT/default.onnx] [--runs TS_5_4,…] [--shape 184,630,630]',
  );
}
const wanted = values.runs?.split(',');
const known = parseSubmission(await readFile(file, 'utf8'), { source: file });
const model = await loadModel(ort, values.model);
const done: Detected[] = [];
console.log(`| run | score | ${objects.join(' | ')} | seconds |`);
console.log(`| --- | --- | ${objects.map(() => '---').join(' | ')} | --- |`);
for (const [index, { run, picks }] of known.entries()) {
  if (wanted !== undefined && !wanted.includes(run)) continue;
  const inside = picks.filter(({ position: { x, y, z } }) =>
    [z, y, x].every((length, axis) => length / voxelSize < shape[axis]! - 1),
  );
  const request = {
    run,
    picks: inside,
    folder: join(folder, run),
    seed: firstSeed + index,
    shape: shape as unknown as Zyx,
  };
  const detected = await detect(request, model);
  done.push(detected);
  console.log(row(run, scorePicks([detected]), detected.seconds.toFixed(1)));
}
const seconds = done.reduce((sum, run) => sum + run.seconds, 0);
console.log(row('**all**', scorePicks(done), seconds.toFixed(1)));
await model.dispose();
