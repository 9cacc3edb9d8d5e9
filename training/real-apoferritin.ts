/**
 * Detects particles in half of a real tomogram of purified apo-ferritin (EMPIAR-10491) and compares them with a pseudo-truth; prints the
 * table of docs/reference/models.md, and of docs/design/false-picks.md how many picks are false by estimate, and have no match.
 *
 *     npx tsx --tsconfig bench/tsconfig.json training/real-apoferritin.ts [../shared/data/real] [--model OUT/default.onnx]
 *
 * The tomogram is not part of this repository: where it is missing, the script says so and stops. The package must be built.
 * Matches are one to one, as many as possible, and at most 30 Å apart. The pseudo-truth was picked by correlation with an average
 * of the tomogram's own particles; it is sure from a correlation (`ncc`) of 0.5 on, and lacks some faint particles. Its positions are
 * whole voxels and the network's are centres of 2×2×2 voxels, so no two are closer than half a voxel along each axis: 8.7 Å.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  type Candidates,
  detectCandidates,
  estimateFalsePicks,
  matchPicks,
  type ParticlePick,
  type Point,
  picksFromCandidates,
} from 'cryoet-picks';
import { loadModel, openMrcFile } from 'cryoet-picks/node';
import * as ort from 'onnxruntime-node';

/** Voxel size of the pseudo-truth's coordinates, in Å: they are index × 10. */
const voxelSizeOfTruth = 10;
/** Voxel size the tomogram is opened with, in Å; the header's 10.0 was inferred from the field of view. */
const voxelSize = 10.012;
/** Correlation from which a particle of the pseudo-truth is sure. */
const sureFrom = 0.5;
/** Greatest distance of a match, in Å: half the radius of apo-ferritin, as in the CZII competition. */
const radius = 30;

interface Particle extends Point {
  readonly ncc: number;
}

/** Particles of the pseudo-truth, in Å of the tomogram as it is opened here. */
async function readTruth(path: string): Promise<Particle[]> {
  const [head, ...lines] = (await readFile(path, 'utf8')).trim().split('\n');
  if (head?.trim() !== 'x,y,z,ncc') throw new Error(`${path} starts with "${head}"; expected the columns x,y,z,ncc`);
  const scale = voxelSize / voxelSizeOfTruth;
  return lines.map((line) => {
    const [x = Number.NaN, y = Number.NaN, z = Number.NaN, ncc = Number.NaN] = line.split(',').map(Number);
    return { x: x * scale, y: y * scale, z: z * scale, ncc };
  });
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function compare(picks: readonly ParticlePick[], truth: readonly Particle[]): void {
  const candidates = picks
    .filter(({ object }) => object === 'apo-ferritin')
    .map(({ position, score }) => ({ ...position, score }));
  const sure = truth.filter(({ ncc }) => ncc >= sureFrom);
  const recall = matchPicks(sure, candidates, { radius, matching: 'hungarian' });
  const precision = matchPicks(truth, candidates, { radius, matching: 'hungarian' });
  const offsets = (['x', 'y', 'z'] as const).map((axis) =>
    mean(precision.pairs.map((pair) => candidates[pair.candidate]![axis] - truth[pair.truth]![axis])),
  );
  const rows = [
    [
      `recall of the ${sure.length} particles with ncc ≥ ${sureFrom}`,
      `${(recall.tp / sure.length).toFixed(3)} (${recall.tp} found)`,
    ],
    [
      `precision of ${candidates.length} picks against all ${truth.length} particles`,
      `${(precision.tp / candidates.length).toFixed(3)} (${precision.tp} matched)`,
    ],
    ['picks of other objects', `${picks.length - candidates.length}`],
    ['median distance of a match', `${median(precision.pairs.map(({ distance }) => distance)).toFixed(1)} Å`],
    ['mean offset along x, y, z', `${offsets.map((offset) => offset.toFixed(1)).join(', ')} Å`],
  ];
  console.log('| | |\n| --- | --- |');
  for (const [what, value] of rows) console.log(`| ${what} | ${value} |`);
}

/** Prints the estimates of false picks beside the picks that match nothing in the pseudo-truth, which lacks faint particles. */
function estimate(candidates: Candidates, truth: readonly Particle[]): void {
  console.log(
    '\n| threshold | picks | without a match | false by estimate | interval |\n| --- | --- | --- | --- | --- |',
  );
  for (const threshold of [0.02, 0.043, 0.1, 0.2, 0.5, 0.9, 0.99]) {
    const options = { objects: [{ name: 'apo-ferritin' }], thresholds: threshold };
    const points = picksFromCandidates(candidates, options).map(({ position, score }) => ({ ...position, score }));
    const { fp } = matchPicks(truth, points, { radius, matching: 'hungarian' });
    const { falsePicks, interval, reason } = estimateFalsePicks(candidates, options)['apo-ferritin']!;
    const told = reason ?? `${falsePicks!.toFixed(1)} | ${interval!.join(' to ')}`;
    console.log(`| ${[threshold, points.length, fp, told].join(' | ')} |`);
  }
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { model: { type: 'string' } } });
const folder = positionals[0] ?? fileURLToPath(new URL('../../shared/data/real', import.meta.url));
const tomogramFile = join(folder, 'empiar10491_apoferritin_left.mrc');
const truthFile = join(folder, 'empiar10491_apoferritin_left_picks.csv');
const missing = [tomogramFile, truthFile].find((path) => !existsSync(path));
if (missing !== undefined) {
  console.log(`skipped: ${missing} is missing; the tomogram is not part of this repository`);
} else {
  const tomogram = await openMrcFile(tomogramFile, { voxelSize });
  const truth = await readTruth(truthFile);
  const model = await loadModel(ort, values.model);
  try {
    const candidates = await detectCandidates(tomogram, { model });
    for (const thresholds of ['balanced', 'competition'] as const) {
      console.log(`\n${thresholds} thresholds\n`);
      compare(picksFromCandidates(candidates, { thresholds }), truth);
    }
    estimate(candidates, truth);
  } finally {
    await model.dispose();
  }
}
