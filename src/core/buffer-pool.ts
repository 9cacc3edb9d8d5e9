/** Arrays that nobody reads any more, for what comes next: fresh memory costs a page fault per 4 kB, and garbage until it is found. */
export class BufferPool {
  readonly #most: number;
  #arrays: Float32Array<ArrayBuffer>[] = [];

  /** @param most - How many are kept. */
  constructor(most: number) {
    this.#most = most;
  }

  /** One of them of this length, with whatever is in it. Where none has it, all are forgotten. */
  take(length: number): Float32Array<ArrayBuffer> | undefined {
    this.#arrays = this.#arrays.filter((array) => array.length === length);
    return this.#arrays.pop();
  }

  /** Keeps the whole memory of an array; one too many is left to the garbage collector. */
  put({ buffer }: Float32Array): void {
    const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength > 0 && buffer.byteLength % 4 === 0;
    if (isWhole && this.#arrays.length < this.#most) this.#arrays.push(new Float32Array(buffer));
  }
}

/**
 * Memory of the sums of a sweep: of slabs that are open, and spare memory of released ones for those to come, since fresh
 * memory costs a page fault per 4 kB, and what is freed between pieces of other lengths is often lost to the process. Both
 * together never take more than was agreed, as long as what is open does not, but for the slack of each array.
 */
export class SlabMemory {
  readonly #most: number;
  readonly #slack: number;
  #open = 0;
  #openArrays = 0;
  #spareLength = 0;
  #spare: Float32Array<ArrayBuffer>[] = [];

  /**
   * @param most - How many numbers are held at most.
   * @param slack - By how many numbers spare memory may be longer than what it is used for: rows of tiles that are spread evenly
   * differ by a plane.
   */
  constructor(most: number, { slack = 0 }: { readonly slack?: number } = {}) {
    this.#most = most;
    this.#slack = slack;
  }

  /** How many numbers are held: open and spare. */
  get held(): number {
    return this.#open + this.#spareLength;
  }

  /** Zeros of this length, which count as open; in the shortest spare memory that is long enough, but not much longer. */
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

  /** Hands an open array out: it is no longer held. */
  handOut({ buffer }: Float32Array): void {
    this.#open -= buffer.byteLength / 4;
    this.#openArrays--;
  }

  /** Takes an array back that was handed out. */
  put(array: Float32Array<ArrayBuffer>): void {
    // Whoever had it may have moved it to another thread.
    if (array.length === 0) return;
    const whole = new Float32Array(array.buffer);
    this.#spare.push(whole);
    this.#spareLength += whole.length;
    this.#makeRoom();
  }

  /** Forgets the smallest spare arrays, which cost least to make anew, until no more is held than was agreed. */
  #makeRoom(): void {
    this.#spare.sort((a, b) => a.length - b.length);
    const most = () => this.#most + this.#slack * (this.#openArrays + this.#spare.length);
    while (this.held > most() && this.#spare.length > 0) this.#spareLength -= this.#spare.shift()!.length;
  }
}
