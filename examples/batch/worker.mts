// Searches runs that wait in the queue, until it is stopped:
//
//     node --import tsx worker.mts
//
// Start as many as you like, on any machines that see the project. SIGTERM ends one after its run.

import { UnrecoverableError, Worker } from 'bullmq';
import { detectRun, isCryoetPicksError, type Project } from 'cryoet-picks';
import { loadModel, openProject } from 'cryoet-picks/node';
import * as ort from 'onnxruntime-node';
import { connection, queueName, type Search, tomogramOptions } from './queue.mts';

/** What another try may mend; a tomogram that is broken stays so. */
const passing: ReadonlySet<string> = new Set(['unavailable', 'write-failed']);

const model = await loadModel(ort, process.env.MODEL);
const projects = new Map<string, Project>();

async function search({ config, run, tomogram, userId, sessionId }: Search): Promise<string> {
  const project = projects.get(config) ?? (await openProject(config));
  projects.set(config, project);
  try {
    // With `resume`, a run that another worker has done is not searched again.
    const { picks, status } = await detectRun(project, run, {
      ...{ model, userId, sessionId, resume: true },
      ...tomogramOptions(tomogram),
    });
    return `${picks.length} picks${status === 'skipped' ? ', done before' : ''}`;
  } catch (error) {
    if (!isCryoetPicksError(error) || passing.has(error.code)) throw error;
    throw new UnrecoverableError(`${error.code}: ${error.message}`);
  }
}

const worker = new Worker<Search, string>(queueName, async ({ data }) => search(data), {
  connection,
  // A worker that is killed holds its run for so long, in ms; then another takes it.
  lockDuration: Number(process.env.LOCK_MS ?? 60_000),
  stalledInterval: Number(process.env.STALLED_MS ?? 30_000),
  maxStalledCount: 10,
});
worker.on('completed', ({ data }, found) => console.log(`${data.run}  ${found}`));
worker.on('failed', (job, error) => console.error(`${job?.data.run} failed: ${error.message}`));
worker.on('error', (error) => console.error(error.message));

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void worker.close().then(() => model.dispose()));
}
