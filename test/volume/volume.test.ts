import fc from 'fast-check';
import ndarray from 'ndarray';
import { describe, expect, it } from 'vitest';
import {
  type Box,
  contiguousVolume,
  measureIntensity,
  resampled,
  sourceFromArray,
  toFloat32,
  type VolumeSource,
  type Zyx,
} from '../../src/entry/index.ts';
import { boxShape, voxelCount } from '../../src/space/zyx.ts';
import { readPaddedInto, tieWays } from '../../src/volume/read.ts';
import { asVolume, copyVolumeInto } from '../../src/volume/volume.ts';

/** Voxel (z, y, x) holds 100 z + 10 y + x. */
function counting([depth, height, width]: Zyx): Float32Array {
  const data = new Float32Array(depth * height * width);
  for (let i = 0; i < data.length; i++) {
    data[i] = 100 * Math.floor(i / (height * width)) + 10 * (Math.floor(i / width) % height) + (i % width);
  }
  return data;
}

/** Index of numpy.pad(mode='reflect'), by walking to and fro. */
function reflected(i: number, length: number): number {
  let index = 0;
  let step = 1;
  for (let walked = 0; walked < Math.abs(i); walked++) {
    if (length === 1) return 0;
    if (index + step < 0 || index + step >= length) step = -step;
    index += step;
  }
  return index;
}

describe('readPaddedInto', () => {
  it('takes boxes that are 300,000 voxels long', async () => {
    const source = sourceFromArray(contiguousVolume(Float32Array.of(1, 2, 3), [1, 1, 3]));
    const out = new Float32Array(300_000);
    await readPaddedInto(source, { start: [0, 0, 0], end: [1, 1, out.length] }, out);
    expect([...out.subarray(0, 7)]).toEqual([1, 2, 3, 2, 1, 2, 3]);
    expect(out.at(-1)).toBe([1, 2, 3, 2][(out.length - 1) % 4]);
  });

  it('mirrors at the faces like numpy, for any box that starts or ends anywhere', async () => {
    const index = fc.integer({ min: -9, max: 9 });
    const edge = fc.integer({ min: 1, max: 6 });
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(edge, edge, edge),
        fc.tuple(index, index, index),
        fc.tuple(edge, edge, edge),
        async (shape, start, extent) => {
          const box: Box = { start, end: [start[0] + extent[0], start[1] + extent[1], start[2] + extent[2]] };
          const out = new Float32Array(voxelCount(extent)).fill(Number.NaN);
          await readPaddedInto(sourceFromArray(contiguousVolume(counting(shape), shape)), box, out);
          const expected: number[] = [];
          for (let z = 0; z < extent[0]; z++)
            for (let y = 0; y < extent[1]; y++)
              for (let x = 0; x < extent[2]; x++)
                expected.push(
                  // Symmetric about 0, so a walk to the left is one to the right.
                  100 * reflected(start[0] + z, shape[0]) +
                    10 * reflected(start[1] + y, shape[1]) +
                    reflected(start[2] + x, shape[2]),
                );
          expect([...out]).toEqual(expected);
        },
      ),
    );
  });

  it('gives the numbers that numpy gives', async () => {
    const out = new Float32Array(11);
    const source = sourceFromArray(contiguousVolume(Float32Array.of(0, 1, 2), [1, 1, 3]));
    await readPaddedInto(source, { start: [0, 0, -4], end: [1, 1, 7] }, out);
    // numpy.pad([0, 1, 2], 4, mode='reflect')
    expect([...out]).toEqual([0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]);
  });

  it('asks the source only for voxels that exist', async () => {
    const boxes: Box[] = [];
    const source = sourceFromArray(contiguousVolume(counting([4, 4, 4]), [4, 4, 4]));
    const watched = {
      grid: source.grid,
      read: (box: Box) => {
        boxes.push(box);
        return source.read(box);
      },
    };
    await readPaddedInto(watched, { start: [2, -1, 0], end: [6, 1, 4] }, new Float32Array(32));
    expect(boxes).toEqual([{ start: [1, 0, 0], end: [4, 2, 4] }]);
  });

  it('rejects with the abort reason', async () => {
    const source = sourceFromArray(contiguousVolume(counting([2, 2, 2]), [2, 2, 2]));
    const box = { start: [0, 0, 0], end: [2, 2, 2] } as const;
    const signal = AbortSignal.abort('enough');
    await expect(readPaddedInto(source, box, new Float32Array(8), { signal })).rejects.toBe('enough');
  });
});

