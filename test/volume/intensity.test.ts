import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Box,
  type Intensity,
  measureIntensity,
  type Progress,
  quantile,
  sourceFromArray,
  type VolumeSource,
  type Zyx,
} from '../../src/entry/index.ts';
import { voxelCount } from '../../src/space/grid.ts';
import { backwards, blockShape, countBoxes, cutIntoBoxes } from '../../src/volume/intensity.ts';
import { countingSource } from '../support/counting-source.ts';
import { sourceOf } from '../support/volumes.ts';

const measure = (values: ArrayLike<number>, blockBytes?: number): Promise<Intensity> =>
  measureIntensity(sourceOf(Float32Array.from(values), [1, 1, values.length]), { blockBytes });

/** numpy.quantile of sorted values. */
function exactQuantile(sorted: ArrayLike<number>, p: number): number {
  const rank = p * (sorted.length - 1);
  const lower = sorted[Math.floor(rank)];
  return lower + (rank - Math.floor(rank)) * (sorted[Math.ceil(rank)] - lower);
}

describe('measureIntensity', () => {
  it.each([
    ['is done', Number.POSITIVE_INFINITY, undefined],
    ['is aborted', 2, 'no'],
    ['meets a block that fails', 3, 'damaged'],
  ])('measureIntensity releases every block that it was lent when it %s', async (_, block, reason) => {
    const shape: Zyx = [1, 1, 400];
    const whole = sourceOf(new Float32Array(400).fill(1), shape);
    const controller = new AbortController();
    let [lent, back, reads] = [0, 0, 0];
    const read: VolumeSource['read'] = async (box, { lend } = {}) => {
      const number = reads++;
      await new Promise((resolve) => setTimeout(resolve, number % 3));
      if (reason === 'damaged' && number === block) throw new Error('damaged');
      expect(lend).toBe(true);
      lent++;
      return { ...(await whole.read(box)), release: () => void back++ };
    };
    const source = { grid: { ...whole.grid, shape }, chunkShape: [1, 1, 10] as const, read };
    const onProgress = ({ done }: Progress) => {
      if (reason === 'no' && done === block) controller.abort('no');
    };
    const measured = measureIntensity(source, { signal: controller.signal, onProgress });
    if (reason === undefined) expect((await measured).count).toBe(400);
    else await measured.catch((error) => expect(String(error)).toContain(reason));
    expect(lent).toBeGreaterThan(2);
    expect(back).toBe(lent);
  });

  it('measureIntensity equals a two-pass computation in float64 for any block size', async () => {
    const edge = fc.integer({ min: 1, max: 9 });
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(edge, edge, edge).chain((shape) => {
          const size = voxelCount(shape);
          const values = fc.float32Array({ minLength: size, maxLength: size, noNaN: false });
          return fc.record({ shape: fc.constant(shape), values });
        }),
        fc.integer({ min: 4, max: 4000 }),
        async ({ shape, values }, blockBytes) => {
          const finite = [...values].filter(Number.isFinite);
          fc.pre(finite.length > 0);
          const source = sourceOf(values, shape);
          const found = await measureIntensity(source, { blockBytes });
          const mean = finite.reduce((a, b) => a + b, 0) / finite.length;
          const variance = finite.reduce((a, b) => a + (b - mean) ** 2, 0) / finite.length;
          const scale = Math.max(...finite.map(Math.abs));
          expect(found.count).toBe(finite.length);
          expect(found.notFinite).toBe(values.length - finite.length);
          expect(Math.abs(found.mean - mean)).toBeLessThanOrEqual(1e-12 * scale);
          expect(Math.abs(found.standardDeviation - Math.sqrt(variance))).toBeLessThanOrEqual(1e-7 * scale);
          expect(found.minimum).toBe(Math.min(...finite));
          expect(found.maximum).toBe(Math.max(...finite));
          expect(found.counts.reduce((a, b) => a + b)).toBe(finite.length);
        },
      ),
    );
  });

  it('measureIntensity gives the same result for any strides and any chunk shape', async () => {
    const edge = fc.integer({ min: 1, max: 7 });
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(edge, edge, edge),
        fc.tuple(edge, edge, edge),
        fc.integer({ min: 0, max: 99 }),
        async (shape, chunkShape, seed) => {
          const values = Float32Array.from({ length: voxelCount(shape) }, (_, i) =>
            (i * 31 + seed) % 23 === 0 ? [Number.NaN, Infinity, -Infinity][i % 3]! : 1000 + Math.sin(i * seed),
          );
          fc.pre(values.some(Number.isFinite));
          const [depth, height, width] = shape;
          // The same volume with its axes laid out the other way round, and its last one backwards.
          const turned = new Float32Array(values.length);
          const stride: Zyx = [1, depth, -depth * height];
          const offset = depth * height * (width - 1);
          values.forEach((value, i) => {
            const [z, y, x] = [Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width];
            turned[offset + z * stride[0] + y * stride[1] + x * stride[2]] = value;
          });
          const plain = await measureIntensity(sourceOf(values, shape));
          const view = sourceFromArray({ data: turned, shape, stride, offset });
          for (const source of [view, { ...view, chunkShape }]) {
            const { mean, standardDeviation, ...exact } = await measureIntensity(source);
            expect({ ...exact, mean: plain.mean, standardDeviation: plain.standardDeviation }).toEqual(plain);
            expect(Math.abs(mean - plain.mean)).toBeLessThan(1e-9);
            expect(Math.abs(standardDeviation - plain.standardDeviation)).toBeLessThan(1e-7);
          }
        },
      ),
    );
  });

  it('measureIntensity reads whole chunks, and last those that the first tiles need', async () => {
    const source = countingSource(new Float32Array(4 * 10 * 6).fill(1), [4, 10, 6]);
    const boxes: Box[] = [];
    const read: VolumeSource['read'] = (box, options) => {
      boxes.push(box);
      return source.read(box, options);
    };
    await measureIntensity({ grid: source.grid, read, chunkShape: [8, 4, 4] }, { blockBytes: 1000 });
    expect(boxes.map(({ start }) => start)).toEqual([
      [0, 8, 0],
      [0, 8, 4],
      [0, 4, 0],
      [0, 4, 4],
      [0, 0, 0],
      [0, 0, 4],
    ]);
    expect(source.voxels).toBe(240);
  });

  it.each([
    ['as many ahead as make up two blocks', 64 * 4, 8],
    ['one, where a chunk is larger than that', 4, 1],
    ['16 at most', 16 * 64, 16],
  ])('measureIntensity reads chunks ahead: %s', async (_, blockBytes, ahead) => {
    const source = countingSource(new Float32Array(1024).fill(1), [1, 1, 1024]);
    let underWay = 0;
    let most = 0;
    const read: VolumeSource['read'] = async (box, options) => {
      most = Math.max(most, ++underWay);
      return source.read(box, options).finally(() => underWay--);
    };
    await measureIntensity({ grid: source.grid, read, chunkShape: [1, 1, 16] }, { blockBytes });
    expect(most).toBe(ahead);
    expect(source.reads).toBe(64);
  });

  it('measureIntensity reads several whole small chunks at a time, along x and then y', async () => {
    const boxesOf = async (shape: Zyx, chunkShape: Zyx, blockBytes: number) => {
      const source = countingSource(new Float32Array(voxelCount(shape)).fill(1), shape);
      const boxes: Box[] = [];
      const read: VolumeSource['read'] = (box, options) => {
        boxes.push(box);
        return source.read(box, options);
      };
      const { count } = await measureIntensity({ grid: source.grid, read, chunkShape }, { blockBytes });
      expect([count, source.voxels]).toEqual([voxelCount(shape), voxelCount(shape)]);
      return boxes.map(({ start, end }) => [...start, ...end].join());
    };
    // A sixteenth of a block holds three chunks of 4³ and some voxels: the last of a row may be fewer.
    const rows = ['0,4,24,4,8,30', '0,4,12,4,8,24', '0,4,0,4,8,12', '0,0,24,4,4,30', '0,0,12,4,4,24', '0,0,0,4,4,12'];
    expect((await boxesOf([4, 31, 30], [4, 4, 4], 16 * 4 * 210)).slice(-6).sort()).toEqual(rows.sort());
    // Never of two layers across the longest axis, the last of which comes first.
    expect(await boxesOf([4, 4, 10], [4, 4, 4], 1e6)).toEqual(['0,0,8,4,4,10', '0,0,4,4,4,8', '0,0,0,4,4,4']);
    // A row, and as many rows as fit.
    expect(await boxesOf([20, 8, 10], [10, 4, 4], 16 * 4 * 799)).toHaveLength(4);
    expect(await boxesOf([20, 8, 10], [10, 4, 4], 16 * 4 * 800)).toEqual(['10,0,0,20,8,10', '0,0,0,10,8,10']);
  });

  it('measureIntensity keeps the deviation exact on a large offset', async () => {
    const { mean, standardDeviation } = await measure(
      Float32Array.from({ length: 5000 }, (_, i) => 1e7 + (i % 2)),
      400,
    );
    expect(mean).toBeCloseTo(1e7 + 0.5, 6);
    expect(standardDeviation).toBeCloseTo(0.5, 9);
  });

  it('measureIntensity counts NaN and infinities and excludes them from the statistics', async () => {
    const values = [1, Number.NaN, 3, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5];
    expect(await measure(values)).toMatchObject({ count: 3, notFinite: 3, mean: 3, minimum: 1, maximum: 5 });
  });

  it.each([
    ['nothing but NaN', [Number.NaN, Number.NaN]],
    ['nothing but infinity', [Number.POSITIVE_INFINITY]],
  ])('measureIntensity throws for %s', async (_, values) => {
    await expect(measure(values)).rejects.toMatchObject({
      code: 'corrupt-data',
      message: expect.stringContaining(`none of the ${values.length} voxels`),
    });
  });

  it('measureIntensity reads every voxel once and reports progress up to the total', async () => {
    const shape: Zyx = [7, 8, 9];
    const source = countingSource(new Float32Array(voxelCount(shape)).fill(1), shape);
    const events: Progress[] = [];
    await measureIntensity(source, { blockBytes: 400, onProgress: (progress) => events.push(progress) });
    expect(source.voxels).toBe(voxelCount(shape));
    expect(events.map(({ done }) => done)).toEqual(events.map((_, i) => i + 1));
    expect(events.at(-1)).toEqual({ stage: 'intensity', done: source.reads, total: source.reads });
  });

  it('measureIntensity rejects with the abort reason and starts no further read', async () => {
    const source = countingSource(new Float32Array(1000), [10, 10, 10]);
    const controller = new AbortController();
    let readsAtAbort = 0;
    const onProgress = ({ done }: Progress) => {
      if (done !== 3) return;
      readsAtAbort = source.reads;
      controller.abort('enough');
    };
    const pending = measureIntensity(source, { blockBytes: 200, signal: controller.signal, onProgress });
    await expect(pending).rejects.toBe('enough');
    expect(source.reads).toBe(readsAtAbort);
  });

  it('measureIntensity throws the error of a failed read unchanged', async () => {
    const failure = new Error('disk');
    const source = {
      grid: sourceOf([1], [1, 1, 1]).grid,
      read: () => Promise.reject(failure),
    };
    await expect(measureIntensity(source)).rejects.toBe(failure);
  });

  it('measureIntensity throws if a block is smaller than a voxel', async () => {
    await expect(measure([1], 3)).rejects.toMatchObject({ code: 'invalid-option' });
  });
});

