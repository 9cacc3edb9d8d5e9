import type { ChunkMemory } from './chunk-memory.ts';
import { takeSegment, yieldSegment, yieldWhenCollected } from './segments.ts';

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
