/**
 * What template matching finds of ribosomes in simulated tomograms, and what it takes for ribosomes where there are none.
 *
 *     npm run build
 *     npx tsx training/match-table.ts [--tomograms 20] [--first 970000] [--shape 184,256,256] [--step 20] [--peaks 2000]
 *     npx tsx training/match-table.ts --empty [--tomograms 4] [--scene membranes] [--shape 64,160,160] [--step 30] [--peaks 60]
 *
 * The template is the simulator's own density, whose frame is that of the truth. The first prints, of each tomogram, F1 at the threshold
 * that was chosen and at the best one, the share of the ribosomes that the candidates hold, and the median error of their orientations.
 * The second prints how many peaks reach the score that one peak of noise is expected to reach, where there is noise alone, and where
 * there are membranes, gold, other particles.
 */
import { parseArgs } from 'node:util';
import {
  contiguousVolume,
  type MatchCandidatesOptions,
  matchCandidates,
  matchPicks,
  type ParticlePick,
  picksFromCandidates,
  sourceFromArray,
  type VolumeSource,
} from 'cryoet-picks';
import { matchThreads } from 'cryoet-picks/node';
import { drawMolecule, type SimulateTomogramOptions, simulateTomogram, speciesNamed } from 'cryoet-picks/simulate';

const { values } = parseArgs({
  options: {
    empty: { type: 'boolean', default: false },
    tomograms: { type: 'string' },
    first: { type: 'string', default: '970000' },
    scene: { type: 'string' },
    shape: { type: 'string' },
    step: { type: 'string' },
    peaks: { type: 'string' },
  },
});
const { empty } = values;
const [tomograms, first, step, peaks] = [
  values.tomograms ?? (empty ? 4 : 20),
  values.first,
  values.step ?? (empty ? 30 : 20),
  values.peaks ?? (empty ? 60 : 2000),
].map(Number) as [number, number, number, number];
const shape = (values.shape ?? (empty ? '64,160,160' : '184,256,256')).split(',').map(Number) as [
  number,
  number,
  number,
];

/** The simulator's ribosome, bright, in a box of 400 Å. */
function ribosome(): VolumeSource {
  const voxelSize = [10, 10, 10] as const;
  const grid = { shape: [40, 40, 40] as const, voxelSize, origin: { x: 0, y: 0, z: 0 } };
  const volume = contiguousVolume(new Float32Array(40 ** 3), grid.shape);
  const molecule = {
    species: speciesNamed('ribosome'),
    position: { x: 195, y: 195, z: 195 },
    rotation: [1, 0, 0, 0, 1, 0, 0, 0, 1] as const,
  };
  drawMolecule(volume, { grid, molecule });
  return sourceFromArray(volume, grid);
}

const map = ribosome();
const how: MatchCandidatesOptions = {
  ...{ object: 'ribosome', radius: 140, angleStep: step, candidatesPerObject: peaks, threads: matchThreads() },
  wedge: { tiltRange: [-45, 45] },
};

/** The angle between two orientations, in degrees. */
function angleBetween(a: ParticlePick, b: ParticlePick): number {
  let trace = 0;
  for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) trace += a.transform![i]![j]! * b.transform![i]![j]!;
  return (Math.acos(Math.max(-1, Math.min(1, (trace - 1) / 2))) * 180) / Math.PI;
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

const f1 = ({ tp, fp, fn }: { readonly tp: number; readonly fp: number; readonly fn: number }) =>
  (2 * tp) / Math.max(1, 2 * tp + fp + fn);

