import ndarray from 'ndarray';
import { describe, expect, it } from 'vitest';
import { contiguousVolume } from '../../src/entry/index.ts';
import { differenceOf, fromNdarray, invertContrast, maskedBy, meanOf, toNdarray } from '../../src/entry/ndarray.ts';

const volume = contiguousVolume(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), [2, 2, 2]);

describe('ndarray', () => {
  it('fromNdarray and toNdarray keep the memory of a volume', () => {
    const array = toNdarray(volume);
    expect(array.data).toBe(volume.data);
    expect(array.get(1, 0, 1)).toBe(6);
    expect(fromNdarray(array)).toEqual(volume);
    const view = fromNdarray(array.transpose(2, 1, 0).lo(1, 0, 0));
    expect(view.data).toBe(volume.data);
    expect(view).toMatchObject({ shape: [1, 2, 2], stride: [1, 2, 4], offset: 1 });
  });

  it('fromNdarray throws unless an array is 3-D', () => {
    expect(() => fromNdarray(ndarray(new Float32Array(4), [2, 2]))).toThrow('found 2 dimensions');
  });

  it('voxelwise functions take any strides and types and do not change their arguments', () => {
    const transposed = toNdarray(volume).transpose(2, 1, 0);
    const bytes = ndarray(Uint8Array.of(1, 0, 1, 0, 1, 0, 1, 0), [2, 2, 2]);
    expect([...meanOf([volume, transposed]).data]).toEqual([1, 3.5, 3, 5.5, 3.5, 6, 5.5, 8]);
    expect([...meanOf([bytes, bytes, bytes]).data]).toEqual([...bytes.data]);
    expect([...differenceOf(volume, bytes).data]).toEqual([0, 2, 2, 4, 4, 6, 6, 8]);
    expect([...invertContrast(volume).data]).toEqual([-1, -2, -3, -4, -5, -6, -7, -8]);
    expect([...maskedBy(volume, bytes).data]).toEqual([1, 0, 3, 0, 5, 0, 7, 0]);
    expect([...volume.data]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('voxelwise functions throw for volumes of different shapes and for no volume', () => {
    const other = ndarray(new Float32Array(8), [2, 4, 1]);
    for (const combine of [differenceOf, maskedBy]) {
      expect(() => combine(volume, other)).toThrow('2×2×2 and 2×4×1 cannot be combined voxel by voxel');
    }
    expect(() => meanOf([])).toThrow('at least one volume');
  });
});