describe('blocks', () => {
  it('cutIntoBoxes fills the volume with blocks within the size limit', () => {
    const edge = fc.integer({ min: 1, max: 700 });
    fc.assert(
      fc.property(fc.tuple(edge, edge, edge), fc.integer({ min: 1e4, max: 1e8 }), (shape, most) => {
        const block = blockShape(shape, most);
        expect(voxelCount(block)).toBeLessThanOrEqual(most);
        const boxes = [...cutIntoBoxes(shape, block)];
        expect(countBoxes(shape, block)).toBe(boxes.length);
        const volume = boxes.reduce((sum, { start, end }) => {
          return sum + (end[0] - start[0]) * (end[1] - start[1]) * (end[2] - start[2]);
        }, 0);
        expect(volume).toBe(voxelCount(shape));
      }),
    );
  });

  it('backwards yields the same boxes by descending layers of the longest axis', () => {
    const edge = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(fc.tuple(edge, edge, edge), fc.tuple(edge, edge, edge), (shape, block) => {
        const axis = shape.indexOf(Math.max(...shape));
        const found = [...backwards(shape, block)];
        const layers = found.map(({ start }) => start[axis]!);
        expect(layers).toEqual([...layers].sort((a, b) => b - a));
        const key = ({ start, end }: Box) => `${start} ${end}`;
        expect(found.map(key).sort()).toEqual([...cutIntoBoxes(shape, block)].map(key).sort());
      }),
    );
  });

  it('measureIntensity does not list all blocks of an immense volume before it reads the first', async () => {
    const shape: Zyx = [1, 1, Number.MAX_SAFE_INTEGER];
    const source = sourceOf([1], [1, 1, 1]);
    const read = () => Promise.reject(new Error('first read'));
    await expect(measureIntensity({ grid: { ...source.grid, shape }, read })).rejects.toThrow('first read');
  });

  it('blockShape aligns the blocks of a whole tomogram with its chunks', () => {
    expect(blockShape([184, 630, 630], 2 ** 22)).toEqual([128, 128, 256]);
    expect(blockShape([184, 630, 630], 1)).toEqual([1, 1, 1]);
    expect(blockShape([184, 630, 630], 1e9)).toEqual([184, 630, 630]);
  });
});

