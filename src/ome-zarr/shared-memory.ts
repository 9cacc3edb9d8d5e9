import type { ChunkMemory } from './chunk-memory.ts';

/**
 * Large enough for the operating system to take it from nowhere else and to get it back whole: smaller pieces lie between others
 * in the heap of the C library, which keeps the gaps.
 */
const SEGMENT_BYTES = 2 ** 26;
/** Every piece starts at a multiple of it, whatever the type of its numbers. */
const ALIGNMENT = 64;

/**
 * Segments that no array uses any more, since its tomogram was collected, for the next tomogram; the garbage collector takes those
 * that none wants.
 */
let left: WeakRef<ArrayBufferLike>[] = [];
const whenCollected = new FinalizationRegistry((segments: ReadonlyMap<ArrayBufferLike, unknown>) => {
  for (const segment of segments.keys()) left.push(new WeakRef(segment));
});

/** Bytes of a segment that nobody uses: from `start` up to `end`. */
interface Gap {
  readonly start: number;
  readonly end: number;
}

/** Pieces of a few large segments that all threads see, each in the first gap that holds it. */
export class SharedMemory implements ChunkMemory {
  readonly #segmentBytes: number;
  /** The gaps of each segment, in order; none touches the next. */
  readonly #segments = new Map<ArrayBufferLike, Gap[]>();

  /** @param totalBytes - Of all chunks that there are: no segment is larger than they need. */
  constructor(totalBytes: number) {
    this.#segmentBytes = Math.min(SEGMENT_BYTES, aligned(totalBytes));
    whenCollected.register(this, this.#segments);
  }

  take(bytes: number): Uint8Array | undefined {
    const size = aligned(bytes);
    for (const [segment, gaps] of this.#segments) {
      const at = gaps.findIndex(({ start, end }) => end - start >= size);
      if (at >= 0) return takeFrom(segment, gaps, at, bytes);
    }
    const segment = segmentOf(Math.max(size, this.#segmentBytes));
    if (!segment) return undefined;
    const gaps = [{ start: 0, end: segment.byteLength }];
    this.#segments.set(segment, gaps);
    return takeFrom(segment, gaps, 0, bytes);
  }

  give({ buffer, byteOffset, byteLength }: ArrayBufferView): void {
    const gaps = this.#segments.get(buffer);
    if (!gaps) return;
    gaps.push({ start: byteOffset, end: byteOffset + aligned(byteLength) });
    gaps.sort((a, b) => a.start - b.start);
    this.#segments.set(buffer, joined(gaps));
  }

  forget({ buffer }: ArrayBufferView): void {
    this.#segments.delete(buffer);
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

function takeFrom(segment: ArrayBufferLike, gaps: Gap[], at: number, bytes: number): Uint8Array {
  const { start, end } = gaps[at]!;
  const rest = start + aligned(bytes);
  gaps.splice(at, 1, ...(rest < end ? [{ start: rest, end }] : []));
  return new Uint8Array(segment, start, bytes);
}

/** Nothing where there is no memory of this length in one piece: then chunks are decoded into memory of their own. */
function segmentOf(bytes: number): ArrayBufferLike | undefined {
  const used = left.map((reference) => reference.deref()).find((segment) => segment?.byteLength === bytes);
  left = left.filter((reference) => reference.deref() !== undefined && reference.deref() !== used);
  try {
    return used ?? new SharedArrayBuffer(bytes);
  } catch {
    return undefined;
  }
}

function aligned(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / ALIGNMENT)) * ALIGNMENT;
}
