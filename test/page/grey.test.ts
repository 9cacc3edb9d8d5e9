import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Box, sourceFromArray, type VolumeSource, type Zyx } from '../../src/entry/index.ts';
import { darkestNear } from '../../src/page/extremum.ts';
import { GreyLevel, greyColors, type Section, WHITE } from '../../src/page/grey-level.ts';
import { type GreyVolume, openGreyVolume } from '../../src/page/grey-volume.ts';
import { planes } from '../../src/page/planes.ts';

const origin = { x: 0, y: 0, z: 0 };
const greyIs = Uint32Array.from({ length: WHITE + 1 }, (_, grey) => grey + 1);
/** Greys equal values. */
const range = { low: 0, high: WHITE };

function sourceOf(shape: Zyx, value: (z: number, y: number, x: number) => number, voxelSize = 10): VolumeSource {
  const [depth, height, width] = shape;
  const data = new Float32Array(depth * height * width);
  for (let z = 0, i = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data[i++] = value(z, y, x);
  }
  return sourceFromArray({ data, shape: [...shape] }, { voxelSize: [voxelSize, voxelSize, voxelSize] });
}

async function filled(
  source: VolumeSource,
  brickShape: Zyx,
  skip: ReadonlySet<number> = new Set(),
): Promise<GreyLevel> {
  const level = new GreyLevel(source.grid, brickShape);
  for (let brick = 0; brick < level.count; brick++) {
    if (!skip.has(brick)) level.put(brick, await source.read(level.boxOf(brick)), range);
  }
  return level;
}

describe('GreyLevel', () => {
  const shape: Zyx = [7, 11, 9];
  const value = (z: number, y: number, x: number) => z * 1000 + y * 50 + x;
  const source = sourceOf(shape, value);

  it.each(Object.values(planes))('a section of $name is the mean of its planes, whatever the bricks', async (plane) => {
    const bricks = fc.tuple(
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 10 }),
    );
    await fc.assert(
      fc.asyncProperty(
        bricks,
        fc.constantFrom(1, 3, 5),
        fc.integer({ min: -3, max: 8 }),
        fc.integer({ min: -3, max: 8 }),
        fc.nat(),
        async (brickShape, mean, top, left, seed) => {
          const level = await filled(source, brickShape);
          const index = seed % shape[plane.across];
          const section: Section = { ...plane, index, mean, top, left, height: 6, width: 5 };
          const pixels = new Uint32Array(30);
          level.paint(section, greyIs, pixels);
          const margin = (mean - 1) / 2;
          for (let row = 0; row < 6; row++) {
            for (let column = 0; column < 5; column++) {
              const at: [number, number, number] = [0, 0, 0];
              at[plane.down] = top + row;
              at[plane.right] = left + column;
              const values: number[] = [];
              for (let p = Math.max(0, index - margin); p <= Math.min(shape[plane.across] - 1, index + margin); p++) {
                at[plane.across] = p;
                values.push(value(...at));
              }
              const isInside = at.every((i, axis) => i >= 0 && i < shape[axis as 0]);
              const expected = isInside ? Math.floor(values.reduce((a, b) => a + b) / values.length) + 1 : 0;
              expect(pixels[row * 5 + column]).toBe(expected);
            }
          }
        },
      ),
      { numRuns: 20 },
    );
  });

  it('a section is clear where a brick has not arrived', async () => {
    const level = await filled(source, [7, 6, 9], new Set([1]));
    const pixels = new Uint32Array(11 * 9);
    level.paint({ ...planes.xy, index: 3, mean: 1, top: 0, left: 0, height: 11, width: 9 }, greyIs, pixels);
    expect([...pixels].map((pixel) => pixel === 0)).toEqual([...pixels].map((_, i) => Math.floor(i / 9) >= 6));
  });

  it('the state of a section changes with its own bricks alone, and is complete once all of them are there', async () => {
    const level = new GreyLevel(source.grid, [3, 4, 5]);
    const section: Section = { ...planes.xy, index: 2, mean: 3, top: 0, left: 0, height: 11, width: 9 };
    const boxes = Array.from({ length: level.count }, (_, brick) => level.boxOf(brick));
    const isMet = ({ start }: Box) => start[0] <= 3;
    for (const [brick, box] of boxes.entries()) {
      const before = level.stateOf(section);
      level.put(brick, await source.read(box), range);
      expect(level.stateOf(section).version > before.version).toBe(isMet(box));
      expect(level.stateOf(section).isComplete).toBe(boxes.every((one, i) => i <= brick || !isMet(one)));
    }
    const { version } = level.stateOf(section);
    level.drop(0);
    expect(level.stateOf(section)).toEqual({ version: expect.toSatisfy((now) => now > version), isComplete: false });
  });

  it('greyAt gives each voxel, and nothing outside the grid', async () => {
    const level = await filled(source, [3, 4, 5]);
    for (let z = -1; z <= 7; z++) {
      for (let x = -1; x <= 9; x++) {
        const isInside = z >= 0 && z < 7 && x >= 0 && x < 9;
        expect(level.greyAt([z, 5, x])).toBe(isInside ? value(z, 5, x) : undefined);
      }
    }
  });

  it.each([Number.NaN, Number.NEGATIVE_INFINITY, -5])('the value %s becomes grey 0', async (odd) => {
    const level = await filled(
      sourceOf([1, 1, 2], (_z, _y, x) => (x === 0 ? odd : 7)),
      [1, 1, 2],
    );
    expect([level.greyAt([0, 0, 0]), level.greyAt([0, 0, 1])]).toEqual([0, 7]);
  });
});

