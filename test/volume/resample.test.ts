import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Box,
  memoryStore,
  openTomogram,
  resampled,
  toFloat32,
  toPhysical,
  toVoxel,
  type VolumeSource,
  writeTomogram,
  type Zyx,
} from '../../src/entry/index.ts';
import { boxShape, voxelCount } from '../../src/space/grid.ts';
import golden from '../fixtures/resampled.json' with { type: 'json' };
import { countingSource } from '../support/counting-source.ts';
import { noise, sourceOf, wholeBox } from '../support/volumes.ts';

async function read(source: VolumeSource, box: Box = wholeBox(source.grid.shape)): Promise<number[]> {
  return [...toFloat32(await source.read(box)).data];
}

function expectClose(found: readonly number[], expected: readonly number[]): void {
  expect(found.length).toBe(expected.length);
  const far = found.findIndex((value, i) => !(Math.abs(value - expected[i]!) <= 1e-5 * (1 + Math.abs(expected[i]!))));
  expect(far < 0 ? 'equal' : `at ${far}: ${found[far]}, expected ${expected[far]}`).toBe('equal');
}

const greyNoise = (shape: Zyx) => noise(shape).map((value) => 50 * value);

/** The mean over cells of p voxels of the volume with every voxel repeated q times: voxels grow by p / q. */
function meanByRepeating(
  values: Float32Array,
  [depth, height, width]: Zyx,
  [p, q]: readonly [number, number],
): number[] {
  const count = (length: number) => Math.ceil((length * q) / p);
  const out: number[] = [];
  const range = (i: number, length: number) =>
    Array.from({ length: p }, (_, k) => i * p + k)
      .filter((j) => j < length * q)
      .map((j) => Math.floor(j / q));
  for (let z = 0; z < count(depth); z++) {
    for (let y = 0; y < count(height); y++) {
      for (let x = 0; x < count(width); x++) {
        let sum = 0;
        let parts = 0;
        for (const a of range(z, depth)) {
          for (const b of range(y, height)) {
            for (const c of range(x, width)) {
              sum += values[(a * height + b) * width + c]!;
              parts++;
            }
          }
        }
        out.push(sum / parts);
      }
    }
  }
  return out;
}