describe('quantile', () => {
  it('quantile is within 2⁻¹¹ of the exact value, relative to the greater of its two ranks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.float32Array({ minLength: 1, maxLength: 60, noNaN: true, noDefaultInfinity: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (values, p) => {
          const sorted = values.slice().sort();
          const rank = p * (sorted.length - 1);
          const scale = Math.max(Math.abs(sorted[Math.floor(rank)]), Math.abs(sorted[Math.ceil(rank)]));
          const off = Math.abs(quantile(await measure(values), p) - exactQuantile(sorted, p));
          // The last term is for numbers too small to have 11 bits after the leading one.
          expect(off).toBeLessThanOrEqual(scale * 2 ** -11 + 2 ** -137);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('quantile is exact for 8-bit and 12-bit data', async () => {
    const values = Float32Array.from({ length: 3000 }, (_, i) => ((i * 7919) % 4097) - 2048);
    const intensity = await measure(values);
    const sorted = values.slice().sort();
    for (const p of [0, 0.001, 0.01, 0.25, 0.5, 0.77, 0.99, 1]) {
      expect(quantile(intensity, p)).toBeCloseTo(exactQuantile(sorted, p), 8);
    }
  });

  it.each([-0.1, 1.1, Number.NaN])('quantile throws for p = %s', async (p) => {
    const intensity = await measure([1, 2]);
    expect(() => quantile(intensity, p)).toThrow('between 0 and 1');
  });

  it('quantile ranks negative zero and zero as equal', async () => {
    expect(quantile(await measure([-0, 0, -0, 0]), 0.4)).toBeCloseTo(0);
  });
});
