/**
 * Memory of the sums of a sweep: of slabs that are open, and spare memory of released ones for those to come, since fresh
 * memory costs a page fault per 4 kB. Both together never take more than was agreed, as long as what is open does not.
 */
export class SlabMemory {
  readonly #most: number;
  #open = 0;
  #spareLength = 0;
  #spare: Float32Array<ArrayBuffer>[] = [];

  /** @param most - How many numbers are held at most. */
  constructor(most: number) {
    this.#most = most;
  }

  /** How many numbers are held: open and spare. */
  get held(): number {
    return this.#open + this.#spareLength;
  }

  /** Zeros of this length, which count as open; in spare memory only of that very length, so that none is wasted. */
  zeros(length: number): Float32Array<ArrayBuffer> {
    this.#open += length;
    const at = this.#spare.findIndex((array) => array.length === length);
    if (at >= 0) {
      this.#spareLength -= length;
      return this.#spare.splice(at, 1)[0].fill(0);
    }
    this.#makeRoom();
    return new Float32Array(length);
  }

  /** Hands an open array out: it is no longer held. */
  handOut({ length }: Float32Array): void {
    this.#open -= length;
  }

  /** Takes an array back that was handed out. */
  put(array: Float32Array<ArrayBuffer>): void {
    // Whoever had it may have moved it to another thread.
    if (array.length === 0) return;
    this.#spare.push(array);
    this.#spareLength += array.length;
    this.#makeRoom();
  }

  /** Forgets the smallest spare arrays, which cost least to make anew, until no more is held than was agreed. */
  #makeRoom(): void {
    this.#spare.sort((a, b) => a.length - b.length);
    while (this.held > this.#most && this.#spare.length > 0) this.#spareLength -= this.#spare.shift()!.length;
  }
}
