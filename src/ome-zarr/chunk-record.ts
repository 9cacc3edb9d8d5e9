/** Numbers of chunks of an array; each chunk counts once. */
export interface ChunkCounts {
  readonly total: number;
  /** Chunks that were looked for so far. */
  readonly read: number;
  /**
   * Chunks read that are not in the store, so that their voxels are the fill value. The format does not distinguish chunks that a writer
   * left out from chunks that were lost.
   */
  readonly missing: number;
}

/** Counts that grow, and where the missing chunks lie. */
export class ChunkTally implements ChunkCounts {
  readonly total: number;
  read = 0;
  missing = 0;
  /** The range of the chunk grid that holds all missing chunks, `[from, to)` along each dimension; empty as long as none is missing. */
  readonly missingWithin: (readonly [from: number, to: number])[] = [];

  constructor(total: number) {
    this.total = total;
  }

  /** Counts a chunk that was looked for. */
  add(at: readonly number[], isThere: boolean): void {
    this.read++;
    if (isThere) return;
    this.missing++;
    for (const [axis, n] of at.entries()) {
      const [from, to] = this.missingWithin[axis] ?? [n, n + 1];
      this.missingWithin[axis] = [Math.min(from, n), Math.max(to, n + 1)];
    }
  }
}

/** Chunks per page of the record. */
const PAGE = 65_536;
const [SEEN, ABSENT] = [1, 2];

/**
 * Which chunks of an open array were in the store when they were read, and which were not: two bits per chunk, in pages that are
 * allocated on demand. It outlives every cache, so a chunk that vanishes between two reads is noticed however late the second is.
 */
export class ChunkRecord extends ChunkTally {
  readonly #grid: readonly number[];
  readonly #pages = new Map<number, Uint8Array>();
  /** Along which dimension chunks are also counted by their index, and the counts. */
  #dimension: number | undefined;
  readonly #layers = new Map<number, ChunkTally>();

  constructor({ shape, chunkShape }: { readonly shape: readonly number[]; readonly chunkShape: readonly number[] }) {
    const grid = shape.map((extent, i) => Math.ceil(extent / chunkShape[i]!));
    super(grid.reduce((product, n) => product * n, 1));
    this.#grid = grid;
  }

  /** Counts chunks by their index along a dimension, too, from now on: that of the channels. */
  countAlong(dimension: number): void {
    this.#dimension = dimension;
  }

  /** The counts of the chunks with an index along the dimension of {@link countAlong}; of all chunks without one. */
  layer(index: number): ChunkTally {
    if (this.#dimension === undefined) return this;
    const layer = this.#layers.get(index) ?? new ChunkTally(this.total / this.#grid[this.#dimension]!);
    this.#layers.set(index, layer);
    return layer;
  }

  /** Enters a chunk that was looked for. Returns false, and enters nothing, if it was seen otherwise before. */
  enter(at: readonly number[], isThere: boolean): boolean {
    const index = at.reduce((sum, n, i) => sum * this.#grid[i]! + n, 0);
    const pageNumber = Math.floor(index / PAGE);
    const page = this.#pages.get(pageNumber) ?? new Uint8Array(PAGE / 4);
    this.#pages.set(pageNumber, page);
    const inPage = index % PAGE;
    const shift = 2 * (inPage & 3);
    const before = (page[inPage >> 2]! >> shift) & (SEEN | ABSENT);
    const now = isThere ? SEEN : SEEN | ABSENT;
    if (before !== 0) return before === now;
    page[inPage >> 2]! |= now << shift;
    this.add(at, isThere);
    if (this.#dimension !== undefined) this.layer(at[this.#dimension]!).add(at, isThere);
    return true;
  }
}
