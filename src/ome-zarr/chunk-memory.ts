/**
 * Memory of decoded chunks, which is used again for later chunks: fresh memory costs a page fault per 4 kB, which takes as long as
 * decoding, and its garbage is collected late.
 */
export interface ChunkMemory {
  /** Memory of this length, with undefined content; `undefined` if none is left. */
  take(bytes: number): Uint8Array | undefined;
  /** Takes memory back as a whole. Memory that cannot be used again is left to the garbage collector. */
  give(memory: ArrayBufferView): void;
  /** Stops using memory that a thread may still write to, together with its whole segment. */
  forget(memory: ArrayBufferView): void;
}

/**
 * Creates memory for the chunks of one array: shared with the threads, or, on pages that may not share memory, buffers that move to
 * the threads and back.
 *
 * @param options - `totalBytes` of all chunks of the array, and `spareBytes` to keep for later chunks if buffers move.
 */
export function chunkMemory({
  totalBytes,
  spareBytes,
}: {
  readonly totalBytes: number;
  readonly spareBytes: number;
}): ChunkMemory {
  return typeof SharedArrayBuffer === 'undefined' ? new SpareBuffers(spareBytes) : new SharedMemory(totalBytes);
}

/** True for a buffer that all threads share, so that it cannot be moved to one. */
export function isShared(buffer: ArrayBufferLike): buffer is SharedArrayBuffer {
  return buffer[Symbol.toStringTag] === 'SharedArrayBuffer';
}

/** Buffers of chunks that are no longer read. They can be moved to threads. */
export class SpareBuffers implements ChunkMemory {
  readonly #maxBytes: number;
  #bytes = 0;
  /** Lengths that were requested; buffers of other lengths are not kept. */
  readonly #lengths = new Set<number>();
  #buffers: ArrayBuffer[] = [];

  /** @param maxBytes - Maximum number of bytes to keep. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** A whole buffer of exactly this length. */
  take(bytes: number): Uint8Array<ArrayBuffer> | undefined {
    this.#lengths.add(bytes);
    const at = this.#buffers.findIndex(({ byteLength }) => byteLength === bytes);
    if (at < 0) return undefined;
    this.#bytes -= bytes;
    const [buffer] = this.#buffers.splice(at, 1);
    return new Uint8Array(buffer!);
  }

  /** Keeps a buffer, and drops the oldest ones beyond the maximum. */
  give({ buffer, byteLength }: ArrayBufferView): void {
    if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== byteLength || !this.#lengths.has(byteLength)) return;
    this.#buffers.push(buffer);
    this.#bytes += byteLength;
    while (this.#bytes > this.#maxBytes) this.#bytes -= this.#buffers.shift()!.byteLength;
  }

  /** Nothing to do: this object holds no buffer that is in use. */
  forget(): void {}
}

/** Every piece starts at a multiple of this, which suits numbers of any type. */
const ALIGNMENT = 64;

/** Unused bytes of a segment: from `start` to before `end`. */
interface Gap {
  readonly start: number;
  readonly end: number;
}

/** Allocates pieces of shared segments, first fit. */
export class SharedMemory implements ChunkMemory {
  readonly #totalBytes: number;
  /** The gaps of each segment, in order, with used bytes between them. */
  readonly #segments = new Map<SharedArrayBuffer, Gap[]>();

