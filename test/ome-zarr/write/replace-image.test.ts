import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { memoryStore, openTomogram, type Store, type VolumeSource, writeTomogram } from '../../../src/entry/index.ts';
import { directoryStore } from '../../../src/entry/node.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { sourceOf } from '../../support/volumes.ts';

let folder: string;

beforeEach(async () => {
  folder = await tempDir();
});

const filledWith = (value: number) => sourceOf(new Float32Array(64).fill(value), [4, 4, 4]);

/** A source that fails at its second chunk. */
function failing(value: number): VolumeSource {
  let reads = 0;
  const source = filledWith(value);
  return {
    ...source,
    read: (box, options) => (reads++ > 0 ? Promise.reject(new Error('gone')) : source.read(box, options)),
  };
}

const options = { levels: 1, chunkShape: [2, 4, 4], overwrite: true } as const;

async function firstVoxel(store: Store): Promise<number> {
  const { data } = await (await openTomogram(store)).read({ start: [0, 0, 0], end: [1, 1, 1] });
  return Number(data[0]);
}

describe('overwriting an image on disk', () => {
  it('overwriting keeps the old image if the write fails or is aborted', async () => {
    const store = directoryStore(join(folder, 'a.zarr'));
    await writeTomogram(store, filledWith(1), options);
    await expect(writeTomogram(store, failing(2), options)).rejects.toThrow('gone');
    expect(await firstVoxel(store)).toBe(1);
    const controller = new AbortController();
    const writing = writeTomogram(store, filledWith(2), {
      ...options,
      signal: controller.signal,
      onProgress: ({ done }) => done === 2 && controller.abort('stop'),
    });
    await expect(writing).rejects.toBe('stop');
    expect(await firstVoxel(store)).toBe(1);
    expect(await readdir(folder)).toEqual(['a.zarr']);
  });

  it('overwriting can read the old image as the source of the new one', async () => {
    const store = directoryStore(join(folder, 'a.zarr'));
    await writeTomogram(store, filledWith(3), options);
    await writeTomogram(store, await openTomogram(store), options);
    expect(await firstVoxel(store)).toBe(3);
  });

  it('overwriting shows nothing before the new image is complete', async () => {
    const store = directoryStore(join(folder, 'a.zarr'));
    const seen: number[] = [];
    const source = filledWith(1);
    const watched: VolumeSource = {
      ...source,
      read: async (box, readOptions) => {
        seen.push((await store.list('/')).length);
        return source.read(box, readOptions);
      },
    };
    await writeTomogram(store, watched, options);
    expect(seen).toEqual([0, 0]);
  });
});

describe('writing where a killed writer has left chunks without metadata', () => {
  it.each([
    ['in memory', () => memoryStore()],
    ['on disk', () => directoryStore(join(folder, 'a.zarr'))],
  ])('a write after a killed writer succeeds %s', async (_, open) => {
    const store = open();
    await store.set('/0/0/0/0', new Uint8Array(5));
    await store.set('/0/1/0/0', new Uint8Array(5));
    await writeTomogram(store, filledWith(4), { ...options, overwrite: false });
    expect(await firstVoxel(store)).toBe(4);
  });

  it.each(['/0/.zarray', '/0/zarr.json'] as const)(
    "a write throws for %s, which may be somebody else's array",
    async (key) => {
      const store = directoryStore(join(folder, 'a.zarr'));
      await store.set(key, new TextEncoder().encode('{}'));
      await expect(writeTomogram(store, filledWith(4), { ...options, overwrite: false })).rejects.toMatchObject({
        code: 'invalid-option',
        message: expect.stringContaining(`already contains ${key}`),
      });
      await writeTomogram(store, filledWith(4), { ...options, overwrite: true });
      expect(await firstVoxel(store)).toBe(4);
    },
  );
});
