import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  contiguousVolume,
  type ParticlePick,
  paintSegmentation,
  picksFromSegmentation,
  toPhysical,
  toVoxel,
  type VoxelGrid,
  type Zyx,
} from '../../src/entry/index.ts';
import { squaredDistance, voxelCount } from '../../src/space/grid.ts';
import { pickAt } from '../support/arbitrary-picks.ts';

/** Anisotropic and shifted; powers of two, so that distances come out exactly whichever way they are computed. */
const grid: VoxelGrid = { shape: [7, 12, 9], voxelSize: [8, 2, 4], origin: { x: -16, y: 32, z: 64 } };
const at = (z: number, y: number, x: number, rest: Partial<ParticlePick> = {}): ParticlePick => ({
  ...pickAt(0, 0, 0, rest),
  position: toPhysical(grid, [z, y, x]),
});
const painted = (labels: { data: Uint8Array | Uint16Array }): Zyx[] => {
  const [, h, w] = grid.shape;
  return [...labels.data].flatMap((v, i) =>
    v > 0 ? [[Math.floor(i / (h * w)), Math.floor(i / w) % h, i % w] as const] : [],
  );
};
const label: Readonly<Record<string, number>> = { ribosome: 4, 'apo-ferritin': 1, thyroglobulin: 300 };

describe('paintSegmentation', () => {
  it('paintSegmentation gives each voxel to the nearest pick in reach, and a pick its nearest voxel', () => {
    const coordinate = (count: number) => fc.integer({ min: 0, max: (count - 1) * 4 }).map((i) => i / 4);
    const placed = fc
      .tuple(coordinate(7), coordinate(12), coordinate(9), fc.constantFrom(...Object.keys(label)))
      .map(([z, y, x, object]) => at(z, y, x, { object }));
    const radius: Record<string, number> = { ribosome: 13, 'apo-ferritin': 6, thyroglobulin: 0.5 };
    fc.assert(
      fc.property(fc.array(placed, { maxLength: 12 }), (picks) => {
        const found = paintSegmentation(picks, { grid, radius, label });
        expect(found.data).toBeInstanceOf(picks.some((p) => p.object === 'thyroglobulin') ? Uint16Array : Uint8Array);
        const expected = Array.from({ length: voxelCount(grid.shape) }, (_, i) => {
          const voxel: Zyx = [Math.floor(i / 108), Math.floor(i / 9) % 12, i % 9];
          const centre = toPhysical(grid, voxel);
          let nearest = Number.POSITIVE_INFINITY;
          let winner = 0;
          for (const { object, position } of picks) {
            const squared = squaredDistance(centre, position);
            const isOwn = toVoxel(grid, position).every((v, axis) => Math.round(v) === voxel[axis]);
            if ((squared <= radius[object] ** 2 || isOwn) && squared < nearest) {
              nearest = squared;
              winner = label[object];
            }
          }
          return winner;
        });
        expect([...found.data]).toEqual(expected);
      }),
    );
  });

  it.each<[string, ParticlePick[], number, Zyx[]]>([
    ['no picks', [], 10, []],
    ['radius 0 on a voxel', [at(3, 4, 5)], 0, [[3, 4, 5]]],
    ['a ball below a voxel, between voxels', [at(3.4, 4.6, 5.3)], 0.1, [[3, 5, 5]]],
    [
      'exactly the radius along y, the finest axis',
      [at(3, 4, 5)],
      2,
      [
        [3, 3, 5],
        [3, 4, 5],
        [3, 5, 5],
      ],
    ],
    [
      'a ball on a corner is cut off',
      [at(0, 0, 0)],
      2,
      [
        [0, 0, 0],
        [0, 1, 0],
      ],
    ],
    ['a centre outside whose ball reaches in', [at(0, -1, 0)], 2, [[0, 0, 0]]],
    ['a centre less than half a voxel outside', [at(0, -0.4, 0)], 0, [[0, 0, 0]]],
  ])('paintSegmentation paints the nearest voxels: %s', (_, picks, radius, expected) => {
    expect(painted(paintSegmentation(picks, { grid, radius, label: 1 }))).toEqual(expected);
  });

  it('paintSegmentation gives a voxel between two equally near picks to the first of them', () => {
    const picks = [at(3, 4, 5, { object: 'ribosome' }), at(3, 6, 5, { object: 'apo-ferritin' })];
    const middle = (order: ParticlePick[]) =>
      paintSegmentation(order, { grid, radius: 2, label }).data[(3 * 12 + 5) * 9 + 5];
    expect([middle(picks), middle([...picks].reverse())]).toEqual([4, 1]);
  });

  it('paintSegmentation refuses balls wholly outside the grid, and says where the grid is', () => {
    const picks = [at(3, 4, 5), at(-2, 0, 0), at(0, 14, 0)];
    const run = () => paintSegmentation(picks, { grid, radius: 3, label });
    expect(run).toThrow(
      '2 of 3 picks lie outside the grid of 7×12×9 voxels, first pick 1 ("ribosome") at x -16, y 32, z 48 Å; ' +
        'voxel centres span x -16 to 16, y 32 to 54, z 64 to 112 Å',
    );
    expect(run).toThrow(expect.objectContaining({ code: 'invalid-picks' }));
  });

  it.each([0, -1, 1.5, 65536, Number.NaN, undefined as unknown as number])(
    'paintSegmentation refuses the label %s',
    (bad) => {
      const run = () => paintSegmentation([at(0, 0, 0)], { grid, radius: 1, label: { ribosome: bad } });
      expect(run).toThrow(`label of "ribosome" must be a whole number from 1 to 65535, found ${bad}`);
    },
  );

  it('paintSegmentation refuses a position or radius that is NaN', () => {
    expect(() => paintSegmentation([pickAt(Number.NaN, 0, 0)], { grid, radius: 1, label })).toThrow('pick 0');
    expect(() => paintSegmentation([], { grid, radius: Number.NaN, label })).toThrow('radius must be a finite length');
  });
});

