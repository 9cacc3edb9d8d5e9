import { parentPort, workerData } from 'node:worker_threads';
import * as ort from 'onnxruntime-node';
import type { ScoreBatch, ScoreCallOptions, TileBatch } from '../inference/model.ts';
import { type OnnxOptions, openSession, type SessionModel } from '../inference/onnx.ts';
import { type SentError, sentError } from '../inference/thread.ts';

/**
 * The thread that holds a session of onnxruntime-node. It answers its start, and then each batch of tiles, with one reply,
 * in order; `null` instead of tiles releases the session and ends the thread.
 *
 * @module
 */

/** What the thread is started with. */
export interface WorkerStart extends Omit<OnnxOptions, 'signal'> {
  readonly file: Uint8Array<ArrayBuffer>;
  /** Shared: how many answers are owed; raised with each question, lowered here when the runtime has finished, far below 0 when the thread ends. */
  readonly busy: Int32Array<SharedArrayBuffer>;
}

/** A request to the thread: tiles to score, whose memory is moved there, or to end. */
export type WorkerRequest = TilesRequest | null;

/** Tiles to score. */
export interface TilesRequest {
  readonly tiles: TileBatch;
  readonly output: ScoreCallOptions['output'];
  /** Memory of an earlier result, for this one. */
  readonly into: Float32Array<ArrayBuffer> | undefined;
  /** Shared: not 0 if the call was aborted. */
  readonly aborted: Int32Array<SharedArrayBuffer>;
}

/** A reply of the thread, in the order of the requests: scores with the memory of their tiles, an error, or that it is ready. */
export type WorkerReply =
  | { readonly scores: ScoreBatch; readonly tiles: Float32Array }
  | { readonly error: SentError; readonly into?: Float32Array | undefined }
  | { readonly done: 'opened'; readonly featureCount: number | undefined }
  | { readonly done: 'released' };

const port = parentPort!;
const { file, busy, ...options } = workerData as WorkerStart;

// Once the thread ends there is no reply to come, so a process that exits must not wait for one.
process.on('exit', () => {
  Atomics.store(busy, 0, -(2 ** 30));
  Atomics.notify(busy, 0);
});

function reply(message: WorkerReply): void {
  Atomics.sub(busy, 0, 1);
  Atomics.notify(busy, 0);
  const arrays = 'scores' in message ? [message.scores.data, message.tiles] : [];
  if ('error' in message && message.into) arrays.push(message.into);
  port.postMessage(
    message,
    arrays.map(({ buffer }) => buffer as ArrayBuffer),
  );
}

function replyError(error: unknown, { into }: Partial<TilesRequest> = {}): void {
  reply({ error: sentError(error), into });
}

async function answer(model: SessionModel, request: WorkerRequest): Promise<void> {
  try {
    if (request !== null) {
      const { tiles, output, into, aborted } = request;
      if (Atomics.load(aborted, 0) !== 0) throw new Error('aborted before its turn');
      reply({ scores: await model.score(tiles, { output, into }), tiles: tiles.data });
      return;
    }
    port.close();
    await model.dispose();
    reply({ done: 'released' });
  } catch (error) {
    replyError(error, request ?? {});
  }
}

try {
  const model = await openSession(ort, file, options);
  // One after the other: the runtime gives way to other messages before each run.
  let last: Promise<void> = Promise.resolve();
  // Thrown out of the thread, the error ends it and reaches those who wait.
  port.on('messageerror', (error) => {
    throw error;
  });
  port.on('message', (request: WorkerRequest) => {
    last = last.then(() => answer(model, request));
  });
  reply({ done: 'opened', featureCount: model.featureCount });
} catch (error) {
  // Nothing listens any more, so the thread ends.
  replyError(error);
}
