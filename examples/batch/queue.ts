// What both ends of the queue know.

import type { ConnectionOptions } from 'bullmq';

/** A job: one run of a project, whose file all workers see under this path. */
export interface Search {
  readonly config: string;
  readonly run: string;
}

export const queueName: string = process.env.QUEUE ?? 'cryoet-picks';

const { hostname, port } = new URL(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');

/** Where Redis is; a worker waits until it is there, also while it starts again. */
export const connection: ConnectionOptions = { host: hostname, port: Number(port || 6379), maxRetriesPerRequest: null };
