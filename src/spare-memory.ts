/** Arrays that nobody reads any more, for what comes next: fresh memory costs a page fault per 4 kB, and garbage until it is found. */
export class SpareMemory {
  readonly #most: number;
  #arrays: Float32Array<ArrayBuffer>[] = [];

  /** @param most - How many are kept. */
  constructor(most: number) {
    this.#most = most;
  }

  /** One of them of this length, with whatever is in it. Where none has it, all are forgotten. */
  take(length: number): Float32Array<ArrayBuffer> | undefined {
    return this.#takeLike(length, 0)?.subarray(0, length);
  }

  /** Zeros, in memory that is at most `slack` longer than it need be; lengths that differ by less should share one slack. */
  zeros(length: number, slack: number): Float32Array<ArrayBuffer> {
    const spare = this.#takeLike(length, slack);
    return spare ? spare.subarray(0, length).fill(0) : new Float32Array(length + slack).subarray(0, length);
  }

  /** Keeps the whole memory of an array; one too many is left to the garbage collector. */
  put({ buffer }: Float32Array): void {
    const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength > 0 && buffer.byteLength % 4 === 0;
    if (isWhole && this.#arrays.length < this.#most) this.#arrays.push(new Float32Array(buffer));
  }

  #takeLike(length: number, slack: number): Float32Array<ArrayBuffer> | undefined {
    const at = this.#arrays.findIndex((array) => array.length >= length && array.length <= length + 2 * slack);
    if (at >= 0) return this.#arrays.splice(at, 1)[0];
    this.#arrays = [];
    return undefined;
  }
}
