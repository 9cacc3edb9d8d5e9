/**
 * Chooses a model's two sets of thresholds on the validation projects and scores the model on test projects, through the built
 * package, as a user would.
 *
 *     npm run evaluate -- DIR [--model OUT/default.onnx] [--fill | --keep] [--choose balanced|competition]
 *
 * DIR is the output of make-data.ts, with that of the old simulator in DIR/old-simulator; the default model is that of the package. --fill writes thresholds and scores into the model
 * card; --keep uses the thresholds of the card; --choose chooses one set, and keeps the other one of the card. Splits that are not in
 * DIR are left out, and keep their scores in the card.
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type Candidates,
  chooseObjects,
  cziiRules,
  detectProject,
  type Model,
  type ParticlePick,
  picksFromCandidates,
  type Report,
  type ScoredRun,
  type SweepCurve,
  scorePicks,
  sweepThresholds,
  type ThresholdSet,
} from 'cryoet-picks';
import { loadModel, openProject } from 'cryoet-picks/node';
import * as ort from 'onnxruntime-node';

/** Minimum score of a candidate: of those below, hardly one in a hundred is right. */
const floor = 0.02;
const userId = 'evaluate';

type Thresholds = Readonly<Record<string, number>>;
type Sets = Readonly<Record<ThresholdSet, Thresholds>>;

interface SearchedRun {
  readonly run: string;
  readonly truth: readonly ParticlePick[];
  readonly candidates: Candidates;
}

interface Searched {
  readonly runs: readonly SearchedRun[];
  readonly seconds: number;
  readonly megavoxels: number;
}

/** Searches all runs of a project, and keeps candidates and picks in its overlay in place of those of an earlier call. */
async function search(config: string, model: Model): Promise<Searched> {
  const project = await openProject(config);
  const runs: SearchedRun[] = [];
  let megavoxels = 0;
  const started = performance.now();
  const options = { tomogram: 'denoised', model, thresholds: floor, floors: floor, userId };
  for await (const result of detectProject(project, options)) {
    if (result.status === 'failed') throw result.error;
    const run = await project.run(result.run);
    const { candidates } = await run.readCandidates({ userId, sessionId: '0' });
    const [z, y, x] = candidates.grid.shape;
    megavoxels += (z * y * x) / 1e6;
    runs.push({ run: run.name, truth: await run.picks({ userId: 'curation' }), candidates });
  }
  return { runs, seconds: (performance.now() - started) / 1000, megavoxels };
}

/** The picks of runs: with one label for each particle, or as the competition scores them. */
function picked(
  runs: readonly SearchedRun[],
  { thresholds, acrossObjects }: { readonly thresholds: Thresholds | number; readonly acrossObjects: boolean },
): ScoredRun[] {
  return runs.map(({ run, truth, candidates }) => {
    return { run, truth, picks: picksFromCandidates(candidates, { thresholds, acrossObjects }) };
  });
}

/**
 * The share of the best F1 or F4 that is as good as the best. For F4 it is the random variation with so few particles. For F1 it is
 * lower, since real particles score lower than simulated ones.
 */
const asGood: Readonly<Record<ThresholdSet, number>> = { balanced: 0.965, competition: 0.995 };

/**
 * Chooses for each object one of the thresholds that are as good as the best one, rounded down. An object without candidates keeps the
 * threshold of the card.
 *
 * The balanced set is chosen by F1: the lowest, which finds real particles too, but none below that of the competition. That of the competition is chosen by F4, and by F1 for
 * objects that it does not score: the highest, which keeps false picks few.
 */
function chosen(runs: readonly ScoredRun[], card: Thresholds, set: ThresholdSet): Thresholds {
  const { objects } = sweepThresholds(runs);
  return Object.fromEntries(
    Object.entries(card).map(([name, usual]) => {
      const { best, curve } = objects[name] ?? {};
      if (!best || !curve) return [name, usual];
      const isScored = set === 'competition' && cziiRules.objects[name]?.weight !== 0;
      const values = isScored ? curve.fbeta : f1(curve);
      const most = values.reduce((a, b) => Math.max(a, b), 0);
      const good = curve.thresholds.filter((_, i) => values[i]! >= asGood[set] * most);
      const threshold = good.at(set === 'balanced' ? 0 : -1)!;
      return [name, Math.floor(threshold * 1000) / 1000];
    }),
  );
}

function f1({ precision, recall }: SweepCurve): Float64Array {
  return precision.map((p, i) => (2 * p * recall[i]!) / (p + recall[i]! || 1));
}

