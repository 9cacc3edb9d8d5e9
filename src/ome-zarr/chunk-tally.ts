import type { ChunkedArray } from './array.ts';
import type { ChunkCounts } from './tomogram.ts';

/** Chunks per page of bits. */
const PAGE = 65_536;

/** Counts chunks of an array, each once, in a bit per chunk of the pages that are met. */
export class ChunkTally implements ChunkCounts {
  readonly total: number;
  read = 0;
  missing = 0;
  readonly #grid: readonly number[];
  readonly #seen = new Map<number, Uint8Array>();

  constructor({ shape, chunkShape }: Pick<ChunkedArray, 'shape' | 'chunkShape'>) {
    this.#grid = shape.map((extent, i) => Math.ceil(extent / chunkShape[i]!));
    this.total = this.#grid.reduce((product, n) => product * n, 1);
  }

  /** Counts a chunk, unless it has been. */
  count(at: readonly number[], isThere: boolean): void {
    const index = at.reduce((sum, n, i) => sum * this.#grid[i]! + n, 0);
    const place = Math.floor(index / PAGE);
    const page = this.#seen.get(place) ?? new Uint8Array(PAGE / 8);
    this.#seen.set(place, page);
    const inPage = index % PAGE;
    const bit = 1 << (inPage & 7);
    if ((page[inPage >> 3]! & bit) !== 0) return;
    page[inPage >> 3]! |= bit;
    this.read++;
    if (!isThere) this.missing++;
  }
}
