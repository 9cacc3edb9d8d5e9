/**
 * Large enough for the operating system to take it from nowhere else and to get it back whole: smaller pieces lie between others
 * in the heap of the C library, which keeps the gaps.
 */
export const SEGMENT_BYTES: number = 2 ** 26;

/**
 * What all segments of the process take together: those of a tomogram by default, in its largest cache. JavaScript engines do not
 * count this memory, and let it lie for long after its tomogram was dropped; what exceeds it is ordinary memory, which they count.
 */
export const MOST_BYTES: number = 5 * SEGMENT_BYTES;

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
export function takeSegment(leastBytes: number, totalBytes: number): SharedArrayBuffer | undefined {
  const bytes = Math.max(leastBytes, Math.min(SEGMENT_BYTES, totalBytes));
  const segments = unused.map((reference) => reference.deref()).filter((segment) => segment !== undefined);
  const used = segments.find(({ byteLength }) => byteLength === bytes);
  unused = segments.filter((segment) => segment !== used).map((segment) => new WeakRef(segment));
  if (used) return used;
  return allBytes + bytes > MOST_BYTES ? undefined : newSegment(bytes);
}

/** Leaves a segment to whoever takes the next one. */
export function yieldSegment(segment: SharedArrayBuffer): void {
  unused.push(new WeakRef(segment));
}

/** Leaves the segments that an owner still has to others when it is collected. */
export function yieldWhenCollected(owner: object, segments: ReadonlyMap<SharedArrayBuffer, unknown>): void {
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
