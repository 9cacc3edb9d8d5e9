/**
 * Compares template matching, the radial network and another model on equal crops, with thresholds chosen on equal other crops;
 * prints the table of docs/design/networks.md.
 *
 *     npx tsx --tsconfig bench/tsconfig.json training/compare.ts DATA CANDIDATES.json [--model OUT/default.onnx]
 *
 * DATA is what unet/make-data.ts wrote, CANDIDATES what template-matching/match.py found there; the package must be built. Networks
 * see the crop and nothing around it, as template matching does; grey values are normalised by the whole tomogram, which a
 * normalised correlation does not notice.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  detectParticles,
  type Model,
  measureIntensity,
  normalizerFor,
  type ParticlePick,
  type Report,
  scorePicks,
  sourceFromArray,
  sweepThresholds,
  toFloat32,
  type VolumeSource,
  type Zyx,
} from 'cryoet-picks';
import { loadModel, openProject } from 'cryoet-picks/node';
import * as ort from 'onnxruntime-node';
import { forNormalized } from './normalized-model.ts';
import { type Crop, type Matched, picksBy, readMatched, rules } from './template-picks.ts';

/** Minimum score of a candidate: lower ones would only slow the sweep down. */
const floor = 0.02;
const scored = ['apo-ferritin', 'beta-galactosidase', 'ribosome', 'thyroglobulin', 'virus-like-particle'];

/** A crop with its true particles and the picks of one method. */
interface Searched {
  readonly run: string;
  readonly split: Crop['split'];
  readonly truth: readonly ParticlePick[];
  readonly picks: readonly ParticlePick[];
}

interface Row {
  readonly name: string;
  readonly report: Report;
  /** Seconds per million voxels: elapsed, and of processor time. */
  readonly wall: number;
  readonly cpu: number;
}

/** Whether a crop contains the voxel nearest to a position. */
function isInside({ start, shape, voxelSize }: Crop, { position: { x, y, z } }: ParticlePick): boolean {
  return [z, y, x].every((length, axis) => {
    const voxel = Math.round(length / voxelSize) - start[axis]!;
    return voxel >= 0 && voxel < shape[axis]!;
  });
}

/** The picks that reach the threshold that is best on the validation crops. */
function cut(searched: readonly Searched[]): { readonly runs: Searched[]; readonly validation: number } {
  const { objects, score } = sweepThresholds(searched.filter(({ split }) => split === 'validate'));
  const threshold = (name: string) => objects[name]?.best?.threshold ?? Number.POSITIVE_INFINITY;
  const runs = searched
    .filter(({ split }) => split === 'test')
    .map((run) => ({ ...run, picks: run.picks.filter((pick) => pick.score >= threshold(pick.object)) }));
  return { runs, validation: score };
}

function templateMatching(cost: Matched['secondsPerMvoxel'], searches: readonly Search[]): Row {
  const tried = rules.map((rule) => {
    const searched = searches.map(({ crop, truth }) => ({ ...crop, truth, picks: picksBy(rule, crop) }));
    return { rule, ...cut(searched) };
  });
  for (const { rule, validation } of tried)
    console.log(`${JSON.stringify(rule)}: ${validation.toFixed(4)} in validation`);
  const best = tried.reduce((a, b) => (b.validation > a.validation ? b : a));
  console.log(`chosen: ${JSON.stringify(best.rule)}\n`);
  return { name: 'template matching', report: scorePicks(best.runs), ...cost };
}

/** A crop as a volume at its place in the tomogram, normalised with the intensity of the whole tomogram. */
async function readCrop(
  tomogram: VolumeSource,
  { start, shape, voxelSize }: Crop,
  { spec }: Model,
): Promise<VolumeSource> {
  const normalize = normalizerFor(spec.normalization, await measureIntensity(tomogram));
  const volume = toFloat32(
    await tomogram.read({ start, end: start.map((first, i) => first + shape[i]!) as unknown as Zyx }),
  );
  const [z, y, x] = start.map((voxel) => voxel * voxelSize) as [number, number, number];
  const data = normalize(volume.data);
  return sourceFromArray({ ...volume, data }, { voxelSize: tomogram.grid.voxelSize, origin: { x, y, z } });
}

async function network(name: string, model: Model, searches: readonly Search[]): Promise<Row> {
  const searched: Searched[] = [];
  const low = Object.fromEntries(
    model.spec.classes.filter((object) => object !== null).map((object) => [object, floor]),
  );
  const cost = { wall: 0, cpu: 0 };
  let megavoxels = 0;
  for (const { crop, tomogram, truth } of searches) {
    const source = await readCrop(tomogram, crop, model);
    const [wall, cpu] = [performance.now(), process.cpuUsage()];
    const picks = await detectParticles(source, { model: forNormalized(model), thresholds: low });
    const { user, system } = process.cpuUsage(cpu);
    cost.wall += (performance.now() - wall) / 1000;
    cost.cpu += (user + system) / 1e6;
    megavoxels += crop.shape.reduce((product, edge) => product * edge, 1) / 1e6;
    searched.push({ run: crop.run, split: crop.split, truth, picks });
  }
  await model.dispose();
  const report = scorePicks(cut(searched).runs);
  return { name, report, wall: cost.wall / megavoxels, cpu: cost.cpu / megavoxels };
}

/** A crop, its tomogram, and the particles whose centres are inside. */
interface Search {
  readonly crop: Crop;
  readonly tomogram: VolumeSource;
  readonly truth: readonly ParticlePick[];
}

async function openCrop(data: string, crop: Crop): Promise<Search> {
  const project = await openProject(join(data, crop.split, 'copick.json'));
  const run = await project.run(crop.run);
  const truth = (await run.picks({ userId: 'curation' })).filter((pick) => isInside(crop, pick));
  return { crop, tomogram: await run.tomogram('denoised'), truth };
}

/** A Markdown table with a row per method; the first row counts the particles of the test crops. */
function table(rows: readonly Row[]): string {
  const { objects } = rows[0]!.report;
  const inTruth = scored.map((object) => (objects[object] ? objects[object].tp + objects[object].fn : 0).toString());
  const lines = rows.map(({ name, report, wall, cpu }) => {
    const f4 = scored.map((object) => report.objects[object]?.fbeta.toFixed(2) ?? '–');
    return [name, `**${report.score.toFixed(3)}**`, ...f4, wall.toFixed(2), cpu.toFixed(2)];
  });
  const head = ['', 'score', ...scored, 's per Mvoxel', 's of a core per Mvoxel'];
  const all = [head, head.map(() => '---'), ['*in truth*', '', ...inTruth, '', ''], ...lines];
  return all.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { model: { type: 'string' } } });
const [data, found] = positionals;
if (data === undefined || found === undefined)
  throw new Error('expected: compare.ts DATA CANDIDATES.json [--model OUT/default.onnx]');
const matched = readMatched(found);
const searches: Search[] = [];
for (const crop of matched.crops) searches.push(await openCrop(data, crop));
const rows = [templateMatching(matched.secondsPerMvoxel, searches)];
const radial = fileURLToPath(new URL('radial/radial.onnx', import.meta.url));
rows.push(await network('radial network', await loadModel(ort, radial), searches));
if (values.model !== undefined) {
  const model = await loadModel(ort, values.model);
  rows.push(await network(model.spec.name, model, searches));
}
console.log(table(rows));
