// A queue of your own: here an array and two workers; a job is one call of detectRun, and what all of them found is gathered.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { detectRun, formatSubmission, gatherProject } from 'cryoet-picks';
import { directoryStore, loadModel, openProject } from 'cryoet-picks/node';
import { simulateProject } from 'cryoet-picks/simulate';
import * as ort from 'onnxruntime-node';

const folder = await mkdtemp(join(tmpdir(), 'cryoet-picks-'));
await simulateProject(directoryStore(folder), { runs: 3, shape: [48, 96, 96], seed: 5 });
const project = await openProject(join(folder, 'copick.json'));
const model = await loadModel(ort);

// %% Each worker takes the next run. A run that fails is recorded in the overlay, and gathered as failed.
const waiting = (await project.runs()).map(({ name }) => name);
async function worker(): Promise<void> {
  for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) {
    try {
      const { status, picks } = await detectRun(project, run, { tomogram: 'denoised', model, resume: true });
      console.log(run, status, picks.length);
    } catch (error) {
      console.error(run, error);
    }
  }
}
await Promise.all([worker(), worker()]);
await model.dispose();

// %% Any process may gather, at any time.
const { expected, done, failed, missing, differing, picks } = await gatherProject(project);
console.log(`${done.length} of ${expected} runs done, ${failed.length} failed, ${missing.length} missing`);
for (const { run, reason } of differing) console.log(`the picks of ${run} are not like the others: ${reason}`);
for await (const one of picks()) console.log(formatSubmission([one]).split('\n')[1]);
await rm(folder, { recursive: true });
if (done.length !== expected) throw new Error('runs are missing');
