/**
 * Memory of chunks that nobody reads any more, for those that are decoded next: fresh memory costs a page fault per 4 kB,
 * which takes as long as decoding, and garbage that is collected late.
 */
export class SpareBuffers {
  readonly #mostBytes: number;
  #bytes = 0;
  /** Lengths that were asked for: no other memory is of use. */
  readonly #asked = new Set<number>();
  #buffers: ArrayBuffer[] = [];

  /** @param mostBytes - How many bytes are kept. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** One of exactly this length, with whatever is in it. */
  take(bytes: number): ArrayBuffer | undefined {
    this.#asked.add(bytes);
    const at = this.#buffers.findIndex(({ byteLength }) => byteLength === bytes);
    if (at < 0) return undefined;
    this.#bytes -= bytes;
    return this.#buffers.splice(at, 1)[0];
  }

  /** Keeps memory, and forgets that which waits longest where it is too much. */
  put(buffer: ArrayBuffer): void {
    if (!this.#asked.has(buffer.byteLength)) return;
    this.#buffers.push(buffer);
    this.#bytes += buffer.byteLength;
    while (this.#bytes > this.#mostBytes) this.#bytes -= this.#buffers.shift()!.byteLength;
  }
}
