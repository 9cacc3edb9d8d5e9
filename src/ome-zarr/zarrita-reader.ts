import * as zarr from 'zarrita';
import { registerCheckedCodecs } from '../codecs/registry.ts';
import { CryoetPicksError } from '../errors.ts';
import { formatZyx } from '../space/zyx.ts';
import type { StoreKey, StoreOptions } from '../storage/store.ts';
import type { ChunkData } from './array.ts';
import { type ArrayPlace, plainBytes, type ReadChunk } from './chunk-place.ts';

/** Thrown through zarrita where a chunk is absent, so that it allocates no chunk of fill values. */
const ABSENT = Symbol('absent chunk');

/**
 * Reads chunks by zarrita: for codecs and layouts of every kind, on this thread.
 *
 * Everything that zarrita and its codecs take on trust is checked: sizes, lengths, checksums.
 */
export async function zarritaReader(place: ArrayPlace): Promise<ReadChunk> {
  const { description } = place;
  registerCheckedCodecs();
  const inner = checkedStore(place);
  const array = await (description.zarrFormat === 2
    ? zarr.open.v2(inner, { kind: 'array', attrs: false })
    : zarr.open.v3(inner, { kind: 'array' }));
  return async (at, { signal } = {}) => {
    try {
      const chunk = await array.getChunk([...at], signal ? { signal } : {});
      const count = description.chunkShape.reduce((a, b) => a * b, 1);
      const data = chunk.data as ChunkData;
      if (data.length !== count) {
        const expected = `${formatZyx(description.chunkShape)} = ${count}`;
        throw new CryoetPicksError('corrupt-data', `it decodes to ${data.length} values, expected ${expected}`);
      }
      return { data, stride: chunk.stride };
    } catch (error) {
      if (error === ABSENT) return undefined;
      throw error;
    }
  };
}

/**
 * The store that zarrita sees: the checked metadata document in place of the file, inner chunks of shards as chunks of their
 * own, and absent ones as {@link ABSENT}.
 */
function checkedStore({ store, shards, description }: ArrayPlace) {
  const metadata = new TextEncoder().encode(JSON.stringify(description.document));
  return {
    async get(key: StoreKey, options: StoreOptions = {}): Promise<Uint8Array | undefined> {
      if (key === '/.zarray' || key === '/zarr.json') return metadata;
      const bytes = shards ? await shards.read(innerIndex(key), options) : await store.get(key, options);
      if (!bytes) throw ABSENT;
      return plainBytes(bytes);
    },
  };
}

/** The index in a key `/c/0/1/2`, the form that `describeArray` gives the keys of inner chunks. */
function innerIndex(key: string): number[] {
  return key.split('/').slice(2).map(Number);
}
