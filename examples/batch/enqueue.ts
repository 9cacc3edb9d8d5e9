// Puts the runs of a copick project into a queue on Redis, from which any number of workers take them:
//
//     npx tsx enqueue.ts copick.json
//
// Run it again at any time: a run that waits is not put in twice, and one that is done is skipped by its worker.

import { Queue } from 'bullmq';
import { openProject } from 'cryoet-picks/node';
import { connection, queueName, type Search } from './queue.ts';

const config = process.argv[2] ?? 'copick.json';
const queue = new Queue<Search>(queueName, { connection });
const project = await openProject(config);
const runs = await project.runs({ namesOnly: true });
await queue.addBulk(
  runs.map(({ name }) => ({
    name: 'search',
    data: { config, run: name },
    opts: {
      // Colons have a meaning in keys of Redis.
      jobId: encodeURIComponent(`run ${name}`),
      attempts: 3,
      backoff: { type: 'exponential', delay: 1000 },
      removeOnComplete: true,
      removeOnFail: false,
    },
  })),
);
console.log(`${runs.length} runs of ${config} wait in the queue "${queueName}"`);
await queue.close();
