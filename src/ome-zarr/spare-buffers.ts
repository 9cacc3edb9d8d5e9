import type { ChunkMemory } from './chunk-memory.ts';

/** Buffers of chunks that nobody reads any more, which can be moved to threads. */
export class SpareBuffers implements ChunkMemory {
  readonly #mostBytes: number;
  #bytes = 0;
  /** Lengths that were asked for: no other memory is of use. */
  readonly #asked = new Set<number>();
  #buffers: ArrayBuffer[] = [];

  /** @param mostBytes - How many bytes are kept. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** All of a buffer of exactly this length. */
  take(bytes: number): Uint8Array<ArrayBuffer> | undefined {
    this.#asked.add(bytes);
    const at = this.#buffers.findIndex(({ byteLength }) => byteLength === bytes);
    if (at < 0) return undefined;
    this.#bytes -= bytes;
    const [buffer] = this.#buffers.splice(at, 1);
    return new Uint8Array(buffer!);
  }

  /** Keeps a buffer, and forgets that which waits longest where it is too much. */
  give({ buffer, byteLength }: ArrayBufferView): void {
    if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== byteLength || !this.#asked.has(byteLength)) return;
    this.#buffers.push(buffer);
    this.#bytes += byteLength;
    while (this.#bytes > this.#mostBytes) this.#bytes -= this.#buffers.shift()!.byteLength;
  }

  /** Nothing to do: buffers are not kept here while others use them. */
  forget(): void {}
}
