/**
 * Chooses a model's thresholds on the validation projects and scores the model on test projects, through the built package, as a
 * user would.
 *
 *     npm run evaluate -- DIR [--model OUT/default.onnx] [--fill | --keep]
 *
 * DIR is the output of make-data.ts; the default model is that of the package. --fill writes thresholds and scores into the model
 * card; --keep uses the thresholds of the card.
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  cziiRules,
  detectProject,
  type Model,
  type Report,
  type ScoredRun,
  type SweepCurve,
  scorePicks,
  sweepThresholds,
} from 'cryoet-picks';
import { loadModel, openProject } from 'cryoet-picks/node';
import * as ort from 'onnxruntime-node';

/** Minimum score of a candidate: of those below, hardly one in a hundred is right. */
const floor = 0.02;
const userId = 'evaluate';

type Thresholds = Readonly<Record<string, number>>;

interface Detected {
  readonly runs: readonly ScoredRun[];
  readonly seconds: number;
  readonly megavoxels: number;
}

/** Detects all runs of a project and writes the picks into its overlay, replacing those of an earlier call. */
async function detect(config: string, model: Model, thresholds: Thresholds): Promise<Detected> {
  const project = await openProject(config);
  const runs: ScoredRun[] = [];
  let megavoxels = 0;
  const started = performance.now();
  for await (const result of detectProject(project, { tomogram: 'denoised', model, thresholds, userId })) {
    if (result.status === 'failed') throw result.error;
    const run = await project.run(result.run);
    const [z, y, x] = (await run.tomogram('denoised')).grid.shape;
    megavoxels += (z * y * x) / 1e6;
    runs.push({ run: run.name, truth: await run.picks({ userId: 'curation' }), picks: result.picks });
  }
  return { runs, seconds: (performance.now() - started) / 1000, megavoxels };
}

/** Tolerance of F4: its random variation with so few particles. */
const tolerance = 0.005;

/**
 * Chooses for each object the highest threshold that is as good as the best one, rounded down, which keeps false positives few.
 * Compares F4 for objects that the competition scores, F1 for others. An object without candidates keeps the threshold of the card.
 */
function chosen(runs: readonly ScoredRun[], card: Thresholds): Thresholds {
  const { objects } = sweepThresholds(runs);
  return Object.fromEntries(
    Object.entries(card).map(([name, usual]) => {
      const { best, curve } = objects[name] ?? {};
      if (!best || !curve) return [name, usual];
      const values = cziiRules.objects[name]?.weight === 0 ? f1(curve) : curve.fbeta;
      const most = values.reduce((a, b) => Math.max(a, b), 0);
      const highest = curve.thresholds.filter((_, i) => values[i]! >= most - tolerance).at(-1)!;
      return [name, Math.floor(highest * 1000) / 1000];
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

function summary({ objects, score }: Report): object {
  const round = (value: number) => Number(value.toFixed(4));
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

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string' },
    fill: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
const [folder] = positionals;
if (folder === undefined || (values.fill && (values.model === undefined || values.keep))) {
  throw new Error('expected: evaluate.ts DIR [--model OUT/default.onnx [--fill]] [--keep]');
}
const model = await loadModel(ort, values.model);
const classes = model.spec.classes.filter((name) => name !== null);
const configOf = (split: string) => join(folder, split, 'copick.json');
const low = Object.fromEntries(classes.map((name) => [name, floor]));
const validation: ScoredRun[] = [];
const validating = values.keep ? [] : ['validate', 'validate-hard'];
for (const split of validating) validation.push(...(await detect(configOf(split), model, low)).runs);
const card = Object.fromEntries(classes.map((name) => [name, model.spec.thresholds?.[name] ?? 0.5]));
const thresholds = values.keep ? card : chosen(validation, card);
const scores: Record<string, object> = {};
for (const split of ['test', 'hard']) {
  if (!existsSync(configOf(split))) continue;
  const { runs, seconds, megavoxels } = await detect(configOf(split), model, thresholds);
  const report = scorePicks(runs);
  const speed = (seconds / megavoxels).toFixed(3);
  console.log(`\n${split}: ${runs.length} tomograms, ${speed} s per Mvoxel\n\n${table(report, thresholds)}`);
  scores[split] = { tomograms: runs.length, ...summary(report) };
}
await model.dispose();
if (values.fill) {
  const path = values.model!.replace(/\.onnx$/, '.json');
  const old = JSON.parse(await readFile(path, 'utf8'));
  const provenance = { ...old.provenance, validation: { tomograms: validation.length }, scores };
  await writeFile(path, `${JSON.stringify({ ...old, thresholds, provenance }, null, 2)}\n`);
}
