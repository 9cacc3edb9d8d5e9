/**
 * Fits a model's calibration curves and chooses its two sets of thresholds on the validation projects, and scores the model on test
 * projects, through the built package, as a user would.
 *
 *     npm run evaluate -- DIR [--model OUT/default.onnx] [--fill | --keep] [--choose balanced|competition]
 *
 * DIR is the output of make-data.ts, with that of the old simulator in DIR/old-simulator; the default model is that of the package.
 * --fill writes curves, thresholds and scores into the model card, and takes out the calibration of false picks, which is of other
 * curves; --keep uses the curves and thresholds of the card; --choose chooses one set, and keeps the curves and the other set of the
 * card. Splits that are not in DIR are left out, and keep their scores in the card.
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type CalibrationCurves,
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
import { scaleOf } from '../../src/tiles/calibration-curve.ts';
import { type Labelled, labelled } from '../false-picks/labels.ts';
import { type CalibrationError, calibrationError, type FittedCurve, fitCurve } from './calibration-curves.ts';

/** Minimum score of a candidate, as the network gives it: of those below, hardly one in a hundred is right. */
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

/** The floor of each object on the scale of its curve. */
function floorsOf({ classes, calibrationCurves = {} }: Model['spec']): Thresholds {
  const names = classes.filter((name) => name !== null);
  return Object.fromEntries(names.map((name) => [name, scaleOf(calibrationCurves[name]).calibrated(floor)]));
}

