import ndarray from 'ndarray';
import { describe, expect, it } from 'vitest';
import { type Box, contiguousVolume, resampled, sourceFromArray, toFloat32, type Zyx } from '../../src/entry/index.ts';
import { boxShape } from '../../src/space/grid.ts';
import { asVolume, copyVolumeInto } from '../../src/volume/volume.ts';

/** Voxel (z, y, x) holds 100 z + 10 y + x. */
function counting([depth, height, width]: Zyx): Float32Array {
  const data = new Float32Array(depth * height * width);
  for (let i = 0; i < data.length; i++) {
    data[i] = 100 * Math.floor(i / (height * width)) + 10 * (Math.floor(i / width) % height) + (i % width);
  }
  return data;
}

describe('sourceFromArray', () => {
  const data = counting([3, 4, 5]);

  it('sourceFromArray reads float32 as views, without copying', async () => {
    const box: Box = { start: [1, 1, 2], end: [3, 3, 4] };
    const view = await sourceFromArray(contiguousVolume(data, [3, 4, 5])).read(box);
    expect(view.data).toBe(data);
    expect(view.shape).toEqual(boxShape(box));
    expect([...toFloat32(view).data]).toEqual([112, 113, 122, 123, 212, 213, 222, 223]);
  });

  it.each([
    ['uint8', Uint8Array.from({ length: 60 }, (_, i) => i)],
    ['int16', Int16Array.from({ length: 60 }, (_, i) => i - 30)],
    ['float64', Float64Array.from({ length: 60 }, (_, i) => i / 4)],
    ['plain numbers', Array.from({ length: 60 }, (_, i) => i)],
  ])('sourceFromArray converts %s to float32', async (_, values) => {
    const read = await sourceFromArray(contiguousVolume(values, [3, 4, 5])).read({ start: [0, 0, 1], end: [1, 1, 3] });
    expect(read.data).toEqual(Float32Array.of(values[1], values[2]));
  });

  it('sourceFromArray reads transposed, flipped and stepped ndarrays', async () => {
    const array = ndarray(data, [3, 4, 5]);
    const views = [array.transpose(2, 0, 1), array.step(-1, 2, -2), array.lo(1, 1, 1).hi(2, 2, 3)];
    for (const view of views) {
      const [depth, height, width] = view.shape;
      const whole = await sourceFromArray(view).read({ start: [0, 0, 0], end: [depth, height, width] });
      const { data: copy } = toFloat32(whole);
      let i = 0;
      for (let z = 0; z < depth; z++)
        for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) expect(copy[i++]).toBe(view.get(z, y, x));
    }
  });

  it.each<[string, unknown, string]>([
    [
      'before',
      { start: [-1, 0, 0], end: [1, 1, 1] },
      '[-1, 0, 0] to [1, 1, 1] does not lie in the volume, 3×4×5 voxels',
    ],
    ['beyond', { start: [0, 0, 0], end: [3, 5, 5] }, 'does not lie in the volume, 3×4×5 voxels'],
    [
      'backwards',
      { start: [2, 0, 0], end: [1, 4, 5] },
      'from [2, 0, 0] to [1, 4, 5] of the volume, 3×4×5 voxels, ends before it starts',
    ],
    ['at NaN', { start: [Number.NaN, 0, 0], end: [1, 4, 5] }, 'from [NaN, 0, 0] to [1, 4, 5] is not in whole numbers'],
    ['of halves', { start: [0.5, 0, 0], end: [1, 4, 5] }, 'from [0.5, 0, 0] to [1, 4, 5] is not in whole numbers'],
    ['of texts', { start: ['0', 0, 0], end: [1, 4, 5] }, 'from ["0", 0, 0] to [1, 4, 5] is not in whole numbers'],
    ['of two axes', { start: [0, 0], end: [1, 4] }, 'expected a box { start: [z, y, x], end: [z, y, x] }'],
    ['of other names', { min: [0, 0, 0] }, 'end: [z, y, x] } of the volume, 3×4×5 voxels, found {"min":[0,0,0]}'],
    ['of nothing', {}, 'expected a box { start: [z, y, x], end: [z, y, x] } of the volume, 3×4×5 voxels, found {}'],
    ['left out', undefined, 'found undefined'],
  ])('sourceFromArray throws for a box %s rather than reading other voxels', async (_, box, message) => {
    const refusal = { code: 'invalid-option', message: expect.stringContaining(message) };
    const source = sourceFromArray(contiguousVolume(data, [3, 4, 5]));
    await expect(source.read(box as Box)).rejects.toMatchObject(refusal);
    await expect(source.read(box as Box, { exact: true })).rejects.toMatchObject(refusal);
    const coarse = resampled(source, 2);
    if (box) await expect(coarse.read(box as Box)).rejects.toMatchObject({ code: 'invalid-option' });
  });

  it.each<[string, object, string]>([
    ['a last row beyond', { shape: [8, 8, 9], stride: [72, 9, 1] }, 'does not lie in its data of 512 values'],
    ['a start beyond', { offset: 1 }, 'offset 1 does not lie in its data of 512 values'],
    ['strides that lead before it', { stride: [64, -8, 1] }, 'stride [64,-8,1]'],
    ['an offset of NaN', { offset: Number.NaN }, 'offset NaN'],
    ['half a stride', { stride: [64, 8, 0.5] }, 'stride [64,8,0.5]'],
    ['texts for a shape', { shape: ['8', '8', '8'] }, 'shape ["8","8","8"]'],
    ['less than nothing', { shape: [8, -8, 8] }, 'shape [8,-8,8]'],
    ['no data', { data: undefined }, 'volume.data must be a typed array, or an array of numbers, found undefined'],
    ['a stride of two axes', { stride: [8, 1] }, 'expected a 3-D array [z, y, x], found 3 dimensions'],
    [
      'neither stride nor fitting length',
      { stride: undefined, offset: undefined, shape: [8, 8, 7] },
      '512 values do not fill',
    ],
  ])('sourceFromArray throws for a view with %s', (_, odd, message) => {
    const whole = { data: new Float32Array(512), shape: [8, 8, 8], stride: [64, 8, 1], offset: 0 };
    const make = () => sourceFromArray({ ...whole, ...odd });
    expect(make).toThrow(
      expect.objectContaining({ code: 'invalid-option', message: expect.stringContaining(message) }),
    );
  });

  it('sourceFromArray assumes C-order without a stride, and offset 0 without an offset', async () => {
    const box: Box = { start: [2, 3, 4], end: [3, 4, 5] };
    for (const like of [
      { data, shape: [3, 4, 5] },
      { data, shape: [3, 4, 5], stride: [20, 5, 1] },
      { data: Float32Array.of(7, ...data), shape: [3, 4, 5], offset: 1 },
    ]) {
      const source = sourceFromArray(like);
      expect(source.grid.shape).toEqual([3, 4, 5]);
      expect([...toFloat32(await source.read(box)).data]).toEqual([234]);
    }
  });

  it('sourceFromArray accepts an empty view, and strides of 0 and below', () => {
    const empty = { data: new Float32Array(0), shape: [0, 8, 8], stride: [64, 8, 1], offset: 0 };
    expect(sourceFromArray(empty).grid.shape).toEqual([0, 8, 8]);
    const still = { data: Float32Array.of(7, 8), shape: [3, 3, 2], stride: [0, 0, -1], offset: 1 };
    expect(sourceFromArray(still).grid.shape).toEqual([3, 3, 2]);
  });

  it.each<[object, string]>([
    [{ voxelSize: 10 }, 'voxelSize must be three lengths above 0 in Å, [z, y, x], found 10'],
    [{ voxelSize: ['a', 'b', 'c'] }, 'found ["a", "b", "c"]'],
    [{ voxelSize: [10, 10, Number.NaN] }, 'found [10, 10, NaN]'],
    [{ voxelSize: [10, 10, 0] }, 'found [10, 10, 0]'],
    [{ origin: [0, 0, 0] }, 'origin must be a point { x, y, z } in Å, found [0, 0, 0]'],
    [{ origin: { x: 0, y: 0 } }, 'origin.z must be a finite number, found undefined'],
  ])('sourceFromArray throws for the geometry %j', (geometry, message) => {
    const make = () => sourceFromArray(contiguousVolume(data, [3, 4, 5]), geometry);
    expect(make).toThrow(
      expect.objectContaining({ code: 'invalid-option', message: expect.stringContaining(message) }),
    );
  });
});

describe('volumes', () => {
  it('contiguousVolume and asVolume throw for data of the wrong length or rank', () => {
    expect(() => contiguousVolume([1, 2, 3], [1, 2, 2])).toThrow('3 values do not fill a volume of 1×2×2 = 4 voxels');
    expect(() => asVolume(ndarray(new Float32Array(4), [2, 2]))).toThrow('expected a 3-D array [z, y, x], found 2');
  });

  it('copyVolumeInto copies a block into a larger volume', () => {
    const to = contiguousVolume(new Float32Array(2 * 3 * 4), [2, 3, 4]);
    copyVolumeInto(contiguousVolume(Float32Array.of(1, 2, 3, 4), [1, 2, 2]), to, [1, 1, 2]);
    expect([...to.data.subarray(12)]).toEqual([0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 3, 4]);
    expect(Math.max(...to.data.subarray(0, 12))).toBe(0);
  });
});
