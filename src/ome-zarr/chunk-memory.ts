/**
 * Memory that decoded chunks lie in, one after the other: fresh memory costs a page fault per 4 kB, which takes as long as
 * decoding, and garbage that is collected late.
 */
export interface ChunkMemory {
  /** Memory of this length, with whatever is in it; nothing where none is left over. */
  take(bytes: number): Uint8Array | undefined;
  /** Takes memory back, whole; what cannot be used again is left to the garbage collector. */
  give(memory: ArrayBufferView): void;
  /** Uses memory no more that somebody may still write to, nor what lies in one piece with it. */
  forget(memory: ArrayBufferView): void;
}

/**
 * Memory for the chunks of one array: what threads can write to where it lies, or, in pages that may not share memory with
 * threads, buffers that are moved to them and back.
 *
 * @param options - `totalBytes`, of all chunks that there are, and how many bytes to keep for chunks to come where they move.
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

/** Whether all threads see a buffer, so that it cannot be moved to one. */
export function isShared(buffer: ArrayBufferLike): buffer is SharedArrayBuffer {
  return buffer[Symbol.toStringTag] === 'SharedArrayBuffer';
}

/** Buffers of chunks that nobody reads any more, which can be moved to threads. */
export class SpareBuffers implements ChunkMemory {
  readonly #mostBytes: number;
  #bytes = 0;
  /** Lengths that were asked for: no other memory is of use. */
  readonly #asked = new Set<number>();
  #buffers: ArrayBuffer[] = [];

  /** @param mostBytes - How many bytes are kept. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** All of a buffer of exactly this length. */
  take(bytes: number): Uint8Array<ArrayBuffer> | undefined {
    this.#asked.add(bytes);
    const at = this.#buffers.findIndex(({ byteLength }) => byteLength === bytes);
    if (at < 0) return undefined;
    this.#bytes -= bytes;
    const [buffer] = this.#buffers.splice(at, 1);
    return new Uint8Array(buffer!);
  }

  /** Keeps a buffer, and forgets that which waits longest where it is too much. */
  give({ buffer, byteLength }: ArrayBufferView): void {
    if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== byteLength || !this.#asked.has(byteLength)) return;
    this.#buffers.push(buffer);
    this.#bytes += byteLength;
    while (this.#bytes > this.#mostBytes) this.#bytes -= this.#buffers.shift()!.byteLength;
  }

  /** Nothing to do: buffers are not kept here while others use them. */
  forget(): void {}
}

/** Every piece starts at a multiple of it, whatever the type of its numbers. */
const ALIGNMENT = 64;

/** Bytes of a segment that nobody uses: from `start` up to `end`. */
interface Gap {
  readonly start: number;
  readonly end: number;
}

/** Pieces of segments that all threads see, each in the first gap that holds it. */
export class SharedMemory implements ChunkMemory {
  readonly #totalBytes: number;
  /** The gaps of each segment, in order; none touches the next. */
  readonly #segments = new Map<SharedArrayBuffer, Gap[]>();

  /** @param totalBytes - Of all chunks that there are. */
  constructor(totalBytes: number) {
    this.#totalBytes = totalBytes;
    yieldWhenCollected(this, this.#segments);
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
    yieldSegment(segment);
  }

  forget({ buffer }: ArrayBufferView): void {
    this.#segments.delete(buffer as SharedArrayBuffer);
  }
}

/** The same gaps, those that touch as one. */
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
 * Large enough for the operating system to take it from nowhere else and to get it back whole: smaller pieces lie between others
 * in the heap of the C library, which keeps the gaps.
 */
export const SEGMENT_BYTES: number = 2 ** 26;

/**
 * What all segments of the process take together: those of a tomogram by default, in its largest cache. JavaScript engines do not
 * count this memory, and let it lie for long after its tomogram was dropped; what exceeds it is ordinary memory, which they count.
 */
export const MAX_BYTES: number = 5 * SEGMENT_BYTES;

let allBytes = 0;
/** Segments that nobody uses, until the garbage collector takes them. */
let unused: WeakRef<SharedArrayBuffer>[] = [];
let collected: FinalizationRegistry<() => void> | undefined;

/**
 * A segment that nobody uses, new where there is none.
 *
 * @param leastBytes - It has at least so many.
 * @param totalBytes - All that whoever asks will ever need: no segment is larger than that.
 * @returns Nothing where all segments together would be too large, or there is no memory of the length in one piece.
 */
function takeSegment(leastBytes: number, totalBytes: number): SharedArrayBuffer | undefined {
  const bytes = Math.max(leastBytes, Math.min(SEGMENT_BYTES, totalBytes));
  const segments = unused.map((reference) => reference.deref()).filter((segment) => segment !== undefined);
  const used = segments.find(({ byteLength }) => byteLength === bytes);
  unused = segments.filter((segment) => segment !== used).map((segment) => new WeakRef(segment));
  if (used) return used;
  return allBytes + bytes > MAX_BYTES ? undefined : newSegment(bytes);
}

/** Leaves a segment to whoever takes the next one. */
function yieldSegment(segment: SharedArrayBuffer): void {
  unused.push(new WeakRef(segment));
}

/** Leaves the segments that an owner still has to others when it is collected. */
function yieldWhenCollected(owner: object, segments: ReadonlyMap<SharedArrayBuffer, unknown>): void {
  whenCollected(owner, () => {
    for (const segment of segments.keys()) yieldSegment(segment);
  });
}

/** What is done then must not hold the target. */
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
