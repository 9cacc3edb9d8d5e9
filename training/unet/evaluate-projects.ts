/**
 * Scores a model, with the thresholds of its card, on simulated projects, side by side: a column per project.
 *
 *     npx tsx --tsconfig bench/tsconfig.json training/unet/evaluate-projects.ts [--model OUT/default.onnx] DIR...
 *
 * Projects are those of simulate-seeds.ts and old-simulator.sh. Nothing is written. The package must be built.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cziiRules, detectParticles, type Report, type ScoredRun, scorePicks } from 'cryoet-picks';
import { loadModel, openProject } from 'cryoet-picks/node';
import * as ort from 'onnxruntime-node';

const { values, positionals: folders } = parseArgs({
  allowPositionals: true,
  options: { model: { type: 'string' } },
});
if (folders.length === 0) throw new Error('expected: evaluate-projects.ts [--model OUT/default.onnx] DIR...');
const model = await loadModel(ort, values.model);
const reports: Report[] = [];
for (const folder of folders) {
  const project = await openProject(join(folder, 'copick.json'));
  const runs: ScoredRun[] = [];
  for (const run of await project.runs()) {
    const picks = await detectParticles(await run.tomogram('denoised'), { model, objects: project.objects });
    runs.push({ run: run.name, truth: await run.picks({ userId: 'curation' }), picks });
  }
  reports.push(scorePicks(runs, cziiRules));
}
await model.dispose();
console.log(
  `| F4 (precision, recall; in truth) | ${folders.join(' | ')} |\n|---|${folders.map(() => '---|').join('')}`,
);
for (const object of Object.keys(cziiRules.objects)) {
  const cells = reports.map(({ objects }) => {
    const { fbeta, precision, recall, tp, fn } = objects[object]!;
    return `${fbeta.toFixed(3)} (${precision.toFixed(2)}, ${recall.toFixed(2)}; ${tp + fn})`;
  });
  console.log(`| ${[object, ...cells].join(' | ')} |`);
}
console.log(`| **score** | ${reports.map(({ score }) => `**${score.toFixed(4)}**`).join(' | ')} |`);
