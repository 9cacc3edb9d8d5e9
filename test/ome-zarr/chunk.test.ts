import { expect, it } from 'vitest';
import { memoryStore, openTomogram } from '../../src/entry/index.ts';
import { cropChunk } from '../../src/ome-zarr/chunk.ts';
import { forEachIndex, putRawArray, watchedStore } from '../support/zarr-arrays.ts';

it.each([
  ['C', [20, 5, 1]],
  ['F', [1, 3, 12]],
  ['y, z, x', [5, 15, 1]],
])('cropChunk keeps only the first values along each axis, in order %s', (_, stride) => {
  const data = Int16Array.from({ length: 60 }, (_, i) => i);
  for (const extents of [
    [3, 4, 5],
    [2, 3, 4],
    [1, 4, 1],
    [3, 1, 5],
    [1, 1, 1],
  ]) {
    const cropped = cropChunk({ data, stride }, extents);
    expect(cropped.data).toBeInstanceOf(Int16Array);
    expect(cropped.data.buffer.byteLength).toBe(2 * extents.reduce((a, b) => a * b, 1));
    const seen: number[] = [];
    forEachIndex(extents, (index) => {
      const place = (by: readonly number[]) => by.reduce((sum, step, i) => sum + step * index[i]!, 0);
      expect(cropped.data[place(cropped.stride)]).toBe(data[place(stride)]);
      seen.push(place(cropped.stride));
    });
    expect(new Set(seen).size).toBe(cropped.data.length);
  }
});

it('a cache keeps only the part of a chunk inside the array', async () => {
  const inner = memoryStore();
  await putRawArray(inner, '/0', { shape: [34, 3, 33], chunks: [32, 32, 32], value: ([z]) => z! });
  const store = watchedStore(inner);
  // The voxels of the array take 34 · 3 · 33 · 4 = 13464 bytes, its four chunks 512 KiB; each entry 256 more.
  const tomogram = await openTomogram(store, { fallbackVoxelSize: 10, cacheBytes: 13464 + 4 * 256 });
  store.reads = [];
  const box = { start: [0, 0, 0], end: [34, 3, 33] } as const;
  await tomogram.read(box);
  const voxels = await tomogram.read(box);
  expect(store.reads).toHaveLength(4);
  expect([voxels.data[0], voxels.data.at(-1)]).toEqual([0, 33]);
});