describe('resampled', () => {
  it.each([
    [2, 1],
    [3, 1],
    [3, 2],
    [5, 4],
    [7, 3],
  ] as const)('resampled averages the voxels that each new voxel covers where voxels grow %i/%i fold', async (p, q) => {
    const shape: Zyx = [7, 9, 11];
    const values = greyNoise(shape);
    const source = resampled(sourceOf(values, shape), (10 * p) / q);
    expectClose(await read(source), meanByRepeating(values, shape, [p, q]));
  });

  it.each(golden)(
    'resampled interpolates linearly like scipy where voxels shrink: $shape to $target',
    async (example) => {
      const shape = example.shape as unknown as Zyx;
      const voxelSize = example.target.map((n, axis) => (10 * shape[axis]!) / n) as unknown as Zyx;
      const source = resampled(sourceOf(example.values, shape), voxelSize);
      expect(source.grid.shape).toEqual(example.target);
      expectClose(await read(source), example.enlarged);
    },
  );

  it('resampled by 2 equals the next level of a pyramid in values and positions', async () => {
    const shape: Zyx = [7, 10, 13];
    const store = memoryStore();
    const whole = sourceOf(greyNoise(shape), shape);
    await writeTomogram(store, whole, { levels: 2 });
    const level = await openTomogram(store, { level: 1 });
    const source = resampled(whole, 20);
    expect(source.grid).toEqual(level.grid);
    expectClose(await read(source), await read(level));
  });

  it('resampled returns the source itself at its own voxel size', () => {
    const source = sourceOf(greyNoise([2, 3, 4]), [2, 3, 4], { voxelSize: [10, 11, 12] });
    expect(resampled(source, [10, 11, 12])).toBe(source);
    expect(resampled(source, [10, 11 * (1 + 1e-12), 12])).toBe(source);
  });

  const factor = fc.double({ min: 0.3, max: 3.5, noNaN: true });
  const extent = fc.integer({ min: 1, max: 9 });

  it('resampled keeps a constant exactly at any voxel size', async () => {
    await fc.assert(
      fc.asyncProperty(fc.tuple(extent, extent, extent), fc.tuple(factor, factor, factor), async (shape, by) => {
        const source = sourceOf(new Float32Array(voxelCount(shape)).fill(0.1), shape);
        const found = await read(resampled(source, [10 * by[0], 10 * by[1], 10 * by[2]]));
        expect(new Set(found)).toEqual(new Set([Math.fround(0.1)]));
      }),
    );
  });

  it('resampled covers the volume: first faces coincide and the last voxel overlaps it', async () => {
    fc.assert(
      fc.property(fc.tuple(extent, extent, extent), factor, (shape, by) => {
        const source = sourceOf(new Float32Array(voxelCount(shape)), shape);
        const { grid } = resampled(source, 10 * by);
        const low = toPhysical(grid, [-0.5, -0.5, -0.5]);
        expect([low.x, low.y, low.z].every((face) => Math.abs(face + 5) < 1e-9)).toBe(true);
        grid.shape.forEach((count, axis) => {
          const end = shape[axis]! / by;
          expect(count).toBeGreaterThanOrEqual(end - 0.0011);
          expect(count - 1).toBeLessThan(Math.max(end, 0.9));
        });
      }),
    );
  });

  it.each([0.5, 0.784, 1.276, 2, 2.7])('resampled keeps the position of a blob, voxels times %d', async (by) => {
    const shape: Zyx = [40, 44, 48];
    const centre = { x: 233.3, y: 207.1, z: 187.9 };
    const blob = sourceOf(new Float32Array(voxelCount(shape)), shape);
    const at = toVoxel(blob.grid, centre);
    const values = Float32Array.from({ length: voxelCount(shape) }, (_, i) => {
      const [z, y, x] = [Math.floor(i / (44 * 48)), Math.floor(i / 48) % 44, i % 48];
      return Math.exp(-((z - at[0]) ** 2 + (y - at[1]) ** 2 + (x - at[2]) ** 2) / 18);
    });
    const source = resampled(sourceOf(values, shape), 10 * by);
    const found = await read(source);
    const [, height, width] = source.grid.shape;
    let [sum, x, y, z] = [0, 0, 0, 0];
    for (const [i, value] of found.entries()) {
      sum += value;
      x += value * (i % width);
      y += value * (Math.floor(i / width) % height);
      z += value * Math.floor(i / (width * height));
    }
    const position = toPhysical(source.grid, [z / sum, y / sum, x / sum]);
    // A shift by half a voxel would be 5 Å.
    for (const axis of ['x', 'y', 'z'] as const) expect(Math.abs(position[axis] - centre[axis])).toBeLessThan(0.05);
  });

  it('resampled keeps the mean where the volume is a whole number of new voxels', async () => {
    const values = greyNoise([6, 8, 12]);
    const found = await read(resampled(sourceOf(values, [6, 8, 12]), 20));
    const mean = (list: ArrayLike<number>) => Array.from(list).reduce((a, b) => a + b, 0) / list.length;
    expect(mean(found)).toBeCloseTo(mean(values), 5);
  });

  it('resampled reads any box as part of the whole, and only the voxels of the source that it needs', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(extent, extent, extent),
        factor,
        fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.nat(), fc.nat(), fc.nat()),
        async (shape, by, cuts) => {
          const source = sourceOf(greyNoise(shape), shape);
          const boxes: Box[] = [];
          const spy = {
            grid: source.grid,
            read: (box: Box) => {
              boxes.push(box);
              return source.read(box);
            },
          };
          const small = resampled(spy, 10 * by);
          const pairs = small.grid.shape.map((n, a) => [cuts[a]! % n, cuts[a + 3]! % n].sort((p, q) => p - q));
          const box = { start: pairs.map(([a]) => a), end: pairs.map(([, b]) => b! + 1) } as unknown as Box;
          const whole = await small.read(wholeBox(small.grid.shape));
          boxes.length = 0;
          const part = await small.read(box);
          const [dz, dy, dx] = boxShape(box);
          const expected: number[] = [];
          for (let z = 0; z < dz; z++) {
            for (let y = 0; y < dy; y++) {
              for (let x = 0; x < dx; x++) {
                const at = [z + box.start[0], y + box.start[1], x + box.start[2]] as const;
                expected.push(whole.data[at[0] * whole.stride[0] + at[1] * whole.stride[1] + at[2]]!);
              }
            }
          }
          expect([...part.data]).toEqual(expected);
          for (const read of boxes) {
            boxShape(read).forEach((length, axis) => {
              expect(length).toBeLessThanOrEqual(Math.ceil((boxShape(box)[axis]! - 1) * by + Math.max(by, 1)) + 2);
            });
          }
        },
      ),
    );
  });

  it('resampled reads a large box a few planes at a time', async () => {
    const shape: Zyx = [64, 512, 512];
    const source = countingSource(new Float32Array(voxelCount(shape)).fill(3), shape);
    const found = await read(resampled(source, 4));
    expect(found.every((value) => value === 3)).toBe(true);
    expect(source.reads).toBe(4);
    expect(source.voxels).toBe(voxelCount(shape));
  });

  it('resampled spreads NaN only to voxels that depend on it', async () => {
    const values = new Float32Array(8).fill(1);
    values[3] = Number.NaN;
    const grown = await read(resampled(sourceOf(values, [1, 1, 8]), [10, 10, 20]));
    expect(grown).toEqual([1, Number.NaN, 1, 1]);
    const shrunk = await read(resampled(sourceOf(values, [1, 1, 8]), [10, 10, 5]));
    expect(shrunk.flatMap((value, i) => (Number.isNaN(value) ? [i] : []))).toEqual([5, 6, 7, 8]);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('resampled throws for a voxel size of %d Å', (voxelSize) => {
    expect(() => resampled(sourceOf([1], [1, 1, 1]), voxelSize)).toThrow(
      expect.objectContaining({ code: 'invalid-option' }),
    );
  });

  it('resampled throws for a box outside the volume and stops on abort', async () => {
    const source = resampled(sourceOf(greyNoise([2, 2, 2]), [2, 2, 2]), 20);
    await expect(source.read({ start: [0, 0, 0], end: [1, 1, 2] })).rejects.toMatchObject({ code: 'invalid-option' });
    const reason = new Error('enough');
    await expect(source.read(wholeBox([1, 1, 1]), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});
