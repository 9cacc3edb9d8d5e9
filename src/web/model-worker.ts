import { expose, transfer } from 'comlink';
import { CryoetPicksError } from '../core/errors.ts';
import type { ScoreBatch, ScoreCallOptions, TileBatch } from '../inference/model.ts';
import { type OnnxOptions, type OrtModule, openSession, type SessionModel } from '../inference/onnx.ts';
import { type SentError, sentError } from '../inference/thread.ts';

/**
 * The thread of `load-model.ts`, built into one file. It imports ONNX Runtime itself, since modules cannot be sent to it, and scores
 * batches one after the other.
 *
 * @module
 */

/** What the thread is opened with. */
export interface ThreadStart extends Omit<OnnxOptions, 'signal' | 'externalData'> {
  /** The absolute address of the module of ONNX Runtime. */
  readonly runtime: string;
  readonly file: Uint8Array;
}

/** A reply of the thread: scores with the memory of their tiles, an error, or that it is ready. */
export type ThreadReply =
  | { readonly scores: ScoreBatch; readonly tiles: Float32Array }
  | { readonly error: SentError }
  | { readonly done: true; readonly featureCount: number | undefined };

/** The requests to the thread. */
export interface ModelThread {
  open(start: ThreadStart): Promise<ThreadReply>;
  /** The memory of the tiles was moved here, and goes back with the scores. */
  score(tiles: TileBatch, output?: ScoreCallOptions['output']): Promise<ThreadReply>;
}

let model: SessionModel | undefined;
/** Rejects when the browser takes the graphics card away: a call that is under way may then never end. */
let lose: (error: CryoetPicksError) => void = () => {};
const lost = new Promise<never>((_, reject) => {
  lose = reject;
});
lost.catch(() => {});
let last: Promise<unknown> = Promise.resolve();

const thread: ModelThread = {
  open: ({ runtime, file, ...options }) =>
    replyOf(async () => {
      const ort = await importRuntime(runtime);
      const { env } = ort;
      // Its threads share memory, which only an isolated page has.
      if (env) env.wasm.numThreads = globalThis.crossOriginIsolated ? (options.threads ?? spareCores()) : 1;
      model = await openSession(ort, file, options);
      if (options.device === 'webgpu') await watchCard(ort);
      return { done: true, featureCount: model.featureCount };
    }),
  async score(tiles, output) {
    const scored = last.then(() =>
      replyOf(async () => ({ scores: await Promise.race([lost, model!.score(tiles, { output })]), tiles: tiles.data })),
    );
    last = scored;
    const reply = await scored;
    if (!('scores' in reply)) return reply;
    return transfer(reply, [reply.scores.data.buffer, reply.tiles.buffer] as ArrayBuffer[]);
  },
};

async function importRuntime(address: string): Promise<OrtModule> {
  try {
    return (await import(/* @vite-ignore */ /* webpackIgnore: true */ address)) as OrtModule;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `cannot import onnxruntime-web, which runs the network, from ${address}: ${reason}`;
    throw new CryoetPicksError('model-failed', message, { cause });
  }
}

/** A graphics card, as far as it is used here. */
interface Card {
  readonly lost: Promise<{ readonly message: string; readonly reason: string }>;
}

/** Ends the calls that wait when the card that the runtime computes on is lost. */
async function watchCard({ env }: OrtModule): Promise<void> {
  const card = (await env?.webgpu.device) as Card | undefined;
  card?.lost.then(({ message, reason }) => {
    lose(new CryoetPicksError('model-failed', `the graphics card is lost: ${message || reason}`));
  });
}

/** All cores but one, which the page needs. */
function spareCores(): number {
  return Math.max(1, (navigator.hardwareConcurrency ?? 2) - 1);
}

async function replyOf(work: () => Promise<ThreadReply>): Promise<ThreadReply> {
  try {
    return await work();
  } catch (error) {
    return { error: sentError(error) };
  }
}

expose(thread);