describe('picksFromSegmentation', () => {
  const labels = (...rows: number[][]) =>
    contiguousVolume(Uint8Array.from(rows.flat()), [1, rows.length, rows[0].length]);
  const gridOf = (shape: Zyx): VoxelGrid => ({ ...grid, shape });

  it('picksFromSegmentation makes a pick of each group of one label, which other labels do not join', () => {
    const volume = labels([1, 1, 2, 2], [0, 0, 0, 0], [1, 0, 0, 2]);
    const picks = picksFromSegmentation(volume, { grid: gridOf(volume.shape), objects: { 1: 'a', 2: 'b' } });
    const place = (y: number, x: number) => toPhysical(grid, [0, y, x]);
    expect(picks).toEqual([
      { object: 'a', position: place(0, 0.5), score: 1, instanceId: 1 },
      { object: 'a', position: place(2, 0), score: 1, instanceId: 2 },
      { object: 'b', position: place(0, 2.5), score: 1, instanceId: 1 },
      { object: 'b', position: place(2, 3), score: 1, instanceId: 2 },
    ]);
  });

  it('picksFromSegmentation joins nothing across empty planes, and reads any stride', () => {
    const volume = { data: [5, 9, 5, 9, 0, 9, 5, 9], shape: [4, 1, 1], stride: [2, 1, 1], offset: 0 };
    const options = { grid: gridOf([4, 1, 1]), objects: { 5: 'a' } };
    expect(picksFromSegmentation(volume, options).map((p) => p.position.z)).toEqual([64 + 0.5 * 8, 64 + 3 * 8]);
    expect(picksFromSegmentation(volume, { ...options, minVoxels: 2 })).toHaveLength(1);
  });

  it('picksFromSegmentation uses the connectivity it is given', () => {
    const volume = labels([1, 0], [0, 1]);
    const count = (connectivity: 6 | 18 | 26) =>
      picksFromSegmentation(volume, { grid: gridOf(volume.shape), objects: { 1: 'a' }, connectivity }).length;
    expect([count(6), count(18), count(26)]).toEqual([2, 1, 1]);
  });

  it('picksFromSegmentation gives back separated balls within half a voxel along each axis', () => {
    const sites = [0.25, 0.75].flatMap((z) => [0.2, 0.5, 0.8].flatMap((y) => [0.2, 0.5, 0.8].map((x) => [z, y, x])));
    const wide: VoxelGrid = { shape: [20, 40, 30], voxelSize: [10, 5, 7], origin: { x: 3, y: -9, z: 100 } };
    const jitter = fc.double({ min: -1, max: 1, noNaN: true });
    const jitters = fc.array(fc.tuple(jitter, jitter, jitter), { minLength: sites.length, maxLength: sites.length });
    fc.assert(
      fc.property(jitters, fc.double({ min: 0, max: 20, noNaN: true }), (shifts, radius) => {
        const truth = sites.map(([z, y, x], i): ParticlePick => {
          const voxel: Zyx = [z * 20 + shifts[i][0], y * 40 + shifts[i][1], x * 30 + shifts[i][2]];
          return { object: i % 2 ? 'ribosome' : 'apo-ferritin', position: toPhysical(wide, voxel), score: 1 };
        });
        const volume = paintSegmentation(truth, { grid: wide, radius, label });
        const back = picksFromSegmentation(volume, { grid: wide, objects: { 4: 'ribosome', 1: 'apo-ferritin' } });
        expect(back).toHaveLength(truth.length);
        for (const { object, position } of truth) {
          const here = toVoxel(wide, position);
          const match = back.filter((p) => {
            const there = toVoxel(wide, p.position);
            return p.object === object && there.every((v, axis) => Math.abs(v - here[axis]) <= 0.5 + 1e-9);
          });
          expect(match).toHaveLength(1);
        }
      }),
      { numRuns: 60 },
    );
  });

  it.each<[string, number[][], number]>([
    [
      'background only',
      [
        [0, 0],
        [0, 0],
      ],
      0,
    ],
    ['one voxel', [[3]], 1],
    [
      'all one label',
      [
        [3, 3],
        [3, 3],
      ],
      1,
    ],
  ])('picksFromSegmentation makes a pick per group: %s', (_, rows, count) => {
    const volume = labels(...rows);
    expect(picksFromSegmentation(volume, { grid: gridOf(volume.shape), objects: { 3: 'a' } })).toHaveLength(count);
  });

  it.each([6, 18, 26] as const)(
    'picksFromSegmentation gives, label by label, the picks of a volume of that label alone, with %i neighbours',
    (connectivity) => {
      const shape: Zyx = [4, 5, 6];
      const values = fc.array(fc.integer({ min: 0, max: 3 }), {
        minLength: voxelCount(shape),
        maxLength: voxelCount(shape),
      });
      fc.assert(
        fc.property(values, fc.integer({ min: 1, max: 4 }), (data, minVoxels) => {
          const options = { grid: gridOf(shape), objects: { 1: 'a', 2: 'b', 3: 'c' }, connectivity, minVoxels };
          const alone = [1, 2, 3].flatMap((only) =>
            picksFromSegmentation(
              contiguousVolume(
                data.map((one) => (one === only ? one : 0)),
                shape,
              ),
              options,
            ),
          );
          expect(picksFromSegmentation(contiguousVolume(data, shape), options)).toEqual(alone);
        }),
      );
    },
  );

  it('picksFromSegmentation looks at a voxel as often, however many labels there are', () => {
    const shape: Zyx = [16, 16, 16];
    const readsOf = (count: number) => {
      let reads = 0;
      // Of each row, the first half has a label and the second none.
      const voxels = Array.from({ length: voxelCount(shape) }, (_, i) => (i % 16 < 8 ? 1 + ((i >> 4) % count) : 0));
      const data = new Proxy(voxels, {
        get(target, key) {
          reads++;
          return Reflect.get(target, key);
        },
      });
      const objects = Object.fromEntries(Array.from({ length: count }, (_, i) => [i + 1, `object ${i + 1}`]));
      picksFromSegmentation(contiguousVolume(data, shape), { grid: gridOf(shape), objects });
      return reads / voxels.length;
    };
    expect(readsOf(256)).toBeCloseTo(readsOf(1), 1);
    expect(readsOf(256)).toBeLessThan(4);
  });

  it('picksFromSegmentation takes 250,000 groups that end in one plane', () => {
    const side = 1000;
    const data = new Uint8Array(side * side);
    for (let y = 0; y < side; y += 2) for (let x = 0; x < side; x += 2) data[y * side + x] = 1;
    const volume = contiguousVolume(data, [1, side, side]);
    expect(picksFromSegmentation(volume, { grid: gridOf(volume.shape), objects: { 1: 'a' } })).toHaveLength(250_000);
  });

  it('picksFromSegmentation lists labels that have no object', () => {
    const volume = labels([1, 7, 9]);
    const run = () => picksFromSegmentation(volume, { grid: gridOf(volume.shape), objects: { 1: 'a', 2: 'b' } });
    expect(run).toThrow('labels without object: 7, 9; objects are given for 1, 2');
    expect(run).toThrow(expect.objectContaining({ code: 'invalid-option' }));
  });

  it('picksFromSegmentation throws early for scores instead of labels', () => {
    const volume = contiguousVolume(
      Float32Array.from({ length: 99 }, (_, i) => (i + 1) / 100),
      [1, 9, 11],
    );
    const run = () => picksFromSegmentation(volume, { grid: gridOf(volume.shape), objects: {} });
    expect(run).toThrow(/labels without object: 0\.0.*, …; objects are given for none/);
  });

  it('picksFromSegmentation refuses a grid of another shape, and volumes that are not 3-D', () => {
    const volume = labels([1, 1]);
    expect(() => picksFromSegmentation(volume, { grid, objects: {} })).toThrow(
      'labels have shape 1×1×2, but the grid 7×12×9',
    );
    const flat = { data: [1], shape: [1], stride: [1], offset: 0 };
    expect(() => picksFromSegmentation(flat, { grid, objects: {} })).toThrow('expected a 3-D array');
    const options = { grid: gridOf(volume.shape), objects: { 1: 'a' }, minVoxels: 0 };
    expect(() => picksFromSegmentation(volume, options)).toThrow('minVoxels must be a whole number ≥ 1, found 0');
  });
});
