import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkTomogram,
  detectParticles,
  memoryStore,
  openTomogram,
  type Progress,
  type ReadableStore,
  resampled,
  type Store,
  type VolumeSource,
  type Warning,
} from '../../src/entry/index.ts';
import { openChannels } from '../../src/entry/io.ts';
import { ChunkRecord } from '../../src/ome-zarr/chunk-record.ts';
import { identityModel } from '../support/identity-model.ts';
import { sourceOf, wholeBox } from '../support/volumes.ts';
import { putMultiscales, putRawArray, watchedStore } from '../support/zarr-arrays.ts';

/** A store with an array of 8 chunks of 2×2×2 voxels, without some of them. */
async function eightChunks({ dtype = '<f4', without = [] as readonly string[] } = {}): Promise<Store> {
  const store = memoryStore();
  const value = ([z, y, x]: readonly number[]) => 1 + z! + 2 * y! + 3 * x!;
  await putRawArray(store, '/0', { shape: [4, 4, 4], chunks: [2, 2, 2], dtype, value, without });
  return store;
}

/** Opens a store without a cache, so that every read looks for its chunks again. */
function open(store: ReadableStore) {
  return openTomogram(store, { fallbackVoxelSize: 10, cacheBytes: 0 });
}

async function halfCopied(dtype = '<f4') {
  return open(await eightChunks({ dtype, without: ['0/0/1', '1/1/1'] }));
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

  it.each(['<f4', '|i1', '|u1'])('missing chunks are reported with their share and place: %s', async (dtype) => {
    const tomogram = await halfCopied(dtype);
    expect(checkTomogram(tomogram)).toEqual([]);
    await tomogram.read({ start: [0, 0, 0], end: [1, 1, 4] });
    expect(checkTomogram(tomogram)[0]?.message).toMatch(
      /^1 of the 2 chunks read so far \(50 %; there are 8 in all\) are/,
    );
    await tomogram.read(wholeBox([4, 4, 4]));
    expect(checkTomogram(tomogram)).toEqual([
      {
        code: 'chunks-missing',
        message:
          '2 of the 8 chunks (25 %) are not in the store, and their voxels are the fill value, 0; they lie within the voxels ' +
          'z 0 to 3, y 0 to 3, x 2 to 3: was the image copied whole?',
        path: 'memory/0',
        share: 0.25,
      },
    ]);
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
    const model = identityModel({ voxelSize: 10, normalization: 'none', minDistances: { object: 10 } });
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

  it('missing chunks of one channel are a share of its own chunks, and no matter of the other channels', async () => {
    const store = memoryStore();
    const shape = [3, 4, 4, 2];
    const without = ['1/0/0/0', '1/0/1/0', '1/1/0/0'];
    await putRawArray(store, '/0', { shape, chunks: [1, 2, 2, 2], value: (at) => 1 + at.at(-1)!, without });
    const channels = await openChannels(store, { fallbackVoxelSize: 10 });
    const model = identityModel({ voxelSize: 10, normalization: 'none', minDistances: { object: 10 } });
    for (const channel of channels) await channel.read(wholeBox([4, 4, 2]));
    expect(channels.map((channel) => channel.warnings().map(({ share }) => share))).toEqual([[], [0.75], []]);
    expect(channels[1]!.warnings()[0]!.message).toMatch(/^3 of the 4 chunks \(75 %\) are not in the store/);
    await expect(detectParticles(channels[1]!, { model })).rejects.toMatchObject({ code: 'corrupt-data' });
    expect(await detectParticles(channels[2]!, { model })).toBeInstanceOf(Array);
  });

  it('missing chunks are counted correctly in a grid of any size', () => {
    const property = fc.property(
      fc.array(fc.tuple(fc.nat(99_999), fc.nat(99_999), fc.nat(99_999)), { maxLength: 50 }),
      (chunks) => {
        const tally = new ChunkRecord({ shape: [1e5, 1e5, 1e5], chunkShape: [1, 1, 1] });
        for (const at of chunks) expect(tally.enter(at, at[2] % 2 === 0)).toBe(true);
        const distinct = [...new Set(chunks.map((at) => at.join()))];
        expect(tally.total).toBe(1e15);
        expect(tally.read).toBe(distinct.length);
        expect(tally.missing).toBe(distinct.filter((at) => Number(at.at(-1)) % 2 === 1).length);
        for (const at of chunks) expect(tally.enter(at, at[2] % 2 === 1)).toBe(false);
        expect(tally.read).toBe(distinct.length);
      },
    );
    fc.assert(property);
  });
});

describe('a chunk that was seen otherwise before', () => {
  const whole = wholeBox([4, 4, 4]);

  it('a chunk that vanishes between two reads throws corrupt-data instead of becoming the fill value', async () => {
    const store = await eightChunks();
    const tomogram = await open(store);
    const before = (await tomogram.read(whole)).data.slice();
    const chunk = await store.get('/0/1/0/1');
    await store.delete('/0/1/0/1');
    await expect(tomogram.read(whole)).rejects.toMatchObject({
      code: 'corrupt-data',
      path: 'memory/0',
      message: expect.stringMatching(
        /^chunk 1\/0\/1 of array .* was in the store when it was read before and is absent/,
      ),
    });
    await store.set('/0/1/0/1', chunk!);
    expect((await tomogram.read(whole)).data).toEqual(before);
  });

  it('a chunk that appears between two reads throws corrupt-data instead of changing the voxels', async () => {
    const store = await eightChunks({ without: ['1/1/1'] });
    const tomogram = await open(store);
    await tomogram.read(whole);
    await store.set('/0/1/1/1', (await store.get('/0/0/0/0'))!);
    await expect(tomogram.read(whole)).rejects.toMatchObject({
      code: 'corrupt-data',
      message: expect.stringMatching(
        /^chunk 1\/1\/1 of array .* was not in the store when it was read before and is there/,
      ),
    });
  });

  it('a chunk of one channel is remembered for all channels that share it', async () => {
    const store = memoryStore();
    await putRawArray(store, '/0', { shape: [2, 2, 2, 2], chunks: [2, 2, 2, 2], value: () => 1 });
    const [first, second] = await openChannels(store, { fallbackVoxelSize: 10, cacheBytes: 0 });
    await first!.read(wholeBox([2, 2, 2]));
    await store.delete('/0/0/0/0/0');
    await expect(second!.read(wholeBox([2, 2, 2]))).rejects.toMatchObject({ code: 'corrupt-data' });
  });

  it('chunks throw corrupt-data if the whole array has vanished since it was opened, even those never read before', async () => {
    const store = await eightChunks();
    const tomogram = await open(store);
    await store.delete('/0');
    await expect(tomogram.read(whole)).rejects.toMatchObject({
      code: 'corrupt-data',
      path: 'memory/0/.zarray',
      message: expect.stringMatching(/was there when the array was opened and is absent now/),
    });
  });

  it('an absent chunk asks for the metadata of its array once a second at most', async () => {
    const store = watchedStore(await eightChunks({ without: ['0/0/0', '0/1/0', '1/0/0', '1/1/0'] }));
    const tomogram = await open(store);
    store.reads = [];
    await tomogram.read(whole);
    expect(store.reads.filter((key) => key === '/0/.zarray')).toHaveLength(1);
  });
});

describe('detectParticles on a tomogram with missing chunks', () => {
  const model = identityModel({ voxelSize: 10, normalization: 'none', minDistances: { object: 10 } });
  const five = ['0/0/0', '0/0/1', '0/1/0', '0/1/1', '1/0/0'];

  it('detectParticles throws corrupt-data where more than half of the chunks are missing, and says what would work', async () => {
    const tomogram = await open(await eightChunks({ without: five }));
    await expect(detectParticles(tomogram, { model })).rejects.toMatchObject({
      code: 'corrupt-data',
      path: 'memory/0',
      message: expect.stringMatching(/5 of the 8 chunks \(63 %\).*set the option allowMissingChunks$/),
    });
    await expect(detectParticles(resampled(tomogram, 10.2), { model })).rejects.toMatchObject({ code: 'corrupt-data' });
  });

  it('detectParticles searches it with allowMissingChunks, and warns', async () => {
    const tomogram = await open(await eightChunks({ without: five }));
    const warnings: Warning[] = [];
    const onWarning = (warning: Warning) => warnings.push(warning);
    expect(await detectParticles(tomogram, { model, allowMissingChunks: true, onWarning })).toBeInstanceOf(Array);
    expect(warnings).toEqual([expect.objectContaining({ code: 'chunks-missing', share: 5 / 8 })]);
  });

  it('detectParticles searches a tomogram of which half of the chunks are missing, and counts the searched level only', async () => {
    const tomogram = await open(await eightChunks({ without: five.slice(1) }));
    expect(await detectParticles(tomogram, { model })).toBeInstanceOf(Array);
    const store = await eightChunks();
    await putRawArray(store, '/1', { shape: [2, 2, 2], chunks: [2, 2, 2], value: () => 1, without: ['0/0/0'] });
    const scaled = (path: string, scale: number) => ({
      path,
      coordinateTransformations: [{ type: 'scale', scale: [scale, scale, scale] }],
    });
    await putMultiscales(store, { axes: ['z', 'y', 'x'], datasets: [scaled('0', 10), scaled('1', 20)] });
    expect(await detectParticles(await openTomogram(store), { model })).toBeInstanceOf(Array);
  });

  it('detectParticles finds no particles in a tomogram whose chunks vanish after its intensity was measured', async () => {
    const store = await eightChunks();
    const tomogram = await open(store);
    const vanishing = async () => {
      for (const key of ['/0/0/0/0', '/0/1/1/1'] as const) await store.delete(key);
    };
    const onProgress = ({ stage, done, total }: Progress) => {
      if (stage === 'intensity' && done === total) void vanishing();
    };
    await expect(detectParticles(tomogram, { model, onProgress })).rejects.toMatchObject({ code: 'corrupt-data' });
  });
});

it('labels of which all chunks are missing are read as the fill value', async () => {
  const without = ['0/0/0', '0/0/1', '0/1/0', '0/1/1', '1/0/0', '1/0/1', '1/1/0', '1/1/1'];
  const labels = await open(await eightChunks({ dtype: '|u1', without }));
  expect((await labels.read(wholeBox([4, 4, 4]), { exact: true })).data.every((label) => label === 0)).toBe(true);
});
