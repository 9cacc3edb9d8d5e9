// Prints what is in the queue of examples/batch, as JSON.

import { Queue } from 'bullmq';
import { connection, queueName, type Search } from '../../../examples/batch/queue.mts';

const queue = new Queue<Search>(queueName, { connection });
const { waiting = 0, active = 0, delayed = 0 } = await queue.getJobCounts('waiting', 'active', 'delayed');
const failed = (await queue.getFailed()).map(({ data, attemptsMade }) => ({ run: data.run, attempts: attemptsMade }));
process.stdout.write(JSON.stringify({ left: waiting + active + delayed, failed }));
await queue.close();
