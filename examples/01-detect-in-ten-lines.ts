// Detect in ten lines: a copick project in, picks and a score out.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseObjects, cziiRules, detectParticles, scorePicks } from 'cryoet-picks';
import { directoryStore, loadModel, openProject } from 'cryoet-picks/node';
import { simulateProject } from 'cryoet-picks/simulate';
import * as ort from 'onnxruntime-node';

// %% A project to work on: one small simulated run with known particles. Yours is already on disk.
const folder = await mkdtemp(join(tmpdir(), 'cryoet-picks-'));
await simulateProject(directoryStore(folder), { runs: 1, seed: 11, shape: [64, 128, 128] });

// %% The ten lines.
const project = await openProject(join(folder, 'copick.json'));
const [run] = await project.runs();
const tomogram = await run!.tomogram('denoised', { voxelSpacing: 10 });
const model = await loadModel(ort);
const picks = await detectParticles(tomogram, { model, objects: project.objects });
const { classes } = chooseObjects(model.spec, project.objects); // a file for each, even without picks
await run!.writePicks(picks, { userId: 'cryoet-picks', sessionId: '0', objects: classes });
await model.dispose();

// %% The simulator wrote the truth as user "curation", as the competition does; so there is something to score against.
const truth = await run!.picks({ userId: 'curation' });
const report = scorePicks([{ run: run!.name, truth, picks }], cziiRules);
for (const [name, { tp, fp, fn, fbeta }] of Object.entries(report.objects)) {
  console.log(`${name.padEnd(22)} found ${tp} of ${tp + fn}, ${fp} extra, F4 ${fbeta.toFixed(3)}`);
}
console.log(`official score ${report.score.toFixed(3)}`);

// %% Tidy up.
await rm(folder, { recursive: true });
