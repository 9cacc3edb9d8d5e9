/** A few arrays that nobody reads any more, for what comes next: fresh memory would cost a page fault per 4 kB. */
export class SpareMemory {
  readonly #most: number;
  #arrays: Float32Array<ArrayBuffer>[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  /** One of them: of this length, if one is told; others of another length are then forgotten. */
  take(length?: number): Float32Array<ArrayBuffer> | undefined {
    if (length !== undefined) this.#arrays = this.#arrays.filter((array) => array.length === length);
    return this.#arrays.pop();
  }

  /** Keeps an array that owns its memory whole; one too many is left to the garbage collector. */
  put(array: Float32Array): void {
    const { buffer, byteLength } = array;
    if (!(buffer instanceof ArrayBuffer) || byteLength !== buffer.byteLength) return;
    if (byteLength > 0 && this.#arrays.length < this.#most) this.#arrays.push(array as Float32Array<ArrayBuffer>);
  }
}
