import type { Model, TileBatch } from './inference/model.ts';
import type { OnnxOptions } from './inference/onnx.ts';
import { tieScoreGiven } from './inference/score-given.ts';
import { CALLS_AHEAD, SessionThread } from './node-session-thread.ts';

/**
 * Loads an ONNX network in a thread of its own, with onnxruntime-node: `onnxModel` with the same checks and messages, but
 * this thread stays free while it computes.
 *
 * An aborted call rejects at once; the runtime finishes a batch it has begun in the background, and the next call waits for
 * it. Two calls are sent ahead, so that the runtime never waits for this thread. The thread keeps the process alive only while it computes or somebody waits for it.
 *
 * @param script - The built `onnx-worker.js`.
 * @throws {@link CryoetPicksError} as `onnxModel`; later also `model-failed` if the thread dies or the model was disposed.
 */
export async function workerModel(script: URL, file: Uint8Array, options: OnnxOptions): Promise<Model> {
  options.signal?.throwIfAborted();
  const thread = new SessionThread(script, file, options);
  try {
    await thread.opened(options.signal);
  } catch (error) {
    // After an abort it is still opening; nobody has to wait for that.
    void thread.close();
    throw error;
  }
  const score: Model['score'] = (tiles, { signal } = {}) => thread.score(tiles, signal);
  return {
    spec: options.spec,
    // Copied when their turn comes, or moved away where nobody needs them, and never looked at again.
    keepsTiles: false,
    callsAtOnce: CALLS_AHEAD,
    score: tieScoreGiven(score, (tiles, { signal } = {}) => thread.scoreGiven(() => whole(tiles), signal)),
    dispose: () => thread.close(),
  };
}

/** The same tiles in memory that holds nothing else. */
function whole({ data, shape }: TileBatch): TileBatch {
  const { buffer, byteLength } = data;
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength
    ? { data, shape }
    : { data: data.slice(), shape };
}