describe('ways that are tied to a read', () => {
  const box = { start: [0, 0, 0], end: [1, 1, 2] } as const;
  const plain = sourceFromArray(contiguousVolume(Float32Array.of(1, 2), [1, 1, 2]));
  const tied = (calls: string[]) => ({
    ...plain,
    read: tieWays((...args) => plain.read(...args), {
      async readInto(_, out) {
        calls.push('readInto');
        out.set([1, 2]);
      },
      async hold(...args) {
        calls.push('hold');
        return { volume: await plain.read(...args), release: () => calls.push('release') };
      },
    }),
  });

  it('are used instead of it: into the memory of a tile, and held for the statistics', async () => {
    const calls: string[] = [];
    const out = new Float32Array(2);
    await readPaddedInto(tied(calls), box, out);
    expect([...out]).toEqual([1, 2]);
    expect((await measureIntensity(tied(calls))).mean).toBe(1.5);
    expect(calls).toEqual(['readInto', 'hold', 'release']);
  });

  it.each([
    ['a voxel too few', [1, 1, 1], [1, 2], 'the source gave 1×1×1 voxels for a box of 1×1×2 from voxel 0×0×0'],
    ['a voxel too many', [1, 1, 3], [1, 2, 3], 'the source gave 1×1×3 voxels for a box of 1×1×2'],
    ['less data than it has voxels', [1, 1, 2], [1], 'does not lie in its data of 1 values'],
  ] as const)('refuse what a read of somebody else gives: %s', async (_, shape, values, message) => {
    const wrong: VolumeSource = {
      ...plain,
      read: async () => ({ data: Float32Array.from(values), shape, stride: [2, 2, 1], offset: 0 }),
    };
    await expect(readPaddedInto(wrong, box, new Float32Array(2))).rejects.toThrow(message);
    await expect(measureIntensity(wrong)).rejects.toThrow(message);
  });

  it('are not used where somebody put another read in its place, nor beyond the faces', async () => {
    const calls: string[] = [];
    const doubled: VolumeSource = {
      ...tied(calls),
      read: async () => contiguousVolume(Float32Array.of(2, 4), [1, 1, 2]),
    };
    const out = new Float32Array(2);
    await readPaddedInto(doubled, box, out);
    expect([...out]).toEqual([2, 4]);
    expect((await measureIntensity(doubled)).mean).toBe(3);
    const wider = new Float32Array(4);
    await readPaddedInto(tied(calls), { start: [0, 0, -1], end: [1, 1, 3] }, wider);
    expect([...wider]).toEqual([2, 1, 2, 1]);
    expect(calls).toEqual([]);
  });
});

