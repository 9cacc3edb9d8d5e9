import { SharedMemory } from './shared-memory.ts';
import { SpareBuffers } from './spare-buffers.ts';

/**
 * Memory that decoded chunks lie in, one after the other: fresh memory costs a page fault per 4 kB, which takes as long as
 * decoding, and garbage that is collected late.
 */
export interface ChunkMemory {
  /** Memory of this length, with whatever is in it; nothing where none is left over. */
  take(bytes: number): Uint8Array | undefined;
  /** Takes memory back, whole; what cannot be used again is left to the garbage collector. */
  give(memory: ArrayBufferView): void;
  /** Uses memory no more that somebody may still write to, nor what lies in one piece with it. */
  forget(memory: ArrayBufferView): void;
}

/**
 * Memory for the chunks of one array: what threads can write to where it lies, or, in pages that may not share memory with
 * threads, buffers that are moved to them and back.
 *
 * @param options - `totalBytes`, of all chunks that there are, and how many bytes to keep for chunks to come where they move.
 */
export function chunkMemory({
  totalBytes,
  spareBytes,
}: {
  readonly totalBytes: number;
  readonly spareBytes: number;
}): ChunkMemory {
  return typeof SharedArrayBuffer === 'undefined' ? new SpareBuffers(spareBytes) : new SharedMemory(totalBytes);
}

/** Whether all threads see a buffer, so that it cannot be moved to one. */
export function isShared(buffer: ArrayBufferLike): buffer is SharedArrayBuffer {
  return buffer[Symbol.toStringTag] === 'SharedArrayBuffer';
}
