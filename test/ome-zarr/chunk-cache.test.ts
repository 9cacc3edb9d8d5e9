import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ChunkedArray } from '../../src/ome-zarr/array.ts';
import type { DecodedChunk } from '../../src/ome-zarr/chunk.ts';
import { type CachedChunk, ChunkCache } from '../../src/ome-zarr/chunk-cache.ts';
import { ChunkRecord } from '../../src/ome-zarr/chunk-record.ts';
import { forbidUnhandledRejections, pause } from '../support/unhandled-rejections.ts';

forbidUnhandledRejections();
afterEach(() => vi.unstubAllGlobals());

interface CountedArray extends ChunkedArray {
  readonly reads: string[];
  mostAtOnce: number;
}

/** 1000 chunks of 64 × 1 × 1 float32; those of `absent` have no data, those of `failing` fail once. */
function countedArray({
  chunkShape = [64, 1, 1],
  absent = (_: number): boolean => false,
  failing = new Set<number>(),
} = {}): CountedArray {
  let running = 0;
  const shape = [chunkShape[0]! * 1000, chunkShape[1]!, chunkShape[2]!];
  const array: CountedArray = {
    zarrFormat: 2,
    keyOf: (at) => `/${at.join('.')}`,
    shape,
    chunkShape,
    dtype: 'float32',
    itemBytes: 4,
    maxChunkBytes: Infinity,
    fillValue: 0,
    document: {},
    where: 'array',
    path: 'memory',
    chunks: new ChunkRecord({ shape, chunkShape }),
    reads: [],
    mostAtOnce: 0,
    async readChunk(at): Promise<DecodedChunk | undefined> {
      array.reads.push(at.join('/'));
      array.mostAtOnce = Math.max(array.mostAtOnce, ++running);
      await pause(0);
      running--;
      if (failing.delete(at[0]!)) throw new Error('once');
      if (absent(at[0]!)) return undefined;
      return { data: new Float32Array(64).fill(at[0]!), stride: [1, 1, 1] };
    },
  };
  return array;
}

async function get(cache: ChunkCache, n: number, options = {}): Promise<CachedChunk> {
  const { chunk, release } = await cache.hold([n, 0, 0], options);
  release();
  return chunk;
}

const all = (cache: ChunkCache, indices: readonly number[]) => Promise.all(indices.map((n) => get(cache, n)));
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

