// What both ends of the queue know.

import { createHash } from 'node:crypto';
import type { ConnectionOptions } from 'bullmq';
import type { DetectRunOptions } from 'cryoet-picks';
import { parseUri } from 'cryoet-picks/copick';

/** A job: one run of a project, whose file all workers see under this path, and how it is searched. */
export interface Search {
  readonly config: string;
  readonly run: string;
  readonly tomogram?: string | undefined;
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
}

/** The id of a job: the same for the same search, and for no other. */
export function idOf({ config, run, tomogram, userId, sessionId }: Search): string {
  return createHash('sha256')
    .update(JSON.stringify([config, run, tomogram, userId, sessionId]))
    .digest('hex');
}

export const queueName: string = process.env.QUEUE ?? 'cryoet-picks';

/**
 * Where Redis is, such as `redis://:password@host:6379/3`, or `rediss:` with TLS; a worker waits until it is there, also while it starts
 * again.
 */
export const connection: ConnectionOptions = {
  url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379',
  maxRetriesPerRequest: null,
};

/** The options of `detectRun` for a tomogram as the command line takes it: `denoised`, or `denoised@10` with its voxel spacing in Å. */
export function tomogramOptions(tomogram: string | undefined): Pick<DetectRunOptions, 'tomogram' | 'voxelSpacing'> {
  if (tomogram === undefined) return {};
  const { type, voxelSpacing } = parseUri('tomogram', tomogram);
  return { tomogram: type, ...(voxelSpacing !== '*' && { voxelSpacing: Number(voxelSpacing) }) };
}
