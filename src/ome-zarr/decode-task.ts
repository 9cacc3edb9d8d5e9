import { type Compression, decode, type Fallbacks } from '../codecs/decode.ts';
import { isCryoetPicksError, type PlainError, plainError } from '../core/errors.ts';
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

/** Smaller chunks are decoded on the caller's thread: sending them to another would take longer. */
export const MIN_SENT_BYTES: number = 2 ** 18;

/** Chunks that are sent to a thread at a time, so that it has the next one while the last result is copied. */
export const TASKS_PER_THREAD: number = 2;

/** Bytes of a local file. */
export interface FileSpan {
  readonly file: string;
  /** Absent for the whole file. */
  readonly range?: { readonly offset: number; readonly length: number } | undefined;
  /** A longer file is not read. */
  readonly maxBytes?: number | undefined;
}

/** A chunk to decode, as plain data that can be sent to a thread. */
export interface ChunkTask {
  /** The compressed bytes, or the file from which a thread can read them. */
  readonly from: Uint8Array | FileSpan;
  readonly how: Compression;
  /** Shape of the chunk in C-order, and the part of it to return, from its first element. */
  readonly shape: readonly number[];
  readonly extents: readonly number[];
  readonly itemBytes: number;
  /**
   * Memory for the result, of its length. Shared memory is written to; any other is moved to the thread with its whole buffer, and
   * comes back with the bytes.
   */
  readonly into?: Uint8Array | undefined;
}

/**
 * The reply of a thread: the decoded bytes, `'written'` if they are in shared memory, an error of the chunk, or `'refused'` if the
 * thread cannot decode it.
 */
export type ChunkReply = Uint8Array | 'written' | { readonly error: PlainError } | 'refused';

/** The bytes of a whole decoded chunk. */
export function decodedBytes({ shape, itemBytes }: Pick<ChunkTask, 'shape' | 'itemBytes'>): number {
  return shape.reduce((product, extent) => product * extent, itemBytes);
}

/** The buffers to move to the thread with a task. */
export function movedWith({ into }: ChunkTask): ArrayBuffer[] {
  return into && !isShared(into.buffer) ? [into.buffer] : [];
}

/** Decodes a chunk and crops it to `extents`. The result is in memory of its own, in `into` if possible. */
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
  // The wanted bytes are the first ones, without gaps, so there is nothing to crop.
  if (wantedBytes === length) {
    const allocate = (size: number) => (into?.length === size ? into : new Uint8Array(size));
    const decoded = await decode(bytes, how, fallbacks, { wantedBytes, allocate });
    if (into?.length !== length) return own(decoded, length);
    // Not every decoder writes to the memory that it is given.
    if (decoded.buffer !== into.buffer) into.set(decoded.subarray(0, length));
    return into;
  }
  let scratch = uncropped.take();
  const allocate = (size: number) => {
    if (scratch.length < size) scratch = new Uint8Array(size);
    return scratch;
  };
  const decoded = await decode(bytes, how, fallbacks, { wantedBytes, allocate });
  const cropped = cropChunk({ data: decoded, stride }, wanted, into).data as Uint8Array;
  uncropped.keep(scratch);
  return cropped;
}

/** Larger buffers are not kept for the next chunk. */
export const MAX_KEPT_BYTES: number = 2 ** 26;

/**
 * Unused buffers of a thread, for one use, so that they have the length that the next chunk needs: fresh memory costs as much as
 * decoding.
 */
export class Scratch {
  readonly #buffers: Uint8Array<ArrayBuffer>[] = [];

  /** Takes an unused buffer of any length, empty if no buffer is unused. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#buffers.pop() ?? new Uint8Array(0);
  }

  /** Keeps a buffer for later, unless it is too large or there is one for each chunk that a thread has at a time. */
  keep(buffer: Uint8Array<ArrayBuffer>): void {
    const isUseful = buffer.length > 0 && buffer.length <= MAX_KEPT_BYTES;
    if (isUseful && this.#buffers.length < TASKS_PER_THREAD) this.#buffers.push(buffer);
  }
}

/** Buffers of decoded chunks that are cropped. */
const uncropped = /* @__PURE__ */ new Scratch();

/** The first bytes, copied unless they fill most of their buffer, since the whole buffer may be moved. */
function own(bytes: Uint8Array, length: number): Uint8Array {
  const isMost = bytes.byteOffset === 0 && length >= (1 - MAX_PADDING_FRACTION) * bytes.buffer.byteLength;
  return isMost ? bytes.subarray(0, length) : bytes.slice(0, length);
}

/** Thrown if only a decoder of numcodecs.js would work, which threads do not have. */
const NOT_HERE = Symbol('not here');

const noFallbacks: Fallbacks = {
  blosc: () => Promise.reject(NOT_HERE),
  zstd: () => Promise.reject(NOT_HERE),
};

/**
 * Decodes a chunk in a thread.
 *
 * @param read - Reads a span of a file; returns `undefined` if the file does not contain all of it.
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
    if (isCryoetPicksError(error)) return { error: plainError(error) };
    // The caller's own thread will get the same error, and report it with its cause.
    return 'refused';
  }
}

/** Pending replies of threads. When the threads end, pending replies resolve to `'gone'`, and later requests to `'refused'`. */
export class PendingReplies {
  readonly #pending = new Set<() => void>();
  #isGone = false;

  /**
   * Sends a request. Resolves to its reply, to `'gone'` if the threads end or the request fails, or to `'refused'` if the threads
   * ended before.
   */
  ask(request: () => Promise<ChunkReply>): Promise<ChunkReply | 'gone'> {
    if (this.#isGone) return Promise.resolve('refused');
    return new Promise((resolve) => {
      const giveUp = () => resolve('gone');
      this.#pending.add(giveUp);
      const settle = (reply: ChunkReply) => {
        this.#pending.delete(giveUp);
        resolve(reply);
      };
      request().then(settle, () => this.rejectAll());
    });
  }

  /** Resolves all pending replies to `'gone'`; later requests resolve to `'refused'`. */
  rejectAll(): void {
    this.#isGone = true;
    for (const giveUp of this.#pending) giveUp();
    this.#pending.clear();
  }
}
