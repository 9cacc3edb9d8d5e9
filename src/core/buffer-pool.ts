/** Arrays that are no longer read, to be written again: fresh memory costs a page fault per 4 kB, and work of the garbage collector. */
export class BufferPool {
  readonly #maxArrays: number;
  #arrays: Float32Array<ArrayBuffer>[] = [];

  /** @param maxArrays - Maximum number of arrays that are kept. */
  constructor(maxArrays: number) {
    this.#maxArrays = maxArrays;
  }

  /** An array of this length, with old numbers in it; undefined if none is left. Forgets arrays of other lengths. */
  take(length: number): Float32Array<ArrayBuffer> | undefined {
    this.#arrays = this.#arrays.filter((array) => array.length === length);
    return this.#arrays.pop();
  }

  /** Keeps the whole memory of an array; what is more than the maximum is left to the garbage collector. */
  put({ buffer }: Float32Array): void {
    const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength > 0 && buffer.byteLength % 4 === 0;
    if (isWhole && this.#arrays.length < this.#maxArrays) this.#arrays.push(new Float32Array(buffer));
  }

  /** A function that keeps the memory of an array, once: a second call must not give it to two owners. */
  releaseOf(array: Float32Array): () => void {
    let isReleased = false;
    return () => {
      if (!isReleased) this.put(array);
      isReleased = true;
    };
  }
}

/**
 * Memory for the sums of a sweep: that of open slabs, and that of released slabs, kept for later ones. Together they never exceed
 * the maximum, apart from the slack of each array, unless open slabs alone do. It is not a {@link BufferPool}: slabs differ in
 * length, and what bounds them is the sum of their lengths, not their number.
 */
export class SlabMemory {
  readonly #maxLength: number;
  readonly #slack: number;
  #open = 0;
  #openArrays = 0;
  #spareLength = 0;
  #spare: Float32Array<ArrayBuffer>[] = [];

  /**
   * @param maxLength - Maximum of numbers that are held, open and spare.
   * @param slack - By how many numbers spare memory may be longer than its next use: rows of tiles that are spread evenly differ by
   * a plane.
   */
  constructor(maxLength: number, { slack = 0 }: { readonly slack?: number } = {}) {
    this.#maxLength = maxLength;
    this.#slack = slack;
  }

  /** Number of numbers that are held: open and spare. */
  get held(): number {
    return this.#open + this.#spareLength;
  }

  /** Zeros of this length, which count as open; in the shortest spare memory that is long enough and within the slack. */
  zeros(length: number): Float32Array<ArrayBuffer> {
    this.#openArrays++;
    const at = this.#spare.findIndex((array) => array.length >= length && array.length <= length + this.#slack);
    if (at >= 0) {
      const [spare] = this.#spare.splice(at, 1);
      this.#spareLength -= spare.length;
      this.#open += spare.length;
      return spare.subarray(0, length).fill(0);
    }
    this.#open += length;
    this.#makeRoom();
    return new Float32Array(length);
  }

  /**
   * Gives an open array out: it is no longer held.
   *
   * @returns A function that gives the array back; only its first call counts.
   */
  handOut(array: Float32Array<ArrayBuffer>): () => void {
    this.#open -= array.buffer.byteLength / 4;
    this.#openArrays--;
    let isOut = true;
    return () => {
      if (isOut) this.put(array);
      isOut = false;
    };
  }

  /** Takes back an array that was given out. */
  put(array: Float32Array<ArrayBuffer>): void {
    // The caller may have moved it to another thread.
    if (array.length === 0) return;
    const whole = new Float32Array(array.buffer);
    this.#spare.push(whole);
    this.#spareLength += whole.length;
    this.#makeRoom();
  }

  /** Forgets spare arrays, the shortest first, which are cheapest to make again, until no more than the maximum is held. */
  #makeRoom(): void {
    this.#spare.sort((a, b) => a.length - b.length);
    const maximum = () => this.#maxLength + this.#slack * (this.#openArrays + this.#spare.length);
    while (this.held > maximum() && this.#spare.length > 0) this.#spareLength -= this.#spare.shift()!.length;
  }
}
