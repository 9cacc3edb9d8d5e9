import { type Compression, decode, type Fallbacks } from '../codecs/decode.ts';
import { type ErrorCode, isCryoetPicksError } from '../core/errors.ts';
import { contiguousStrides, cropChunk, MAX_PADDING_FRACTION } from './chunk.ts';
import { isShared } from './chunk-memory.ts';

/** Threads that decode chunks. */
export interface DecodePool {
  /** Decodes a chunk in a thread; `'gone'` if the thread ends meanwhile, which may still write for a moment. */
  decode(task: ChunkTask): Promise<ChunkReply | 'gone'>;
}

/** The threads that decode chunks of OME-Zarr images. Images opened with equal options share them. */
export interface DecodeWorkersOptions {
  /** Number of threads; 0 decodes on the caller's thread. @defaultValue the number of cores, at most 4 */
  readonly count?: number | undefined;
  /**
   * Address of the worker's script, for pages whose bundler did not include it: a copy of `dist/decode-worker.js` of this
   * package, served from the page's own origin. Browsers only.
   */
  readonly script?: string | URL | undefined;
}

/** Smaller chunks are decoded where they are asked for: the way to a thread and back would take longer. */
export const MIN_SENT_BYTES: number = 2 ** 18;

/** Chunks that a thread is given at a time: it goes on with the next one while the last is copied. */
export const TASKS_PER_THREAD: number = 2;

/** Where bytes lie in a file of this machine. */
export interface FileSpan {
  readonly file: string;
  /** Absent where it is the whole file. */
  readonly range?: { readonly offset: number; readonly length: number } | undefined;
}

/** A chunk to decode, as plain data: fit to be sent to a thread. */
export interface ChunkTask {
  /** The compressed bytes, or where a thread can read them. */
  readonly from: Uint8Array | FileSpan;
  readonly how: Compression;
  /** Shape of the chunk, C-order, and what of it is wanted, from its first element. */
  readonly shape: readonly number[];
  readonly extents: readonly number[];
  readonly itemBytes: number;
  /**
   * Memory to decode into, of the length of what is wanted. Where threads share it, it is written to; else it is moved to the
   * thread, all of its buffer, and comes back with the bytes.
   */
  readonly into?: Uint8Array | undefined;
}

/**
 * What a thread answers: the decoded bytes, or that they are where they were wanted; what is wrong with the chunk, or that it
 * cannot decode this one.
 */
export type ChunkReply =
  | Uint8Array
  | 'written'
  | { readonly error: { readonly code: ErrorCode; readonly message: string } }
  | 'refused';

/** Bytes of a chunk, all of it. */
export function decodedBytes({ shape, itemBytes }: Pick<ChunkTask, 'shape' | 'itemBytes'>): number {
  return shape.reduce((product, extent) => product * extent, itemBytes);
}

/** The buffers that a task moves to its thread. */
export function movedWith({ into }: ChunkTask): ArrayBuffer[] {
  return into && !isShared(into.buffer) ? [into.buffer] : [];
}

/** Decodes a chunk and cuts off what is not wanted of it; what is left is in memory of its own, in `into` where possible. */
export async function decodeChunk(
  bytes: Uint8Array,
  { how, shape, extents, itemBytes, into }: Omit<ChunkTask, 'from'>,
  fallbacks: Fallbacks,
): Promise<Uint8Array> {
  const inBytes = (lengths: readonly number[]) => [...lengths.slice(0, -1), lengths.at(-1)! * itemBytes];
  const stride = contiguousStrides(inBytes(shape));
  const wanted = inBytes(extents);
  const length = wanted.reduce((product, extent) => product * extent, 1);
  const wantedBytes = wanted.reduce((last, extent, axis) => last + (extent - 1) * stride[axis]!, 1);
  // The wanted bytes are the first ones, without gaps: nothing is to be cut out.
  if (wantedBytes === length) {
    const allocate = (size: number) => (into?.length === size ? into : new Uint8Array(size));
    const decoded = await decode(bytes, how, fallbacks, { wantedBytes, allocate });
    if (into?.length !== length) return own(decoded, length);
    // Not every decoder can be told where to write to.
    if (decoded.buffer !== into.buffer) into.set(decoded.subarray(0, length));
    return into;
  }
  let memory = scratches.pop();
  const allocate = (size: number) => {
    if (!memory || memory.length < size) memory = new Uint8Array(size);
    return memory;
  };
  const decoded = await decode(bytes, how, fallbacks, { wantedBytes, allocate });
  const cropped = cropChunk({ data: decoded, stride }, wanted, into).data as Uint8Array;
  if (memory && memory.length <= MAX_KEPT_BYTES && scratches.length < TASKS_PER_THREAD) scratches.push(memory);
  return cropped;
}

/** Larger memory is not kept for the next chunk. */
export const MAX_KEPT_BYTES: number = 2 ** 26;

/** Where chunks are decoded that are cut afterwards: fresh memory costs as much as decoding. Those in use are not here. */
const scratches: Uint8Array[] = [];

/** The first bytes in a buffer that holds nothing else to speak of, since it may be moved. */
function own(bytes: Uint8Array, length: number): Uint8Array {
  const isMost = bytes.byteOffset === 0 && length >= (1 - MAX_PADDING_FRACTION) * bytes.buffer.byteLength;
  return isMost ? bytes.subarray(0, length) : bytes.slice(0, length);
}

/** Thrown where only a decoder of numcodecs.js would do, which threads do not have. */
const NOT_HERE = Symbol('not here');

const noFallbacks: Fallbacks = {
  blosc: () => Promise.reject(NOT_HERE),
  zstd: () => Promise.reject(NOT_HERE),
};

/**
 * Answers a task in a thread.
 *
 * @param read - Reads a span of a file; `undefined` where it is not there as a whole.
 */
export async function answerTask(
  task: ChunkTask,
  read: (span: FileSpan) => Uint8Array | undefined,
): Promise<ChunkReply> {
  const bytes = task.from instanceof Uint8Array ? task.from : read(task.from);
  if (!bytes) return 'refused';
  try {
    const decoded = await decodeChunk(bytes, task, noFallbacks);
    return isShared(decoded.buffer) ? 'written' : decoded;
  } catch (error) {
    if (isCryoetPicksError(error)) return { error: { code: error.code, message: error.message } };
    // The caller's own thread will meet the same failure, and report it with its cause.
    return 'refused';
  }
}

/** Answers of something that may go away: then all that are waited for tell so, and all later ones are refusals. */
export class PendingReplies {
  readonly #waiting = new Set<() => void>();
  #isGone = false;

  /**
   * The answer, or `'gone'` if it never comes because its source goes meanwhile, as it does if an answer fails; a refusal if the source had
   * gone before.
   */
  ask(answer: () => Promise<ChunkReply>): Promise<ChunkReply | 'gone'> {
    if (this.#isGone) return Promise.resolve('refused');
    return new Promise((resolve) => {
      const giveUp = () => resolve('gone');
      this.#waiting.add(giveUp);
      const settle = (reply: ChunkReply) => {
        this.#waiting.delete(giveUp);
        resolve(reply);
      };
      answer().then(settle, () => this.rejectAll());
    });
  }

  /** Answers nothing any more, from now on. */
  rejectAll(): void {
    this.#isGone = true;
    for (const giveUp of this.#waiting) giveUp();
    this.#waiting.clear();
  }
}