describe('greyColors', () => {
  const shade = (pixel: number) => pixel & 255;

  it('greyColors runs from black to white over the window, and the other way when inverted', () => {
    const window = { black: 100, white: 200 };
    const colors = greyColors(range, window, false);
    const inverted = greyColors(range, window, true);
    expect([50, 100, 150, 200, 250].map((grey) => shade(colors[grey]!))).toEqual([0, 0, 127, 255, 255]);
    expect([100, 200].map((grey) => shade(inverted[grey]!))).toEqual([255, 0]);
    expect(colors.every((pixel) => pixel >>> 24 === 255)).toBe(true);
  });

  it('greyColors is an even grey for a volume without contrast', () => {
    expect(new Set(greyColors(range, { black: 5, white: 5 }, false)).size).toBe(1);
  });
});

describe('openGreyVolume', () => {
  const open = async (sources: readonly VolumeSource[], maxBytes?: number, at = { ...origin }) => {
    const read: { level: number; start: Zyx }[] = [];
    const controller = new AbortController();
    const counted = sources.map((source, level) => ({
      ...source,
      read: (box: Parameters<VolumeSource['read']>[0], options: Parameters<VolumeSource['read']>[1]) => {
        read.push({ level, start: box.start });
        return source.read(box, options);
      },
    }));
    const errors: unknown[] = [];
    const volume = await openGreyVolume(counted, {
      focus: () => at,
      onBrick: () => undefined,
      onError: (error) => errors.push(error),
      signal: controller.signal,
      maxBytes,
    });
    return { volume, read, errors, at, stop: () => controller.abort() };
  };
  const settled = async (volume: GreyVolume) => {
    for (let turns = 0; turns < 2000; turns++) {
      const { done, total } = volume.progress();
      if (done >= total && total > 0) return;
      await new Promise((resolve) => setTimeout(resolve));
    }
    throw new Error('the volume is not read');
  };
  const ramp = (z: number, y: number, x: number) => z + y + x;

  it('openGreyVolume reads every voxel of the coarsest and the finest level, and nothing of those between', async () => {
    const levels = [sourceOf([32, 32, 32], ramp), sourceOf([16, 16, 16], ramp, 20), sourceOf([8, 8, 8], ramp, 40)];
    const { volume, read } = await open(levels);
    await settled(volume);
    expect(volume.levels.map(({ grid }) => grid.shape[0])).toEqual([8, 32]);
    expect(new Set(read.map(({ level }) => level))).toEqual(new Set([0, 2]));
    const { low, high } = volume.range;
    for (const level of volume.levels) {
      const [depth, height, width] = level.grid.shape;
      for (const at of [
        [0, 0, 0],
        [depth - 1, height - 1, width - 1],
      ] as const) {
        expect(low + (level.greyAt(at)! / WHITE) * (high - low)).toBeCloseTo(at[0] + at[1] + at[2], 1);
      }
    }
  });

  it('openGreyVolume reads the level that fits into memory whole, and of the finest only what the slices meet', async () => {
    const levels = [sourceOf([96, 96, 96], ramp), sourceOf([48, 48, 48], ramp, 20)];
    const { volume, at, stop } = await open(levels, 4 * 48 ** 3, { x: 100, y: 100, z: 100 });
    const { total } = volume.progress();
    await settled(volume);
    expect(volume.progress()).toEqual({ done: total, total });
    const [coarse, fine] = volume.levels as [GreyLevel, GreyLevel];
    expect(coarse.greyAt([47, 47, 47])).toBeDefined();
    expect(fine.greyAt([10, 10, 10])).toBeDefined();
    expect(fine.greyAt([90, 90, 90])).toBeUndefined();
    at.x = 900;
    at.y = 900;
    at.z = 900;
    volume.wake();
    await expect.poll(() => fine.greyAt([90, 90, 90])).toBeDefined();
    stop();
  });

  it.each<Zyx>([
    [16, 16, 16],
    [13, 40, 40],
    [64, 8, 16],
    [1, 11, 40],
  ])('openGreyVolume reads each chunk of %s×%s×%s voxels once, and gives back what was lent', async (...chunkShape) => {
    const shape: Zyx = [40, 40, 40];
    const source = sourceOf(shape, (z, y, x) => 1600 * z + 40 * y + x);
    let lent = 0;
    const boxes: Box[] = [];
    const read: VolumeSource['read'] = async (box, options) => {
      const volume = await source.read(box, options);
      if (!options?.lend) return volume;
      boxes.push(box);
      lent++;
      return { ...volume, release: () => lent-- };
    };
    const { volume } = await open([{ ...source, chunkShape, read }]);
    await settled(volume);
    await expect.poll(() => lent).toBe(0);
    const [level] = volume.levels as [GreyLevel];
    expect(
      level.stateOf({ ...planes.xz, index: 20, mean: 41, top: 0, left: 0, height: 40, width: 40 }).isComplete,
    ).toBe(true);
    const chunkOf = ({ start }: Box) => start.map((at, axis) => Math.floor(at / chunkShape[axis]!)).join('/');
    // The window is measured on one more part of a chunk.
    expect(boxes.length - 1).toBe(new Set(boxes.map(chunkOf)).size);
    expect(boxes.length - 1).toBe(
      shape.reduce((product, extent, axis) => product * Math.ceil(extent / chunkShape[axis]!), 1),
    );
  });

  it('openGreyVolume rejects with the reason when it is aborted while the window is measured, and tells of nothing', async () => {
    const source = sourceOf([8, 8, 8], ramp);
    const controller = new AbortController();
    const read: VolumeSource['read'] = async (box, options) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      options?.signal?.throwIfAborted();
      return source.read(box, options);
    };
    const told: unknown[] = [];
    const opening = openGreyVolume([{ ...source, read }], {
      focus: () => origin,
      onBrick: () => told.push('brick'),
      onError: (error) => told.push(error),
      signal: controller.signal,
    });
    const reason = new Error('another tomogram was opened');
    controller.abort(reason);
    await expect(opening).rejects.toBe(reason);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(told).toEqual([]);
  });

  it('openGreyVolume tells of a brick that cannot be read, once, and reads the others', async () => {
    const source = sourceOf([16, 16, 16], ramp);
    const read: VolumeSource['read'] = (box, options) =>
      box.start[0] === 8 && box.end[0] === 16 ? Promise.reject(new Error('broken')) : source.read(box, options);
    const { volume, errors } = await open([{ ...source, chunkShape: [8, 16, 16], read }]);
    await settled(volume);
    expect(errors.map(String)).toEqual(['Error: broken']);
    expect(volume.levels[0]?.greyAt([0, 0, 0])).toBeDefined();
    expect(volume.levels[0]?.greyAt([8, 0, 0])).toBeUndefined();
  });

  it('the window lies at the quantiles of the finest level', async () => {
    const { volume } = await open([sourceOf([10, 10, 10], (z, y, x) => z * 100 + y * 10 + x)]);
    expect(volume.window.black).toBeCloseTo(5, 0);
    expect(volume.window.white).toBeCloseTo(994, -1);
  });
});

describe('darkestNear', () => {
  it('darkestNear finds the middle of a dark ball near a point, and leaves the point alone where nothing is read', async () => {
    const centre = { x: 170, y: 140, z: 150 };
    const source = sourceOf([32, 32, 32], (z, y, x) => {
      const away = Math.hypot(z * 10 - centre.z, y * 10 - centre.y, x * 10 - centre.x);
      return away < 50 ? 10_000 : 30_000;
    });
    const level = await filled(source, [32, 32, 32]);
    const volume: GreyVolume = {
      levels: [level],
      range,
      window: { black: 0, white: 1 },
      progress: () => ({ done: 1, total: 1 }),
      wake: () => undefined,
    };
    const near = { x: 160, y: 155, z: 160 };
    expect(darkestNear(volume, near, 60)).toEqual(centre);
    expect(darkestNear(undefined, near, 60)).toBe(near);
  });
});
