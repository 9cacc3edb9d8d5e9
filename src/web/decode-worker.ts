import { expose, transfer } from 'comlink';
import { answerTask, type ChunkReply, type ChunkTask } from '../ome-zarr/decode-task.ts';

/**
 * The thread of `decode-pool.ts`, built into one file without imports. It receives compressed bytes and decodes them into shared
 * memory, or moves the result to the caller.
 *
 * @module
 */

/** The requests to the thread. */
export interface ChunkThread {
  /** Replies as soon as the script is loaded. */
  ping(): ChunkReply;
  answer(task: ChunkTask): Promise<ChunkReply>;
}

const thread: ChunkThread = {
  ping: () => 'refused',
  async answer(task) {
    const reply = await answerTask(task, () => undefined);
    return reply instanceof Uint8Array ? transfer(reply, [reply.buffer]) : reply;
  },
};

expose(thread);
