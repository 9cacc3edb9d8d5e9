// Puts the runs of a copick project into a queue on Redis, from which any number of workers take them:
//
//     npx tsx enqueue.mts copick.json --tomogram denoised@10
//
// Run it again at any time: a run that waits is not put in twice, one that failed is tried again, and of one that is done a worker
// sees whether its picks are still there.

import { realpath } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { Queue } from 'bullmq';
import { openProject } from 'cryoet-picks/node';
import { connection, idOf, queueName, type Search } from './queue.mts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { tomogram: { type: 'string' }, 'user-id': { type: 'string' }, 'session-id': { type: 'string' } },
});
// Workers may start in other folders, by other links.
const config = await realpath(positionals[0] ?? 'copick.json');
const project = await openProject(config);
const searches = (await project.runs({ namesOnly: true })).map(({ name }): Search => {
  return { config, run: name, tomogram: values.tomogram, userId: values['user-id'], sessionId: values['session-id'] };
});

const queue = new Queue<Search>(queueName, { connection });
const states = await Promise.all(searches.map((search) => queue.getJobState(idOf(search))));
const isEnded = (_: Search, i: number) => states[i] === 'failed' || states[i] === 'completed';
const isOpen = (search: Search, i: number) => states[i] === 'unknown' || isEnded(search, i);
// Redis takes no second job of the same id, be the first one ended or not.
await Promise.all(searches.filter(isEnded).map((search) => queue.remove(idOf(search))));
await queue.addBulk(
  searches.filter(isOpen).map((search) => ({
    name: 'search',
    data: search,
    opts: { jobId: idOf(search), attempts: 3, backoff: { type: 'exponential', delay: 1000 } },
  })),
);

const count = (state: string) => states.filter((one) => one === state).length;
const added = searches.filter(isOpen).length;
console.log(
  `${added} of ${searches.length} runs of ${config} put into the queue "${queueName}": ${count('unknown')} new, ` +
    `${count('failed')} failed before, ${count('completed')} done before; ${searches.length - added} are in it already`,
);
await queue.close();
