/**
 * Looks for the map of apo-ferritin in half of a real tomogram of the purified protein (EMPIAR-10491), and compares the positions with a
 * pseudo-truth: recall and precision at the threshold that `matchCandidates` chooses, and at others.
 *
 *     npx tsx training/match-apoferritin.ts [../shared/data] [--peaks 500] [--step 20]
 *
 * The folder holds `real/empiar10491_apoferritin_left.mrc`, its picks, and `maps/czii/6pxm.mrc`; they are not part of this repository:
 * where one is missing, the script says so and stops. Angles are not compared: at voxels of 10 Å they mean nothing. What the pseudo-truth
 * is, `training/real-apoferritin.ts` says. Takes some minutes.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { matchCandidates, matchPicks, picksFromCandidates } from 'cryoet-picks';
import { matchThreads, openMrcFile } from 'cryoet-picks/node';

/** Of the tomogram, in Å; coordinates of the pseudo-truth are index × 10. */
const voxelSize = 10.012;
/** Correlation from which a particle of the pseudo-truth is sure. */
const sureFrom = 0.5;
/** Greatest distance of a match, in Å. */
const radius = 30;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { peaks: { type: 'string', default: '2000' }, step: { type: 'string', default: '20' } },
});
const folder = positionals[0] ?? fileURLToPath(new URL('../../shared/data', import.meta.url));
const files = [
  'real/empiar10491_apoferritin_left.mrc',
  'real/empiar10491_apoferritin_left_picks.csv',
  'maps/czii/6pxm.mrc',
];
const [tomogramFile, truthFile, mapFile] = files.map((name) => join(folder, name)) as [string, string, string];
const missing = [tomogramFile, truthFile, mapFile].find((path) => !existsSync(path));
if (missing !== undefined) {
  console.log(`skipped: ${missing} is missing; it is not part of this repository`);
} else {
  const [, ...lines] = (await readFile(truthFile, 'utf8')).trim().split('\n');
  const truth = lines.map((line) => {
    const [x = Number.NaN, y = Number.NaN, z = Number.NaN, ncc = Number.NaN] = line.split(',').map(Number);
    const scale = voxelSize / 10;
    return { x: x * scale, y: y * scale, z: z * scale, ncc };
  });
  const sure = truth.filter(({ ncc }) => ncc >= sureFrom);
  const started = performance.now();
  const candidates = await matchCandidates(await openMrcFile(tomogramFile, { voxelSize }), await openMrcFile(mapFile), {
    ...{ object: 'apo-ferritin', radius: 75, symmetry: 'O', angleStep: Number(values.step) },
    ...{ candidatesPerObject: Number(values.peaks), minDistance: 90, threads: matchThreads() },
  });
  const { chosen } = candidates;
  console.log(
    `${((performance.now() - started) / 1000).toFixed(0)} s; threshold ${chosen.threshold.toFixed(3)}, ${chosen.picks} picks\n`,
  );
  console.log(
    `| threshold | picks | recall of ${sure.length} sure ones | precision against all ${truth.length} |\n|---|---|---|---|`,
  );
  for (const threshold of [chosen.threshold, 0.3, 0.4, 0.5, 0.6, 0.7]) {
    if (threshold < candidates.lowestThresholds['apo-ferritin']!) continue;
    const points = picksFromCandidates(candidates, { thresholds: threshold }).map(({ position, score }) => ({
      ...position,
      score,
    }));
    const recall = matchPicks(sure, points, { radius, matching: 'hungarian' }).tp / sure.length;
    const hits = matchPicks(truth, points, { radius, matching: 'hungarian' }).tp;
    // Of no picks there is no precision.
    const precision = points.length > 0 ? (hits / points.length).toFixed(3) : '–';
    console.log(`| ${[threshold.toFixed(3), points.length, recall.toFixed(3), precision].join(' | ')} |`);
  }
}
