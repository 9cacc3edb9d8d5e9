/**
 * Teaches apo-ferritin by five picks of one half of a real tomogram (EMPIAR-10491), and finds it in the other half; prints recall and
 * precision at the threshold that `teach` chose, of five draws of picks.
 *
 *     npx tsx training/teach/apoferritin.ts [../shared/data/real] [--model MODEL.onnx] [--picks 5] [--draws 5]
 *
 * A test of transfer: the features know this species. The tomogram is not part of this repository: where it is missing, the script says so
 * and stops. Picks have y < 2,270 Å, and so has all that is learned from; tested is y > 2,470 Å. Recall is of particles that are sure,
 * those of a correlation (`ncc`) from 0.5 on; a pick at a fainter one counts neither way.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  computeFeatures,
  localMaxima,
  matchPicks,
  type ParticlePick,
  type Point,
  suppressNearby,
  type Taught,
  type TomogramFeatures,
  teach,
  toPick,
  type VolumeSource,
} from 'cryoet-picks';
import { loadModel, openMrcFile } from 'cryoet-picks/node';
import { createRandom } from 'cryoet-picks/simulate';
import * as ort from 'onnxruntime-node';

/** Voxel size of the pseudo-truth's coordinates, which are index × 10, and that of the tomogram, in Å. */
const [voxelSizeOfTruth, voxelSize] = [10, 10.012];
/** Correlation from which a particle of the pseudo-truth is sure. */
const sureFrom = 0.5;
/** In coordinates of the pseudo-truth, in Å. */
const [taughtBelow, testedAbove] = [2270, 2470];
/** Radius of apo-ferritin, in Å; a match is at most half of it apart. */
const radius = 60;

interface Particle extends Point {
  readonly ncc: number;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string' },
    picks: { type: 'string', default: '5' },
    draws: { type: 'string', default: '5' },
  },
});
const folder = positionals[0] ?? fileURLToPath(new URL('../../../shared/data/real', import.meta.url));
const file = join(folder, 'empiar10491_apoferritin_left.mrc');
if (!existsSync(file)) {
  console.log(`skipped: there is no ${file}`);
  process.exit();
}

async function readTruth(): Promise<Particle[]> {
  const text = await readFile(file.replace('.mrc', '_picks.csv'), 'utf8');
  const scale = voxelSize / voxelSizeOfTruth;
  const rows = text.trim().split('\n').slice(1);
  return rows.map((line) => {
    const [x = Number.NaN, y = Number.NaN, z = Number.NaN, ncc = Number.NaN] = line.split(',').map(Number);
    return { x: x * scale, y: y * scale, z: z * scale, ncc };
  });
}

/** The planes of a tomogram along y that a condition is true of. */
function partOf(source: VolumeSource, from: number, to: number): VolumeSource {
  const { shape, origin, voxelSize: size } = source.grid;
  return {
    grid: {
      ...source.grid,
      shape: [shape[0], to - from, shape[2]],
      origin: { ...origin, y: origin.y + from * size[1] },
    },
    read: ({ start, end }, options) =>
      source.read(
        { start: [start[0], start[1] + from, start[2]], end: [end[0], end[1] + from, end[2]] },
        { signal: options?.signal },
      ),
  };
}

async function found(taught: Taught, features: TomogramFeatures): Promise<ParticlePick[]> {
  const { balanced } = taught.objects[0]!.thresholds;
  const picks: ParticlePick[] = [];
  for await (const peak of localMaxima(taught.scoreSlabs(features), { threshold: balanced })) picks.push(toPick(peak));
  return suppressNearby(picks, { minDistance: radius });
}

const isSure = ({ ncc }: Particle) => ncc >= sureFrom;
const truth = await readTruth();
const scale = voxelSize / voxelSizeOfTruth;
const known = truth.filter((one) => isSure(one) && one.y < taughtBelow * scale);
const tested = truth.filter(({ y }) => y > testedAbove * scale);
const tomogram = await openMrcFile(file, { voxelSize });
const height = tomogram.grid.shape[1];
const model = await loadModel(ort, values.model);
const shown = await computeFeatures(partOf(tomogram, 0, taughtBelow / voxelSizeOfTruth), { model, run: 'shown' });
const hidden = await computeFeatures(partOf(tomogram, taughtBelow / voxelSizeOfTruth, height), {
  model,
  run: 'hidden',
});

const results: { readonly recall: number; readonly precision: number }[] = [];
for (let draw = 0; draw < Number(values.draws); draw++) {
  const random = createRandom(draw, 31);
  const order = known.map((one) => ({ one, key: random.uniform() })).sort((a, b) => a.key - b.key);
  const picks = order.slice(0, Number(values.picks)).map(({ one: { x, y, z } }) => ({
    object: 'ferritin',
    position: { x, y, z },
    score: 1,
  }));
  const taught = await teach([shown], [{ run: 'shown', picks }], { radius, keepKnown: false });
  const all = (await found(taught, hidden)).filter(({ position }) => position.y > testedAbove * scale);
  const candidates = all.map(({ position, score }) => ({ ...position, score }));
  const options = { radius: radius / 2, matching: 'hungarian' } as const;
  const sure = tested.filter(isSure);
  const hits = matchPicks(sure, candidates, options).tp;
  const { pairs } = matchPicks(tested, candidates, options);
  const faint = pairs.filter((pair) => !isSure(tested[pair.truth]!)).length;
  const result = { recall: hits / sure.length, precision: (pairs.length - faint) / (candidates.length - faint) };
  results.push(result);
  console.log(JSON.stringify({ draw, picks: candidates.length, sure: sure.length, ...result }));
}
await model.dispose();
const median = (numbers: number[]) => numbers.sort((a, b) => a - b)[numbers.length >> 1]!.toFixed(3);
console.log(`median recall ${median(results.map(({ recall }) => recall))}`);
console.log(`median precision ${median(results.map(({ precision }) => precision))}`);
