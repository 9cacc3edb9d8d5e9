import { expose, transfer } from 'comlink';
import { answerTask, type ChunkReply, type ChunkTask } from '../ome-zarr/decode-task.ts';

/**
 * The thread of `web-decode-pool.ts`, built into one file without imports: it takes compressed bytes and decodes them into
 * memory of whoever asked, or else moves them there.
 *
 * @module
 */

/** What the thread can be asked. */
export interface ChunkThread {
  /** Answers as soon as the script is loaded. */
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