/** Searches all runs of a project, and keeps candidates and picks in its overlay in place of those of an earlier call. */
async function search(config: string, model: Model): Promise<Searched> {
  const project = await openProject(config);
  const runs: SearchedRun[] = [];
  let megavoxels = 0;
  const started = performance.now();
  const floors = floorsOf(model.spec);
  const options = { tomogram: 'denoised', model, thresholds: floors, floors, userId, overwrite: true };
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

/** The picks of each object in runs, and which of them are true. */
function labels(runs: readonly ScoredRun[], object: string): Labelled[] {
  return runs.map(({ picks, truth }) => labelled(object, picks, truth));
}

/** Fits the curve of each object that has picks to fit it to. */
function fitCurves(runs: readonly ScoredRun[], objects: readonly string[]): Readonly<Record<string, FittedCurve>> {
  const entries = objects.flatMap((object): [string, FittedCurve][] => {
    const fitted = fitCurve(labels(runs, object));
    if (fitted) return [[object, fitted]];
    console.log(`${object}: its scores do not tell true picks from false ones; it gets no curve`);
    return [];
  });
  return Object.fromEntries(entries);
}

/** Candidates that were found without curves, as they would be with them. */
function calibrated(candidates: Candidates, spec: Model['spec']): Candidates {
  const { objects, objectIndices } = candidates;
  const scales = objects.map((object) => scaleOf(spec.calibrationCurves?.[object]));
  const floors = floorsOf(spec);
  return {
    ...{ ...candidates, thresholds: floors, floors, lowestThresholds: floors },
    scores: candidates.scores.map((score, i) => scales[objectIndices[i]!]!.calibrated(score)),
  };
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
function chosen(
  runs: readonly ScoredRun[],
  { card, floors, set }: { readonly card: Thresholds; readonly floors: Thresholds; readonly set: ThresholdSet },
): Thresholds {
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
      return [name, Math.max(floors[name]!, Math.floor(threshold * 1000) / 1000)];
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

/** Picks down to this calibrated score are compared with their scores, beside the balanced picks. */
const compared = 0.1;

/** The error of the picks of several tomograms together. */
function errorIn(tomograms: readonly Labelled[], lowest = 0): CalibrationError | undefined {
  const picks = tomograms.flatMap(({ scores, isTrue }) => scores.map((score, i) => ({ score, isTrue: isTrue[i]! })));
  const reaching = picks.filter(({ score }) => score >= lowest);
  return calibrationError({
    scores: reaching.map(({ score }) => score),
    isTrue: reaching.map(({ isTrue }) => isTrue),
  });
}

type Errors = Readonly<Record<string, Readonly<Record<'candidates' | 'balanced', CalibrationError | undefined>>>>;

/** How far scores are from the share of true picks, of the picks of each object from 0.1 on and of the balanced ones. */
function calibrationErrors(runs: readonly SearchedRun[]): Errors {
  const lowest = Object.entries(floors).map(([name, own]) => [name, Math.max(compared, own)]);
  const all = picked(runs, { thresholds: Object.fromEntries(lowest), acrossObjects: false });
  const balanced = picked(runs, { thresholds: sets.balanced, acrossObjects: true });
  const errorOf = (picks: readonly ScoredRun[], object: string) => errorIn(labels(picks, object));
  const objects = Object.keys(sets.balanced).sort();
  return Object.fromEntries(
    objects.map((object) => [object, { candidates: errorOf(all, object), balanced: errorOf(balanced, object) }]),
  );
}

/** A Markdown table with a row per particle: the expected calibration error, what it would be by chance, and of how many picks. */
function errorTable(errors: Errors): string {
  const cells = (one: CalibrationError | undefined) =>
    one ? [one.error.toFixed(3), one.byChance.toFixed(3), one.picks] : ['–', '–', 0];
  const rows = Object.entries(errors).map(([name, { candidates, balanced }]) => [
    name.padEnd(19),
    ...cells(candidates),
    ...cells(balanced),
  ]);
  return [
    `| particle | error of picks ≥ ${compared} | by chance | picks | of balanced picks | by chance | picks |`,
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n');
}

/** The errors as the card keeps them. */
function errorSummary(errors: Errors): object {
  return Object.fromEntries(
    Object.entries(errors).map(([name, { candidates, balanced }]) => [
      name,
      { candidates: candidates && round(candidates.error), balanced: balanced && round(balanced.error) },
    ]),
  );
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
  console.log(`\n${what}, expected calibration error\n\n${errorTable(calibrationErrors(runs))}`);
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
/** Whether curves are fitted: a set that is kept is on the scale of the curves that the card has. */
const refits = !values.keep && values.choose === undefined;
const { calibrationCurves: known = {}, ...withoutCurves } = model.spec;
const found: (SearchedRun & { readonly split: string })[] = [];
for (const split of values.keep ? [] : ['validate', 'validate-hard']) {
  for (const { config } of projectsOf(split)) {
    const { runs } = await search(config, refits ? { ...model, spec: withoutCurves } : model);
    found.push(...runs.map((run) => ({ ...run, split })));
  }
}
const objects = Object.keys(card.balanced);
const fitted = refits ? fitCurves(picked(found, { thresholds: floor, acrossObjects: false }), objects) : {};
const calibrationCurves: CalibrationCurves = refits
  ? Object.fromEntries(Object.entries(fitted).map(([name, { curve }]) => [name, curve]))
  : known;
const spec = { ...withoutCurves, calibrationCurves };
const floors = floorsOf(spec);
const validation = found.map((run) => ({
  ...run,
  candidates: refits ? calibrated(run.candidates, spec) : run.candidates,
}));
const lowest = picked(validation, { thresholds: floors, acrossObjects: false });
const choice = (set: ThresholdSet) =>
  values.keep || (values.choose ?? set) !== set ? card[set] : chosen(lowest, { card: card[set], floors, set });
const competition = choice('competition');
const balanced = Object.fromEntries(
  Object.entries(choice('balanced')).map(([name, threshold]) => [name, Math.max(threshold, competition[name]!)]),
);
const sets: Sets = { balanced, competition };
if (refits) console.log(`calibration curves, [score, share of true picks]\n\n${JSON.stringify(calibrationCurves)}`);
for (const split of new Set(found.map((run) => run.split))) {
  const errors = Object.entries(fitted).map(([name, { unseen }]) => {
    const tomograms = unseen.filter((_, i) => found[i]!.split === split);
    return [name, { candidates: errorIn(tomograms, compared), balanced: undefined }] as const;
  });
  const what = `${split}, expected calibration error, each tomogram by curves fitted to the others`;
  if (refits) console.log(`\n${what}\n\n${errorTable(Object.fromEntries(errors))}`);
}
const validated = values.keep ? undefined : report(`validation: ${validation.length} tomograms`, validation);
const scores: Record<string, object> = {};
for (const { name, config } of ['test', 'hard', 'harder'].flatMap(projectsOf)) {
  const { runs, seconds, megavoxels } = await search(config, { ...model, spec });
  const speed = (seconds / megavoxels).toFixed(3);
  const reports = report(`${name}: ${runs.length} tomograms, ${speed} s per Mvoxel`, runs);
  scores[name] = {
    tomograms: runs.length,
    ...summary(reports.competition),
    balanced: balance(reports.balanced),
    calibrationError: errorSummary(calibrationErrors(runs)),
  };
}
await model.dispose();
if (values.fill) {
  const path = values.model!.replace(/\.onnx$/, '.json');
  const { calibration, provenance: before, ...old } = JSON.parse(await readFile(path, 'utf8'));
  const { calibration: fittedTo, ...others } = before ?? {};
  // A calibration of false picks is of the curves that it was fitted with.
  const kept = refits ? { calibrationCurves } : { calibration };
  if (refits && calibration)
    console.log('\nThe calibration of false picks is taken out; npm run calibrate fits it anew.');
  const provenance = {
    ...others,
    ...(!refits && { calibration: fittedTo }),
    validation: { tomograms: validation.length, ...(validated && { balanced: balance(validated.balanced) }) },
    scores: { ...others.scores, ...scores },
  };
  const filled = { ...old, thresholds: sets, ...kept, provenance };
  await writeFile(path, `${JSON.stringify(filled, null, 2)}\n`);
}