describe('sourceFromArray', () => {
  const data = counting([3, 4, 5]);

  it('hands out float32 as views, without copying', async () => {
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
  ])('converts %s', async (_, values) => {
    const read = await sourceFromArray(contiguousVolume(values, [3, 4, 5])).read({ start: [0, 0, 1], end: [1, 1, 3] });
    expect(read.data).toEqual(Float32Array.of(values[1], values[2]));
  });

  it('takes transposed, flipped and stepped ndarrays', async () => {
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
    ['at NaN', { start: [Number.NaN, 0, 0], end: [1, 4, 5] }, 'from [NaN, 0, 0] to [1, 4, 5] is not of whole numbers'],
    ['of halves', { start: [0.5, 0, 0], end: [1, 4, 5] }, 'from [0.5, 0, 0] to [1, 4, 5] is not of whole numbers'],
    ['of texts', { start: ['0', 0, 0], end: [1, 4, 5] }, 'from ["0", 0, 0] to [1, 4, 5] is not of whole numbers'],
    ['of two axes', { start: [0, 0], end: [1, 4] }, 'expected a box { start: [z, y, x], end: [z, y, x] }'],
    ['of other names', { min: [0, 0, 0] }, 'end: [z, y, x] } of the volume, 3×4×5 voxels, found {"min":[0,0,0]}'],
    ['of nothing', {}, 'expected a box { start: [z, y, x], end: [z, y, x] } of the volume, 3×4×5 voxels, found {}'],
    ['left out', undefined, 'found undefined'],
  ])('refuses a box %s rather than reading other voxels', async (_, box, message) => {
    const refusal = { code: 'invalid-option', message: expect.stringContaining(message) };
    const source = sourceFromArray(contiguousVolume(data, [3, 4, 5]));
    await expect(source.read(box as Box)).rejects.toMatchObject(refusal);
    await expect(source.readExact!(box as Box)).rejects.toMatchObject(refusal);
    const coarse = resampled(source, 2);
    if (box) await expect(coarse.read(box as Box)).rejects.toMatchObject({ code: 'invalid-option' });
  });

  it.each<[string, object, string]>([
    ['a last row beyond', { shape: [8, 8, 9], stride: [72, 9, 1] }, 'does not lie in its data of 512 values'],
    ['a start beyond', { offset: 1 }, 'offset 1 does not lie in its data of 512 values'],
    ['strides that lead before it', { stride: [64, -8, 1] }, 'stride [64,-8,1]'],
    ['no offset', { offset: undefined }, 'offset undefined'],
    ['half a stride', { stride: [64, 8, 0.5] }, 'stride [64,8,0.5]'],
    ['texts for a shape', { shape: ['8', '8', '8'] }, 'shape ["8","8","8"]'],
    ['less than nothing', { shape: [8, -8, 8] }, 'shape [8,-8,8]'],
    ['no data', { data: undefined }, 'data of undefined values'],
    ['no stride', { stride: undefined }, 'expected a 3-D array [z, y, x], found 3 dimensions'],
  ])('refuses a view with %s', (_, odd, message) => {
    const whole = { data: new Float32Array(512), shape: [8, 8, 8], stride: [64, 8, 1], offset: 0 };
    const make = () => sourceFromArray({ ...whole, ...odd });
    expect(make).toThrow(
      expect.objectContaining({ code: 'invalid-option', message: expect.stringContaining(message) }),
    );
  });

  it('takes a view of nothing, and one whose strides repeat or turn round', () => {
    const empty = { data: new Float32Array(0), shape: [0, 8, 8], stride: [64, 8, 1], offset: 0 };
    expect(sourceFromArray(empty).grid.shape).toEqual([0, 8, 8]);
    const still = { data: Float32Array.of(7, 8), shape: [3, 3, 2], stride: [0, 0, -1], offset: 1 };
    expect(sourceFromArray(still).grid.shape).toEqual([3, 3, 2]);
  });

  it.each<[object, string]>([
    [{ voxelSize: 10 }, 'voxelSize is 10, expected three lengths above 0 in Å, [z, y, x]'],
    [{ voxelSize: ['a', 'b', 'c'] }, 'voxelSize is ["a", "b", "c"]'],
    [{ voxelSize: [10, 10, Number.NaN] }, 'voxelSize is [10, 10, NaN]'],
    [{ voxelSize: [10, 10, 0] }, 'voxelSize is [10, 10, 0]'],
    [{ origin: [0, 0, 0] }, 'origin is [0,0,0], expected a point { x, y, z } in Å'],
    [{ origin: { x: 0, y: 0 } }, 'origin is {"x":0,"y":0}'],
  ])('refuses the geometry %j', (geometry, message) => {
    const make = () => sourceFromArray(contiguousVolume(data, [3, 4, 5]), geometry);
    expect(make).toThrow(
      expect.objectContaining({ code: 'invalid-option', message: expect.stringContaining(message) }),
    );
  });
});

describe('volumes', () => {
  it('refuse data of another length and arrays of other rank', () => {
    expect(() => contiguousVolume([1, 2, 3], [1, 2, 2])).toThrow('3 values do not fill a volume of 1×2×2 = 4 voxels');
    expect(() => asVolume(ndarray(new Float32Array(4), [2, 2]))).toThrow('expected a 3-D array [z, y, x], found 2');
  });

  it('copies a block into a larger volume', () => {
    const to = contiguousVolume(new Float32Array(2 * 3 * 4), [2, 3, 4]);
    copyVolumeInto(contiguousVolume(Float32Array.of(1, 2, 3, 4), [1, 2, 2]), to, [1, 1, 2]);
    expect([...to.data.subarray(12)]).toEqual([0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 3, 4]);
    expect(Math.max(...to.data.subarray(0, 12))).toBe(0);
  });
});
