import { parentPort, workerData } from 'node:worker_threads';
import * as ort from 'onnxruntime-node';
import { type ErrorCode, isCryoetPicksError } from './errors.ts';
import type { Model, ScoreBatch, TileBatch } from './inference/model.ts';
import type { OnnxOptions } from './inference/onnx.ts';
import { openSession } from './inference/onnx-session.ts';

/**
 * The thread that holds a session of onnxruntime-node. It answers its start, and then each batch of tiles, with one reply,
 * in order; `null` instead of tiles releases the session and ends the thread.
 *
 * @module
 */

/** What the thread is started with. */
export interface WorkerStart extends Omit<OnnxOptions, 'signal'> {
  readonly file: Uint8Array<ArrayBuffer>;
  /** Shared: set to 1 by whoever asks, to 0 here when the runtime has finished. */
  readonly busy: Int32Array<SharedArrayBuffer>;
}

/** What it is sent, when it is not busy. */
export type WorkerRequest = TileBatch | null;

/** What it answers: scores, an error, or that it is ready. */
export type WorkerReply =
  | { readonly scores: ScoreBatch }
  | { readonly error: WorkerError }
  | { readonly done: 'opened' | 'released' };

/** An error on its way from the thread. */
export interface WorkerError {
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly cause: string | undefined;
}

const port = parentPort!;
const { file, busy, ...options } = workerData as WorkerStart;

function reply(message: WorkerReply): void {
  // First, since the reply may bring the next request, which sets it again.
  Atomics.store(busy, 0, 0);
  Atomics.notify(busy, 0);
  port.postMessage(message, 'scores' in message ? [message.scores.data.buffer as ArrayBuffer] : []);
}

function replyError(error: unknown): void {
  const cause = error instanceof Error ? error.cause : undefined;
  reply({
    error: {
      code: isCryoetPicksError(error) ? error.code : undefined,
      message: messageOf(error),
      cause: cause === undefined ? undefined : messageOf(cause),
    },
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function answer(model: Model, request: WorkerRequest): Promise<void> {
  try {
    if (request !== null) {
      reply({ scores: await model.score(request) });
      return;
    }
    port.close();
    await model.dispose();
    reply({ done: 'released' });
  } catch (error) {
    replyError(error);
  }
}

try {
  const model = await openSession(ort, file, options);
  port.on('message', (request: WorkerRequest) => void answer(model, request));
  reply({ done: 'opened' });
} catch (error) {
  // Nothing listens any more, so the thread ends.
  replyError(error);
}
