import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c } from '../../../src/codecs/checksum.ts';
import {
  contiguousVolume,
  memoryStore,
  type Store,
  type StoreKey,
  sourceFromArray,
  writeTomogram,
} from '../../../src/entry/index.ts';
import { openShards } from '../../../src/ome-zarr/shards.ts';
import { shardWriter, type ValueWriter, valueWriter } from '../../../src/ome-zarr/write/chunk-sinks.ts';
import { keysOf } from '../../support/store-keys.ts';

const ABSENT = 2n ** 64n - 1n;

function writerTo(store: Store, chunkCount: number) {
  const open = async (key: StoreKey) => valueWriter(store, key, {});
  return shardWriter('/0/0', { chunkCount, open, remove: (key) => store.delete(key) });
}

describe('shardWriter', () => {
  it('shardWriter writes chunks in the order of the calls, then the index in C order with its checksum', async () => {
    const store = memoryStore();
    const shard = writerTo(store, 4);
    await shard.append(2, Uint8Array.of(7, 8, 9));
    await shard.append(0, Uint8Array.of(1));
    await shard.close();
    const bytes = (await store.get('/0/0'))!;
    expect([...bytes.subarray(0, 4)]).toEqual([7, 8, 9, 1]);
    expect(bytes).toHaveLength(4 + 4 * 16 + 4);
    const index = new DataView(bytes.slice(4).buffer);
    const entries = Array.from({ length: 8 }, (_, i) => index.getBigUint64(8 * i, true));
    expect(entries).toEqual([3n, 1n, ABSENT, ABSENT, 0n, 3n, ABSENT, ABSENT]);
    expect(index.getUint32(64, true)).toBe(crc32c(bytes.subarray(4, 68)));
  });

  it('openShards reads back the chunks of shardWriter, in any order and with any of them absent', async () => {
    const chunks = fc.uniqueArray(fc.tuple(fc.nat(23), fc.uint8Array({ minLength: 1, maxLength: 40 })), {
      selector: ([place]) => place,
      minLength: 1,
    });
    const property = fc.asyncProperty(chunks, async (list) => {
      const store = memoryStore();
      const shard = writerTo(store, 24);
      for (const [place, bytes] of list) await shard.append(place, bytes);
      await shard.close();
      const { read } = openShards(store, {
        inner: [2, 3, 4],
        isIndexAtStart: false,
        hasChecksum: true,
        maxChunkBytes: 64,
        keyOf: () => '/0/0',
      });
      const known = new Map(list);
      for (let place = 0; place < 24; place++) {
        const at = [Math.floor(place / 12), Math.floor(place / 4) % 3, place % 4];
        expect(await read(at, {})).toEqual(known.get(place));
      }
    });
    await fc.assert(property, { numRuns: 100 });
  });

  it('shardWriter leaves no value if there was no chunk or it was aborted', async () => {
    const store = memoryStore();
    await writerTo(store, 4).close();
    const shard = writerTo(store, 4);
    await shard.append(0, Uint8Array.of(1));
    await shard.abort();
    expect(await keysOf(store)).toEqual([]);
  });
});

describe('a sharded image', () => {
  it('a sharded image omits chunks and shards of zeros, but not of −0', async () => {
    const store = memoryStore();
    const data = new Float32Array(8 * 4 * 4);
    data[0] = 3;
    data[4 * 16] = -0;
    const volume = contiguousVolume(data, [8, 4, 4]);
    await writeTomogram(store, sourceFromArray(volume), { format: 'zarr3', chunkShape: [2, 4, 4], levels: 1 });
    const shard = (await store.get('/0/0/0/0'))!;
    const index = new DataView(shard.slice(-68).buffer);
    const isAbsent = [0, 1, 2, 3].map((i) => index.getBigUint64(16 * i, true) === ABSENT);
    expect(isAbsent).toEqual([false, true, false, true]);
    // As a writer of the same image may have left it that was killed before its metadata.
    const empty = memoryStore([['/0/0/0/0', shard]]);
    await writeTomogram(empty, sourceFromArray({ ...volume, data: new Float32Array(128) }), { format: 'zarr3' });
    expect(await keysOf(empty)).toEqual(['/0/zarr.json', '/1/zarr.json', '/2/zarr.json', '/zarr.json']);
  });
});

describe('valueWriter', () => {
  /** A store that takes pieces, and what it took. */
  function piecewise(onPiece: () => Promise<void> = async () => {}) {
    const taken: number[] = [];
    const inner = memoryStore();
    const store: Store = {
      ...inner,
      async setPieces(key, pieces) {
        for await (const piece of pieces) {
          await onPiece();
          taken.push(...piece);
        }
        await inner.set(key, Uint8Array.from(taken));
      },
    };
    return { store, taken };
  }

  const put = async (writer: ValueWriter, count: number) => {
    for (let n = 0; n < count; n++) await writer.append(Uint8Array.of(n));
  };

  it('valueWriter passes pieces on in order, at most two before the store has consumed them', async () => {
    let release = () => {};
    const { store, taken } = piecewise(
      () =>
        new Promise((resolve) => {
          release = resolve;
        }),
    );
    const writer = valueWriter(store, '/a', {});
    let appended = 0;
    const appending = (async () => {
      for (let n = 0; n < 5; n++) {
        await writer.append(Uint8Array.of(n));
        appended++;
      }
    })();
    for (let n = 0; n < 5; n++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      expect(appended - taken.length).toBeLessThanOrEqual(2);
      release();
    }
    await appending;
    const closing = writer.close();
    const releasing = setInterval(() => release(), 1);
    await closing;
    clearInterval(releasing);
    expect([...(await store.get('/a'))!]).toEqual([0, 1, 2, 3, 4]);
  });

  it('valueWriter reports a failure at the next piece or at the end, and does not hang', async () => {
    const trouble = new Error('no space');
    const { store } = piecewise(() => Promise.reject(trouble));
    await expect(put(valueWriter(store, '/a', {}), 3)).rejects.toBe(trouble);
    const writer = valueWriter(store, '/a', {});
    await writer.append(Uint8Array.of(1));
    await expect(writer.close()).rejects.toBe(trouble);
    await writer.abort();
  });

  it('valueWriter writes nothing when it is aborted, and an abort after the end has no effect', async () => {
    const { store } = piecewise();
    const given = valueWriter(store, '/a', {});
    await put(given, 2);
    await given.abort();
    expect(await keysOf(store)).toEqual([]);
    const whole = valueWriter(store, '/b', {});
    await put(whole, 1);
    await whole.close();
    await whole.abort();
    expect(await keysOf(store)).toEqual(['/b']);
  });
});
