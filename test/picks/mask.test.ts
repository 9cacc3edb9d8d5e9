import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  boxMask,
  detectParticles,
  faceMask,
  type LabelMaskOptions,
  labelMask,
  type Point,
  type Ranges,
  toPhysical,
  type VoxelGrid,
  type Zyx,
} from '../../src/entry/index.ts';
import { countingSource } from '../support/counting-source.ts';
import { identityModel } from '../support/identity-model.ts';
import { noise, sourceOf } from '../support/volumes.ts';

const geometry = { voxelSize: [7, 10.012, 13.5], origin: { x: -40, y: 11, z: 3.25 } } as const;

/** All voxels of a shape, in C-order. */
function voxelsOf([depth, height, width]: Zyx): Zyx[] {
  const all: Zyx[] = [];
  for (let z = 0; z < depth; z++) for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) all.push([z, y, x]);
  return all;
}

const distance = (a: Point, b: Point): number => Math.hypot(a.x - b.x, a.y - b.y, a.z - b.z);

/** Where picks may lie, by comparing every voxel with every other. */
function byBruteForce(data: Uint8Array, grid: VoxelGrid, { exclude, margin = 0, labels }: LabelMaskOptions): boolean[] {
  const centres = voxelsOf(grid.shape).map((voxel) => toPhysical(grid, voxel));
  const allowed = Array.from(data, (label) => (label > 0 && (labels?.includes(label) ?? true)) !== (exclude ?? false));
  return centres.map((centre, i) => {
    const reach = Math.min(
      ...centres.flatMap((other, j) => (allowed[j] === margin >= 0 ? [] : [distance(centre, other)])),
    );
    if (margin === 0) return allowed[i]!;
    return margin > 0 ? allowed[i]! && reach >= margin * (1 - 1e-6) : reach <= -margin * (1 + 1e-6);
  });
}

