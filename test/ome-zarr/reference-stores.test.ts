import { describe, expect, it } from 'vitest';
import { openTomogram, type StoreKey, toFloat32 } from '../../src/entry/index.ts';
import { directoryStore } from '../../src/entry/node.ts';
import { type ChunkedArray, openArray } from '../../src/ome-zarr/array.ts';
import values from '../fixtures/zarr-values.json' with { type: 'json' };
import { sharedData, sharedDataMissing } from '../support/shared-data.ts';
import { wholeBox } from '../support/volumes.ts';
import { forEachIndex } from '../support/zarr-arrays.ts';

const store = directoryStore(sharedData('fixtures'));
const cases = Object.entries(values).map(([path, expected]) => ({ path, ...expected }));

/** All numbers of an array of any rank, C-order. */
async function readAll(array: ChunkedArray): Promise<number[]> {
  const out: number[] = [];
  const chunks = new Map<string, Awaited<ReturnType<ChunkedArray['readChunk']>>>();
  const indices: number[][] = [];
  forEachIndex(array.shape, (index) => indices.push([...index]));
  for (const index of indices) {
    const at = index.map((n, i) => Math.floor(n / array.chunkShape[i]!));
    const key = at.join('/');
    if (!chunks.has(key)) chunks.set(key, await array.readChunk(at));
    const chunk = chunks.get(key);
    const place = chunk?.stride.reduce((sum, step, i) => sum + step * (index[i]! % array.chunkShape[i]!), 0) ?? 0;
    out.push(chunk ? Number(chunk.data[place]) : array.fillValue);
  }
  return out;
}

describe.skipIf(sharedDataMissing)('the reference stores (needs ../shared/data)', () => {
  it.each(cases)('$path reads like in zarr-python', async ({ path, dtype, shape, values: expected }) => {
    const array = await openArray(store, `/${path}`);
    expect(array).toMatchObject({ dtype, shape });
    expect(await readAll(array!)).toEqual(expected);
  });

  it.each(
    cases.filter(({ path, shape }) => shape.length === 3 && !path.startsWith('viv') && !path.startsWith('portal')),
  )('$path reads as a tomogram', async ({ path, shape, values: expected }) => {
    const tomogram = await openTomogram(directoryStore(sharedData(`fixtures/${path}`)), { fallbackVoxelSize: 10 });
    expect(tomogram.grid).toEqual({ shape, voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } });
    const voxels = await tomogram.read(wholeBox(tomogram.grid.shape));
    expect([...toFloat32(voxels).data]).toEqual(expected);
  });

  it('portal/sample_tomos/input_omezarr.zarr lists its axes as x, y, z, and is read so', async () => {
    const folder = 'fixtures/portal/sample_tomos/input_omezarr.zarr';
    const tomogram = await openTomogram(directoryStore(sharedData(folder)));
    expect(tomogram).toMatchObject({
      grid: { shape: [4, 4, 4], voxelSize: [14.08, 14.08, 14.08], origin: { x: 0, y: 0, z: 0 } },
      levels: [{ index: 0, path: '0', chunkShape: [256, 256, 256], dtype: 'float32' }],
    });
    const stored = values['portal/sample_tomos/input_omezarr.zarr/0'].values;
    const transposed = toFloat32({ ...sourceData(stored), stride: [1, 4, 16] });
    expect(toFloat32(await tomogram.read(wholeBox(tomogram.grid.shape))).data).toEqual(transposed.data);
  });

  it.each(['v04', 'v05'])('viv/blobs_image_%s is a colour image, and refused as a volume', async (version) => {
    const folder = sharedData(`fixtures/viv/blobs_image_${version}.ome.zarr`);
    await expect(openTomogram(directoryStore(folder))).rejects.toMatchObject({
      code: 'unsupported',
      message: `array /0 of ${folder} is not a single volume: expected axes z, y, x and others of length 1, found c (3), y (12), x (12)`,
    });
  });

  it.each<StoreKey>([
    '/zarrita/v2/data.zarr/1d.contiguous.S7',
    '/zarrita/v2/data.zarr/1d.contiguous.U13.be',
    '/zarrita/v2/data.zarr/3d.chunked.O',
    '/zarrita/v2/data.zarr/1d.contiguous.json2.O',
    '/zarrita/v3/data.zarr/1d.chunked.string.vlen',
  ])('%s holds no numbers, so openTomogram throws', async (path) => {
    await expect(openArray(store, path)).rejects.toThrow(
      /^cannot read .*: not supported: data type ".*"; expected a type of numbers, or booleans$/,
    );
  });
});

function sourceData(values: readonly number[]) {
  return { data: Float32Array.from(values), shape: [4, 4, 4] as const, offset: 0 };
}
