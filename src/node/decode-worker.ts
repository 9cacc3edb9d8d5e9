import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import * as zlib from 'node:zlib';
import Tinypool from 'tinypool';
import { useZstdDecoder } from '../codecs/zstd.ts';
import { CryoetPicksError } from '../core/errors.ts';
import {
  answerTask,
  type ChunkTask,
  decodedBytes,
  type FileSpan,
  MAX_KEPT_BYTES,
  Scratch,
} from '../ome-zarr/decode-task.ts';

/**
 * The thread of `decode-pool.ts`. It reads compressed chunks from files, or receives their bytes, and decodes them into shared
 * memory, or moves the result to the caller.
 *
 * @module
 */

/** From 22.15 on, Node has a zstd decoder, twice as fast as the one in WebAssembly. */
const { zstdDecompressSync } = zlib as { zstdDecompressSync?: (bytes: Uint8Array, options: object) => Uint8Array };

if (zstdDecompressSync) {
  useZstdDecoder((bytes, maxOutputLength) => {
    try {
      // A copy, since the buffer may be shared with other data and the result may be moved.
      return new Uint8Array(zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, maxOutputLength) }));
    } catch (cause) {
      throw new CryoetPicksError('corrupt-data', `its zstd frame does not decode to ${maxOutputLength} bytes`, {
        cause,
      });
    }
  });
}

/** Buffers of compressed bytes. */
const compressed = new Scratch();

export async function answer(task: ChunkTask): Promise<unknown> {
  let memory = compressed.take();
  const reply = await answerTask(task, (span) => {
    // Compressed chunks differ in length, but are hardly ever longer than decoded.
    const bytes = readSpan(span, memory, decodedBytes(task));
    if (bytes) memory = new Uint8Array(bytes.buffer);
    return bytes;
  });
  compressed.keep(memory);
  return reply instanceof Uint8Array ? Tinypool.move(reply) : reply;
}

/**
 * Reads a span; returns `undefined` if the file is missing, ends before the span or is too long.
 *
 * @param memory - Memory to read into, if it is long enough.
 * @param usual - Length of new memory, if that is long enough.
 */
function readSpan(
  { file, range, maxBytes = Infinity }: FileSpan,
  memory: Uint8Array<ArrayBuffer>,
  usual: number,
): Uint8Array<ArrayBuffer> | undefined {
  let handle: number | undefined;
  try {
    handle = openSync(file, 'r');
    const length = range?.length ?? fstatSync(handle).size;
    if (length > maxBytes) return undefined;
    const bytes = memory.length < length ? new Uint8Array(Math.max(length, Math.min(usual, MAX_KEPT_BYTES))) : memory;
    const offset = range?.offset ?? 0;
    let done = 0;
    while (done < length) {
      const read = readSync(handle, bytes, done, length - done, offset + done);
      if (read === 0) return undefined;
      done += read;
    }
    return bytes.subarray(0, length);
  } catch {
    // The caller then reads the file through the store, which reports the error.
    return undefined;
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}
