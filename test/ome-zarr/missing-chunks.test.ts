import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkTomogram,
  detectParticles,
  memoryStore,
  openTomogram,
  resampled,
  type VolumeSource,
  type Warning,
} from '../../src/entry/index.ts';
import { openChannels } from '../../src/entry/io.ts';
import { ChunkCounter } from '../../src/ome-zarr/chunk-cache.ts';
import { wholeBox } from '../../src/space/zyx.ts';
import { identityModel } from '../support/identity-model.ts';
import { sourceOf } from '../support/volumes.ts';
import { putRawArray } from '../support/zarr-arrays.ts';

async function halfCopied(dtype = '<f4') {
  const store = memoryStore();
  const image = { shape: [4, 4, 4], chunks: [2, 2, 2], dtype, value: () => 1, without: ['0/0/1', '1/1/1'] };
  await putRawArray(store, '/0', image);
  return openTomogram(store, { fallbackVoxelSize: 10, cacheBytes: 0 });
}

describe('chunks that are not in the store', () => {
  it('missing chunks are each counted once, when they are read', async () => {
    const tomogram = await halfCopied();
    expect(tomogram.chunks).toMatchObject({ total: 8, read: 0, missing: 0 });
    await tomogram.read({ start: [0, 0, 0], end: [1, 1, 4] });
    expect(tomogram.chunks).toMatchObject({ total: 8, read: 2, missing: 1 });
    await tomogram.read(wholeBox([4, 4, 4]));
    await tomogram.read(wholeBox([4, 4, 4]), { exact: true });
    expect(tomogram.chunks).toMatchObject({ total: 8, read: 8, missing: 2 });
  });

  it('missing chunks are reported for a measured volume, not for labels', async () => {
    const tomogram = await halfCopied();
    expect(checkTomogram(tomogram)).toEqual([]);
    await tomogram.read(wholeBox([4, 4, 4]));
    expect(checkTomogram(tomogram)).toEqual([
      {
        code: 'chunks-missing',
        message:
          '2 of the 8 chunks read so far (of 8) are not in the store, and their voxels are the fill value: was it copied whole?',
      },
    ]);
    const labels = await halfCopied('|u1');
    await labels.read(wholeBox([4, 4, 4]));
    expect(checkTomogram(labels)).toEqual([]);
  });

  const warned = expect.objectContaining({ code: 'chunks-missing' });

  it.each<[string, (source: VolumeSource) => VolumeSource]>([
    ['a spread', (source) => ({ ...source, read: (box, options) => source.read(box, options) })],
    ['resampled', (source) => resampled(source, 20)],
  ])('missing chunks are reported through a wrapper: %s', async (_, wrap) => {
    const source = wrap(await halfCopied());
    await source.read(wholeBox(source.grid.shape));
    expect(source.warnings?.()).toEqual([warned]);
    expect(checkTomogram(source)).toEqual([warned]);
  });

  it('missing chunks are reported once by detectParticles', async () => {
    const tomogram = await halfCopied();
    const warnings: Warning[] = [];
    const model = identityModel({ voxelSize: 10, normalization: 'none' });
    await detectParticles(tomogram, { model, onWarning: (warning) => warnings.push(warning) });
    expect(warnings).toEqual([warned]);
  });

  it('a source may have a field of its own called chunks', async () => {
    const data = Float32Array.from({ length: 64 }, (_, i) => i % 7);
    const source = { ...sourceOf(data, [4, 4, 4], { voxelSize: [10, 10, 10] }), chunks: ['a', 'b'] };
    expect(checkTomogram(source)).toEqual([]);
    const model = identityModel({ voxelSize: 10 });
    expect(await detectParticles(source, { model, thresholds: 99 })).toEqual([]);
  });

  it('missing chunks are counted for all channels of an image together', async () => {
    const store = memoryStore();
    await putRawArray(store, '/0', { shape: [2, 2, 2, 2], chunks: [1, 2, 2, 2], value: () => 1, without: ['1/0/0/0'] });
    const [first, second] = await openChannels(store, { fallbackVoxelSize: 10 });
    await first!.read(wholeBox([2, 2, 2]));
    expect(first!.chunks).toMatchObject({ total: 2, read: 1, missing: 0 });
    await second!.read(wholeBox([2, 2, 2]));
    expect(first!.chunks).toMatchObject({ total: 2, read: 2, missing: 1 });
  });

  it('missing chunks are counted correctly in a grid of any size', () => {
    const property = fc.property(
      fc.array(fc.tuple(fc.nat(99_999), fc.nat(99_999), fc.nat(99_999)), { maxLength: 50 }),
      (chunks) => {
        const tally = new ChunkCounter({ shape: [1e5, 1e5, 1e5], chunkShape: [1, 1, 1] });
        for (const at of chunks) tally.count(at, at[2] % 2 === 0);
        const distinct = [...new Set(chunks.map((at) => at.join()))];
        expect(tally.total).toBe(1e15);
        expect(tally.read).toBe(distinct.length);
        expect(tally.missing).toBe(distinct.filter((at) => Number(at.at(-1)) % 2 === 1).length);
      },
    );
    fc.assert(property);
  });
});
