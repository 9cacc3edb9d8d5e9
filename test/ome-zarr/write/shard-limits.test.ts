import { describe, expect, it } from 'vitest';
import { memoryStore, type VolumeSource, type Warning, writeTomogram, type Zyx } from '../../../src/entry/index.ts';
import { writeChannels } from '../../../src/entry/io.ts';
import { valueWriter } from '../../../src/ome-zarr/write/chunk-sinks.ts';

const unread = new Error('no voxel is read');

/** A source of any size that holds nothing. */
function unreadable(shape: Zyx): VolumeSource {
  const grid = { shape, voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } } as const;
  return { grid, read: () => Promise.reject(unread) };
}

describe('shards that are too large', () => {
  it('writeTomogram throws for a shard from 5 TB on, as copick 2 does, in zarr3 only', async () => {
    const store = memoryStore([['/notes.txt', new Uint8Array(1)]]);
    const huge = unreadable([10752, 10752, 10880]);
    await expect(writeTomogram(store, huge, { format: 'zarr3', overwrite: true })).rejects.toMatchObject({
      code: 'invalid-option',
      message:
        'the shard of level 0, 599760 chunks of 128×128×128 float32, takes 5031151534080 bytes uncompressed, expected less than 5 TB; write the format "zarr2"',
    });
    expect(await store.list('/')).toHaveLength(1);
    await expect(writeTomogram(store, huge, { format: 'zarr2' })).rejects.toBe(unread);
  });

  it('writeTomogram warns of each shard above 5 GB, as copick 2 does', async () => {
    const warningsOf = async (shape: Zyx, channels = 1, axis: 'c' | 'feature' = 'c') => {
      const warnings: Warning[] = [];
      const onWarning = (warning: Warning) => warnings.push(warning);
      const sources = Array.from({ length: channels }, () => unreadable(shape));
      const writing = writeChannels(memoryStore(), sources, { format: 'zarr3', axis, onWarning });
      await expect(writing).rejects.toBe(unread);
      return warnings;
    };
    expect(await warningsOf([1024, 1024, 1152])).toEqual([]);
    expect(await warningsOf([1024, 1024, 1280])).toEqual([
      {
        code: 'shard-too-large',
        message:
          'the shard of level 0, 640 chunks of 128×128×128 float32, takes 5368709120 bytes uncompressed, more than the 5 GB that copick recommends',
      },
    ]);
    expect(await warningsOf([512, 1024, 1280], 2)).toHaveLength(1);
    expect(await warningsOf([512, 1024, 1280], 2, 'feature')).toEqual([]);
  });

  it('writeTomogram throws for a shard whose index could not be read back', async () => {
    const options = { format: 'zarr3', chunkShape: [1, 1, 1] } as const;
    await expect(writeTomogram(memoryStore(), unreadable([257, 256, 256]), options)).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining('expected at most 16777216 chunks; make them larger'),
    });
  });

  it('writeTomogram throws at 2 GiB of compressed bytes if the store accepts only whole values', async () => {
    const writer = valueWriter(memoryStore(), '/0/0', {});
    await writer.append({ length: 2 ** 30 } as Uint8Array);
    await expect(writer.append({ length: 2 ** 30 } as Uint8Array)).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('write the format "zarr2"'),
    });
  });
});
