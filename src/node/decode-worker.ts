import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import * as zlib from 'node:zlib';
import Tinypool from 'tinypool';
import { useZstdDecoder } from '../codecs/zstd.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { answerTask, type ChunkTask, decodedBytes, type FileSpan, MAX_KEPT_BYTES } from '../ome-zarr/decode-task.ts';

/**
 * The thread of `node-decode-pool.ts`: it reads compressed chunks from files, or takes their bytes, and decodes them into
 * memory of whoever asked, or else moves them there.
 *
 * @module
 */

/** Node has a decoder of zstd from 22.15 on, twice as fast as the one in WebAssembly. */
const { zstdDecompressSync } = zlib as { zstdDecompressSync?: (bytes: Uint8Array, options: object) => Uint8Array };

if (zstdDecompressSync) {
  useZstdDecoder((bytes, maxOutputLength) => {
    try {
      // Copied out of a buffer that others may share, since it may be moved.
      return new Uint8Array(zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, maxOutputLength) }));
    } catch (cause) {
      throw new CryoetPicksError('corrupt-data', `its zstd frame does not decode to ${maxOutputLength} bytes`, {
        cause,
      });
    }
  });
}

/** What compressed bytes were read into before: fresh memory costs as much as reading. */
const spares: Uint8Array<ArrayBuffer>[] = [];

export async function answer(task: ChunkTask): Promise<unknown> {
  let memory = spares.pop() ?? new Uint8Array(0);
  const reply = await answerTask(task, (span) => {
    // Chunks of one array differ in length, but hardly ever take more than what they decode to.
    const bytes = readSpan(span, memory, decodedBytes(task));
    if (bytes) memory = new Uint8Array(bytes.buffer);
    return bytes;
  });
  if (memory.length <= MAX_KEPT_BYTES) spares.push(memory);
  return reply instanceof Uint8Array ? Tinypool.move(reply) : reply;
}

/**
 * The bytes of a span; `undefined` where the file is not there, or ends before the span.
 *
 * @param memory - Where to read to, if it is long enough.
 * @param usual - Bytes of new memory, if that is long enough.
 */
function readSpan(
  { file, range }: FileSpan,
  memory: Uint8Array<ArrayBuffer>,
  usual: number,
): Uint8Array<ArrayBuffer> | undefined {
  let handle: number | undefined;
  try {
    handle = openSync(file, 'r');
    const length = range?.length ?? fstatSync(handle).size;
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
    // Whoever asked reads the file in the ordinary way then, and tells what is wrong with it.
    return undefined;
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}
