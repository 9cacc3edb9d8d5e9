import { isZarritaError } from 'zarrita';
import { halfToNumber } from '../codecs/number-type.ts';
import { registerCheckedCodecs, unknownCodecs } from '../codecs/registry.ts';
import { CryoetPicksError, isCryoetPicksError } from '../errors.ts';
import type { ReadableStore } from '../storage/store.ts';
import type { ChunkData } from './array.ts';
import type { ArrayDescription } from './array-description.ts';
import type { ReadChunk } from './chunk-place.ts';
import { directReader } from './direct-reader.ts';
import { openShards } from './shards.ts';
import { zarritaReader } from './zarrita-reader.ts';

/**
 * Reads chunks of an array, as numbers: those that are compressed and no more by our own decoders, in a thread where there is
 * one, all others by zarrita.
 *
 * @param where - Names the array in messages; what goes wrong names the chunk, too.
 */
export async function chunkReader(
  store: ReadableStore,
  { description, where }: { readonly description: ArrayDescription; readonly where: string },
): Promise<ReadChunk> {
  registerCheckedCodecs();
  const place = { store, description, shards: description.shards && openShards(store, description.shards) };
  const read = directReader(place) ?? (await zarritaReader(place));
  return async (at, { signal, memory } = {}) => {
    signal?.throwIfAborted();
    const [unknown] = unknownCodecs(description.document);
    if (unknown !== undefined) {
      const what = `cannot read chunk ${at.join('/')} of array ${where}: codec "${unknown}" is not supported`;
      throw new CryoetPicksError('unsupported', what);
    }
    try {
      const chunk = await read(at, { signal, memory });
      const data = chunk && asNumbers(chunk.data, description);
      if (chunk && data !== chunk.data) memory?.give(chunk.data);
      return chunk && data && { ...chunk, data };
    } catch (error) {
      signal?.throwIfAborted();
      throw describeFailure(error, `chunk ${at.join('/')} of array ${where}`);
    }
  };
}

/** Undoes the stand-ins that `describeArray` gives. */
function asNumbers(data: ChunkData, { dtype }: ArrayDescription): ChunkData {
  if (dtype === 'float16') return Float32Array.from(data as Uint16Array, halfToNumber);
  if (dtype === 'bool') return (data as Uint8Array).map((value) => (value === 0 ? 0 : 1));
  return data;
}

function describeFailure(error: unknown, chunk: string): unknown {
  if (isZarritaError(error, 'InvalidMetadataError')) {
    return new CryoetPicksError('invalid-metadata', `cannot read ${chunk}: ${error.message}`, { cause: error });
  }
  const isDecoding = isZarritaError(error, 'CodecPipelineError');
  const cause = isDecoding ? error.cause : error;
  if (isCryoetPicksError(cause, 'unsupported')) {
    return new CryoetPicksError('unsupported', `cannot read ${chunk}: ${cause.message}`, { cause });
  }
  if (isDecoding || isCryoetPicksError(cause, 'corrupt-data')) {
    const what = cause instanceof Error ? cause.message : String(cause);
    return new CryoetPicksError('corrupt-data', `${chunk} is damaged: ${what}`, { cause });
  }
  return error;
}