  /** @param totalBytes - Bytes of all chunks of the array. */
  constructor(totalBytes: number) {
    this.#totalBytes = totalBytes;
    releaseOnGc(this, this.#segments);
  }

  take(bytes: number): Uint8Array | undefined {
    const size = aligned(bytes);
    for (const [segment, gaps] of this.#segments) {
      const at = gaps.findIndex(({ start, end }) => end - start >= size);
      if (at >= 0) return takeFrom(segment, gaps, at, bytes);
    }
    const segment = takeSegment(size, aligned(this.#totalBytes));
    if (!segment) return undefined;
    const gaps = [{ start: 0, end: segment.byteLength }];
    this.#segments.set(segment, gaps);
    return takeFrom(segment, gaps, 0, bytes);
  }

  give({ buffer, byteOffset, byteLength }: ArrayBufferView): void {
    const segment = buffer as SharedArrayBuffer;
    const gaps = this.#segments.get(segment);
    if (!gaps) return;
    gaps.push({ start: byteOffset, end: byteOffset + aligned(byteLength) });
    gaps.sort((a, b) => a.start - b.start);
    const left = joined(gaps);
    const isFree = left[0]!.start === 0 && left[0]!.end === segment.byteLength;
    if (!isFree) {
      this.#segments.set(segment, left);
      return;
    }
    this.#segments.delete(segment);
    releaseSegment(segment);
  }

  forget({ buffer }: ArrayBufferView): void {
    this.#segments.delete(buffer as SharedArrayBuffer);
  }
}

/** Joins gaps that touch. */
function joined(gaps: readonly Gap[]): Gap[] {
  const found: Gap[] = [];
  for (const { start, end } of gaps) {
    const before = found.at(-1);
    if (before?.end === start) found[found.length - 1] = { start: before.start, end };
    else found.push({ start, end });
  }
  return found;
}

function takeFrom(segment: SharedArrayBuffer, gaps: Gap[], at: number, bytes: number): Uint8Array {
  const { start, end } = gaps[at]!;
  const rest = start + aligned(bytes);
  gaps.splice(at, 1, ...(rest < end ? [{ start: rest, end }] : []));
  return new Uint8Array(segment, start, bytes);
}

function aligned(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / ALIGNMENT)) * ALIGNMENT;
}

/**
 * Large enough that the operating system maps it separately and gets it back whole. Smaller blocks lie in the heap of the C library,
 * which keeps the gaps between them.
 */
export const SEGMENT_BYTES: number = 2 ** 26;

/**
 * Maximum of all segments of the process together: enough for one tomogram with the largest default cache. JavaScript engines do
 * not count shared memory and may keep it long after its tomogram is unreachable, so beyond this, ordinary memory is used.
 */
export const MAX_BYTES: number = 5 * SEGMENT_BYTES;

let allBytes = 0;
/** Unused segments, until they are collected as garbage. */
let unused: WeakRef<SharedArrayBuffer>[] = [];
let collected: FinalizationRegistry<() => void> | undefined;

/**
 * Takes an unused segment, or creates one.
 *
 * @param minBytes - Minimum length of the segment.
 * @param totalBytes - All that the caller will ever need; the segment need not be larger.
 * @returns `undefined` if all segments together would exceed {@link MAX_BYTES}, or the allocation fails.
 */
function takeSegment(minBytes: number, totalBytes: number): SharedArrayBuffer | undefined {
  const bytes = Math.max(minBytes, Math.min(SEGMENT_BYTES, totalBytes));
  const segments = unused.map((reference) => reference.deref()).filter((segment) => segment !== undefined);
  const used = segments.find(({ byteLength }) => byteLength === bytes);
  unused = segments.filter((segment) => segment !== used).map((segment) => new WeakRef(segment));
  if (used) return used;
  return allBytes + bytes > MAX_BYTES ? undefined : newSegment(bytes);
}

/** Makes a segment available to later calls of {@link takeSegment}. */
function releaseSegment(segment: SharedArrayBuffer): void {
  unused.push(new WeakRef(segment));
}

/** Releases the segments of an owner when the owner is collected as garbage. */
function releaseOnGc(owner: object, segments: ReadonlyMap<SharedArrayBuffer, unknown>): void {
  whenCollected(owner, () => {
    for (const segment of segments.keys()) releaseSegment(segment);
  });
}

/** Calls `then` after the target was collected; `then` must not refer to the target. */
function whenCollected(target: object, then: () => void): void {
  collected ??= new FinalizationRegistry((run) => run());
  collected.register(target, then);
}

function newSegment(bytes: number): SharedArrayBuffer | undefined {
  try {
    const segment = new SharedArrayBuffer(bytes);
    allBytes += bytes;
    whenCollected(segment, () => subtract(bytes));
    return segment;
  } catch {
    return undefined;
  }
}

function subtract(bytes: number): void {
  allBytes -= bytes;
}