/** A Markdown table with a row per particle; the score is last. */
function table({ objects, score }: Report, thresholds: Thresholds): string {
  const rows = Object.keys(objects).sort();
  const cells = rows.map((name) => {
    const { fbeta, precision, recall, tp, fn, meanDistance = Number.NaN } = objects[name]!;
    const numbers = [thresholds[name] ?? Number.NaN, fbeta, precision, recall].map((value) => value.toFixed(3));
    return `| ${[name.padEnd(19), ...numbers, tp + fn, meanDistance.toFixed(1)].join(' | ')} |`;
  });
  return [
    '| particle | threshold | F4 | precision | recall | in truth | Å from it |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...cells,
    `| **score** | | **${score.toFixed(4)}** | | | | |`,
  ].join('\n');
}

const round = (value: number): number => Number(value.toFixed(4));

function summary({ objects, score }: Report): object {
  const rows = Object.entries(objects).map(([name, { fbeta, precision, recall, tp, fn, meanDistance = 0 }]) => [
    name,
    {
      f4: round(fbeta),
      precision: round(precision),
      recall: round(recall),
      truth: tp + fn,
      apart: round(meanDistance),
    },
  ]);
  return { total: round(score), objects: Object.fromEntries(rows) };
}

/** Precision and recall, which is what balanced picks are for. */
function balance({ objects }: Report): object {
  const rows = Object.entries(objects).map(([name, { precision, recall }]) => [
    name,
    { precision: round(precision), recall: round(recall) },
  ]);
  return Object.fromEntries(rows);
}

/** Scores runs with both sets, and prints a table of each. */
function report(what: string, runs: readonly SearchedRun[]): Readonly<Record<ThresholdSet, Report>> {
  const { balanced, competition } = sets;
  const reports = {
    balanced: scorePicks(picked(runs, { thresholds: balanced, acrossObjects: true })),
    competition: scorePicks(picked(runs, { thresholds: competition, acrossObjects: false })),
  };
  for (const set of ['balanced', 'competition'] as const) {
    console.log(`\n${what}, ${set} thresholds\n\n${table(reports[set], sets[set])}`);
  }
  return reports;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string' },
    fill: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    choose: { type: 'string' },
  },
});
const [folder] = positionals;
const isMisused = values.fill && (values.model === undefined || values.keep);
if (folder === undefined || isMisused || !['balanced', 'competition', undefined].includes(values.choose)) {
  throw new Error(
    'expected: evaluate.ts DIR [--model OUT/default.onnx [--fill]] [--keep] [--choose balanced|competition]',
  );
}
const model = await loadModel(ort, values.model);
/** The projects of a split, by what the card calls them: of today's simulator, and of the old one. */
const projectsOf = (split: string) =>
  [
    { name: split, config: join(folder, split, 'copick.json') },
    { name: `${split}, simulator of 0e89387`, config: join(folder, 'old-simulator', split, 'copick.json') },
  ].filter(({ config }) => existsSync(config));
const card: Sets = {
  balanced: chooseObjects(model.spec).thresholds,
  competition: chooseObjects(model.spec, undefined, { thresholds: 'competition' }).thresholds,
};
const validation: SearchedRun[] = [];
const validating = values.keep ? [] : ['validate', 'validate-hard'];
for (const { config } of validating.flatMap(projectsOf)) validation.push(...(await search(config, model)).runs);
const lowest = picked(validation, { thresholds: floor, acrossObjects: false });
const choice = (set: ThresholdSet) =>
  values.keep || (values.choose ?? set) !== set ? card[set] : chosen(lowest, card[set], set);
const competition = choice('competition');
const balanced = Object.fromEntries(
  Object.entries(choice('balanced')).map(([name, threshold]) => [name, Math.max(threshold, competition[name]!)]),
);
const sets: Sets = { balanced, competition };
const validated = values.keep ? undefined : report(`validation: ${validation.length} tomograms`, validation);
const scores: Record<string, object> = {};
for (const { name, config } of ['test', 'hard', 'harder'].flatMap(projectsOf)) {
  const { runs, seconds, megavoxels } = await search(config, model);
  const speed = (seconds / megavoxels).toFixed(3);
  const reports = report(`${name}: ${runs.length} tomograms, ${speed} s per Mvoxel`, runs);
  scores[name] = { tomograms: runs.length, ...summary(reports.competition), balanced: balance(reports.balanced) };
}
await model.dispose();
if (values.fill) {
  const path = values.model!.replace(/\.onnx$/, '.json');
  const old = JSON.parse(await readFile(path, 'utf8'));
  const provenance = {
    ...old.provenance,
    validation: { tomograms: validation.length, ...(validated && { balanced: balance(validated.balanced) }) },
    scores: { ...old.provenance?.scores, ...scores },
  };
  await writeFile(path, `${JSON.stringify({ ...old, thresholds: sets, provenance }, null, 2)}\n`);
}