describe('ChunkCache', () => {
  it('ChunkCache keeps at most cacheBytes, however many chunks are read at a time', async () => {
    const array = countedArray();
    const cache = new ChunkCache(array, { cacheBytes: 10 * (256 + 256) + 100 });
    await all(cache, upTo(200));
    expect(array.reads).toHaveLength(200);
    expect(array.mostAtOnce).toBe(16);
    array.reads.length = 0;
    for (let n = 199; n >= 0; n--) await get(cache, n);
    expect(array.reads).toHaveLength(190);
    expect(array.reads[0]).toBe('189/0/0');
  });

  it('ChunkCache counts the bytes of absent chunks, which are many in a sparse array', async () => {
    const array = countedArray({ absent: () => true });
    const cache = new ChunkCache(array, { cacheBytes: 10 * 256 });
    await all(cache, upTo(200));
    array.reads.length = 0;
    for (let n = 199; n >= 0; n--) await get(cache, n);
    expect(array.reads).toHaveLength(190);
  });

  it('ChunkCache reads at most 64 MiB of chunks at a time, or two of 128 MiB together, and always one', async () => {
    const usual = countedArray({ chunkShape: [128, 128, 128] });
    await all(new ChunkCache(usual, { cacheBytes: 0 }), upTo(20)).catch(() => {});
    expect(usual.mostAtOnce).toBe(8);
    const large = countedArray({ chunkShape: [256, 256, 256] });
    await all(new ChunkCache(large, { cacheBytes: 0 }), upTo(6)).catch(() => {});
    expect(large.mostAtOnce).toBe(2);
    const huge = countedArray({ chunkShape: [512, 512, 512] });
    await all(new ChunkCache(huge, { cacheBytes: 0 }), upTo(3)).catch(() => {});
    expect(huge.mostAtOnce).toBe(1);
  });

  it('ChunkCache reads a pending chunk once for all readers', async () => {
    const array = countedArray();
    const chunks = await all(new ChunkCache(array, { cacheBytes: 0 }), [7, 7, 7, 7]);
    expect(array.reads).toEqual(['7/0/0']);
    expect(new Set(chunks).size).toBe(1);
  });

  it('ChunkCache passes a failure to all waiting readers and does not keep it', async () => {
    const array = countedArray({ failing: new Set([7]) });
    const cache = new ChunkCache(array, { cacheBytes: 1e6 });
    const settled = await Promise.allSettled([7, 7, 7].map((n) => get(cache, n)));
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(await get(cache, 7)).toMatchObject({ stride: [1, 1, 1] });
    await get(cache, 7);
    expect(array.reads).toEqual(['7/0/0', '7/0/0']);
  });

  it('ChunkCache admits the next read after one that fails or is aborted', async () => {
    const failing = new Set(upTo(40));
    const array = countedArray({ failing });
    const cache = new ChunkCache(array, { cacheBytes: 1e6 });
    const controller = new AbortController();
    const doomed = Promise.allSettled(upTo(40).map((n) => get(cache, n, { signal: controller.signal })));
    await pause(0);
    controller.abort('no');
    expect((await doomed).filter(({ status }) => status === 'fulfilled')).toEqual([]);
    failing.clear();
    expect(await all(cache, upTo(100))).toHaveLength(100);
  });

  it.each([
    ['memory that threads share', true],
    ['buffers that are moved to threads', false],
  ])('ChunkCache decodes only into memory that nobody holds: %s', async (_, isShared) => {
    if (!isShared) vi.stubGlobal('SharedArrayBuffer', undefined);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ n: fc.nat(5), pause: fc.nat(3), aborts: fc.boolean() }), { maxLength: 40 }),
        fc.integer({ min: 0, max: 4 }),
        async (readers, kept) => {
          const array = countedArray();
          array.readChunk = async ([n], { memory } = {}) => {
            const { buffer, byteOffset } = memory?.take(256) ?? new Uint8Array(256);
            const data = new Float32Array(buffer, byteOffset, 64).fill(Number.NaN);
            await pause(n! % 3);
            return { data: data.fill(n!), stride: [1, 1, 1] };
          };
          const cache = new ChunkCache(array, { cacheBytes: kept * 512 });
          const isRight = (chunk: CachedChunk, n: number) =>
            chunk !== 'fill' && (chunk.data as Float32Array).every((value) => value === n);
          const isReaderRight = readers.map(async ({ n, pause: milliseconds, aborts }) => {
            const controller = new AbortController();
            if (aborts) setTimeout(() => controller.abort('no'), milliseconds);
            await pause(milliseconds);
            try {
              const { chunk, release } = await cache.hold([n, 0, 0], { signal: controller.signal });
              await pause(milliseconds);
              const seen = isRight(chunk, n);
              release();
              release();
              return seen;
            } catch (error) {
              return aborts && error === 'no';
            }
          });
          expect(await Promise.all(isReaderRight)).not.toContain(false);
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each([
    ['memory that threads share', true],
    ['buffers that are moved to threads', false],
  ])(
    'ChunkCache needs the memory of one chunk for a hundred that are read one after the other: %s',
    async (_, isShared) => {
      if (!isShared) vi.stubGlobal('SharedArrayBuffer', undefined);
      const places = new Set<number | ArrayBufferLike>();
      const array = countedArray();
      array.readChunk = async ([n], { memory } = {}) => {
        const { buffer, byteOffset } = memory?.take(256) ?? new Uint8Array(256);
        const data = new Float32Array(buffer, byteOffset, 64).fill(n!);
        places.add(isShared ? byteOffset : buffer);
        return { data, stride: [1, 1, 1] };
      };
      // Too little to keep one of them.
      const cache = new ChunkCache(array, { cacheBytes: 1 });
      for (const n of upTo(100)) (await cache.hold([n, 0, 0])).release();
      expect(places.size).toBe(1);
    },
  );

  it('ChunkCache reuses the memory of a chunk that arrives after all readers have aborted', async () => {
    const array = countedArray();
    const places: number[] = [];
    array.readChunk = async ([n], { memory } = {}) => {
      const { buffer, byteOffset } = memory!.take(256)!;
      places.push(byteOffset);
      await pause(5);
      return { data: new Float32Array(buffer, byteOffset, 64).fill(n!), stride: [1, 1, 1] };
    };
    const cache = new ChunkCache(array, { cacheBytes: 0 });
    for (const n of upTo(10)) {
      await expect(cache.hold([n, 0, 0], { signal: AbortSignal.timeout(1) })).rejects.toThrow();
      await pause(10);
    }
    expect(new Set(places)).toEqual(new Set([0]));
  });
});