async function present(): Promise<void> {
  const total = { tp: 0, fp: 0, fn: 0 };
  const errors: number[] = [];
  let [held, all] = [0, 0];
  console.log('| seed | ribosomes | threshold | F1 there | best F1 | among the candidates | median angle | seconds |');
  console.log('|---|---|---|---|---|---|---|---|');
  for (let seed = first; seed < first + tomograms; seed++) {
    const { volume, grid, picks } = await simulateTomogram({ shape, seed });
    const truth = picks.filter(({ object }) => object === 'ribosome');
    const started = performance.now();
    const candidates = await matchCandidates(sourceFromArray(volume, grid), map, how);
    const seconds = (performance.now() - started) / 1000;
    const scored = (threshold: number) => {
      const found = picksFromCandidates(candidates, { thresholds: threshold });
      const points = found.map(({ position, score }) => ({ ...position, score }));
      const result = matchPicks(
        truth.map(({ position }) => position),
        points,
        { radius: 75, matching: 'hungarian' },
      );
      return { found, ...result };
    };
    const own = scored(candidates.chosen.threshold);
    const every = scored(candidates.lowestThresholds.ribosome!);
    const thresholds = every.found.map(({ score }) => score).slice(0, 4 * truth.length + 4);
    const best = Math.max(...thresholds.map((threshold) => f1(scored(threshold))));
    // Orientations of the ribosomes that were found.
    const angles = own.found.flatMap((pick) => {
      const near = truth.find(
        ({ position: { x, y, z } }) => Math.hypot(x - pick.position.x, y - pick.position.y, z - pick.position.z) < 75,
      );
      return near ? [angleBetween(pick, near)] : [];
    });
    for (const key of ['tp', 'fp', 'fn'] as const) total[key] += own[key];
    errors.push(...angles);
    held += every.tp;
    all += truth.length;
    const numbers = [candidates.chosen.threshold, f1(own), best, every.tp / truth.length].map((n) => n.toFixed(3));
    console.log(`| ${[seed, truth.length, ...numbers, median(angles).toFixed(1), seconds.toFixed(0)].join(' | ')} |`);
  }
  console.log(
    `\n${tomograms} tomograms, ${all} ribosomes: F1 ${f1(total).toFixed(3)} at the chosen thresholds, ` +
      `${((100 * held) / all).toFixed(1)} % among the candidates, median error of orientations ${median(errors).toFixed(1)}°`,
  );
}

/** Scenes without a ribosome. */
const nothing = { vesicles: 0, filaments: 0, microtubules: 0, goldBeads: 0, aggregates: 0, carbon: 0 };
const species = [
  'apo-ferritin',
  'beta-amylase',
  'beta-galactosidase',
  'ribosome',
  'thyroglobulin',
  'virus-like-particle',
];
const none = Object.fromEntries(species.map((name) => [name, 0]));
const scenes: Readonly<Record<string, SimulateTomogramOptions>> = {
  'noise, weighted back projection': { counts: none, decoys: 0, surroundings: nothing, filter: 'wbp' },
  'noise, denoised': { counts: none, decoys: 0, surroundings: nothing, filter: 'denoised' },
  membranes: { counts: none, decoys: 0, surroundings: { ...nothing, vesicles: 3 } },
  'gold beads': { counts: none, decoys: 0, surroundings: { ...nothing, goldBeads: 4 } },
  'other particles': {
    counts: { ...none, 'beta-galactosidase': 6, thyroglobulin: 6, 'apo-ferritin': 8 },
    decoys: 0,
    surroundings: nothing,
  },
};

async function absent(): Promise<void> {
  console.log(
    '| what there is | tomograms | expected | found | highest score / that of one expected |\n|---|---|---|---|---|',
  );
  for (const [name, scene] of Object.entries(scenes)) {
    if (!name.includes(values.scene ?? '')) continue;
    let found = 0;
    let highest = 0;
    for (let seed = first; seed < first + tomograms; seed++) {
      const { volume, grid } = await simulateTomogram({ ...scene, shape, seed });
      const candidates = await matchCandidates(sourceFromArray(volume, grid), map, how);
      const { usualThreshold } = candidates.chosen;
      const picks = picksFromCandidates(candidates, { thresholds: candidates.lowestThresholds });
      found += picks.filter(({ score }) => score >= usualThreshold).length;
      highest = Math.max(highest, (picks[0]?.score ?? 0) / usualThreshold);
    }
    console.log(`| ${[name, tomograms, tomograms, found, highest.toFixed(2)].join(' | ')} |`);
  }
}

await (empty ? absent() : present());
