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
    this.#arrays = this.#arrays.filter((array) => array.length === length);
    return this.#arrays.pop();
  }

  /** Keeps the whole memory of an array; one too many is left to the garbage collector. */
  put({ buffer }: Float32Array): void {
    const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength > 0 && buffer.byteLength % 4 === 0;
    if (isWhole && this.#arrays.length < this.#most) this.#arrays.push(new Float32Array(buffer));
  }
}