describe('labelMask', () => {
  it('labelMask agrees with comparing all voxels on anisotropic voxels, for any margin, inside and outside', async () => {
    const side = fc.integer({ min: 1, max: 6 });
    const cases = fc.tuple(side, side, side).chain(([z, y, x]) =>
      fc.record({
        shape: fc.constant<Zyx>([z, y, x]),
        data: fc.uint8Array({ minLength: z * y * x, maxLength: z * y * x, max: 3 }),
        exclude: fc.boolean(),
        margin: fc.constantFrom(0, 7, 10.012, 14, 20, 33, -7, -13.5, -25, -60),
        labels: fc.constantFrom<readonly number[] | undefined>(undefined, [2], [1, 3]),
      }),
    );
    let [kept, left] = [0, 0];
    await fc.assert(
      fc.asyncProperty(cases, async ({ shape, data, ...options }) => {
        fc.pre(Array.from(data).some((label) => label > 0 && (options.labels?.includes(label) ?? true)));
        const source = sourceOf(data, shape, geometry);
        const mask = await labelMask(source, options);
        const found = voxelsOf(shape).map((voxel) => mask(toPhysical(source.grid, voxel)));
        expect(found).toEqual(byBruteForce(data, source.grid, options));
        for (const one of found) one ? kept++ : left++;
      }),
      { numRuns: 300 },
    );
    expect(Math.min(kept, left)).toBeGreaterThan(1000);
  });

  it('labelMask takes a position by the voxel of its own grid that it lies in, whatever the grid of the tomogram', async () => {
    // Voxels of 20 Å, the only label in x from 90 to 110 Å.
    const labels = sourceOf(Uint8Array.of(0, 5, 0), [1, 1, 3], {
      voxelSize: [20, 20, 20],
      origin: { x: 80, y: 0, z: 0 },
    });
    const inside = await labelMask(labels);
    const at = (x: number) => ({ x, y: 0, z: 0 });
    expect([89, 91, 109, 111].map((x) => inside(at(x)))).toEqual([false, true, true, false]);
    expect([{ x: 100, y: 11, z: 0 }, { x: 100, y: 0, z: -11 }, at(-500)].map(inside)).toEqual([false, false, false]);
    const outside = await labelMask(labels, { exclude: true });
    expect([89, 91, 109, 111, -500].map((x) => outside(at(x)))).toEqual([true, false, false, true, true]);
  });

  it('labelMask keeps picks that detectParticles finds in a volume of another voxel size', async () => {
    const shape = [12, 20, 20] as const;
    const tomogram = sourceOf(noise(shape), shape);
    // Halves along x of a coarser volume.
    const half = sourceOf(
      Uint8Array.from({ length: 3 * 5 * 5 }, (_, i) => (i % 5 < 2 ? 1 : 0)),
      [3, 5, 5],
      { voxelSize: [40, 40, 40], origin: { x: 15, y: 15, z: 15 } },
    );
    const model = identityModel({ thresholds: { object: 0.5 } });
    const all = await detectParticles(tomogram, { model });
    const inside = await detectParticles(tomogram, { model, mask: await labelMask(half) });
    const outside = await detectParticles(tomogram, { model, mask: await labelMask(half, { exclude: true }) });
    expect(inside).toEqual(all.filter(({ position }) => position.x < 75));
    expect(outside).toEqual(all.filter(({ position }) => position.x > 75));
    expect(Math.min(inside.length, outside.length)).toBeGreaterThan(20);
  });

  it('labelMask takes NaN for no label, and reads a volume of many planes piece by piece', async () => {
    const data = new Float32Array(40 * 2 * 2).fill(Number.NaN);
    data[4 * 37 + 1] = 3;
    const source = countingSource(data, [40, 2, 2]);
    const mask = await labelMask(source);
    const inside = voxelsOf([40, 2, 2]).filter((voxel) => mask(toPhysical(source.grid, voxel)));
    expect(inside).toEqual([[37, 0, 1]]);
    expect(source.reads).toBe(3);
  });

  it.each<[string, Partial<LabelMaskOptions>, RegExp]>([
    ['a label that no voxel has', { labels: [9] }, /no voxel of the 1×1×2 of labels has one of the labels 9/],
    ['labels that are no list', { labels: 9 as never }, /labels must be a list of labels, found 9/],
    ['a margin that is NaN', { margin: Number.NaN }, /margin must be a finite number, found NaN/],
  ])('labelMask throws for %s', async (_, options, message) => {
    const source = sourceOf(Uint8Array.of(1, 2), [1, 1, 2]);
    await expect(labelMask(source, options)).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringMatching(message),
    });
  });

  it.each([0, 30, -30])(
    'labelMask with exclude removes nothing where no voxel has a label, at a margin of %d Å',
    async (margin) => {
      const empty = sourceOf(new Uint8Array(8), [2, 2, 2]);
      const mask = await labelMask(empty, { exclude: true, margin });
      expect(voxelsOf([2, 2, 2]).filter((voxel) => !mask(toPhysical(empty.grid, voxel)))).toEqual([]);
      const one = sourceOf(Uint8Array.of(1, 0), [1, 1, 2]);
      expect((await labelMask(one, { exclude: true, labels: [9], margin }))(toPhysical(one.grid, [0, 0, 0]))).toBe(
        true,
      );
    },
  );

  it('labelMask throws for a volume without labels, and stops at an abort with its reason', async () => {
    const empty = sourceOf(new Uint8Array(8), [2, 2, 2]);
    await expect(labelMask(empty)).rejects.toMatchObject({ message: expect.stringMatching(/no voxel .* has a label/) });
    const reason = new Error('enough');
    await expect(labelMask(empty, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe('boxMask', () => {
  const at = (x: number, y: number, z: number) => ({ x, y, z });

  it('boxMask keeps what lies in all of its ranges, ends included, or outside', () => {
    const box = boxMask({ x: [0, 10], z: [5, 5] });
    const places = [at(0, -99, 5), at(10, 99, 5), at(10.1, 0, 5), at(5, 0, 4.9)];
    expect(places.map(box)).toEqual([true, true, false, false]);
    expect(places.map(boxMask({ x: [0, 10], z: [5, 5] }, { exclude: true }))).toEqual([false, false, true, true]);
  });

  it.each<[string, Ranges, RegExp]>([
    ['no range', {}, /ranges must be ranges along axes in Å/],
    ['a range that is reversed', { z: [9, 1] }, /ranges.z must be two numbers in Å, the least and the greatest/],
    ['a range of one number', { z: [9] as never }, /ranges.z must be two numbers/],
    ['a range with NaN', { z: [Number.NaN, 1] }, /ranges.z must be two numbers/],
  ])('boxMask throws for %s', (_, ranges, message) => {
    expect(() => boxMask(ranges)).toThrow(message);
  });
});

describe('faceMask', () => {
  it('faceMask keeps picks at least the margin away from the outer side of the outermost voxels', () => {
    const grid: VoxelGrid = { shape: [4, 6, 8], ...geometry };
    const middle = toPhysical(grid, [1.5, 2.5, 3.5]);
    const along = (axis: keyof Point, values: readonly number[]) =>
      values.map((value) => faceMask(grid, 13)({ ...middle, [axis]: value }));
    // Faces at -0.25 and 27.75 Å along z, at 5.994 and 66.066 along y, at -46.75 and 61.25 along x.
    expect(along('z', [12.7, 12.8, 14.7, 14.8])).toEqual([false, true, true, false]);
    expect(along('y', [18.9, 19, 53, 53.1])).toEqual([false, true, true, false]);
    expect(along('x', [-33.8, -33.7, 48.2, 48.3])).toEqual([false, true, true, false]);
    expect(faceMask(grid, 15)(middle)).toBe(false);
    expect(() => faceMask(grid, -1)).toThrow(/margin must be a finite length ≥ 0 Å, found -1/);
  });
});
