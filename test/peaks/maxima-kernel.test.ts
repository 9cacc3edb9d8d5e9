import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Axis, Peak, ScoreVolume, Zyx } from '../../src/entry/index.ts';
import { maximaKernel, type Rows } from '../../src/peaks/local-maxima.ts';
import { voxelCount } from '../../src/space/grid.ts';
import { arbitrarySweep, collect, gridOf, slabsOf } from '../support/slabs.ts';

const kernel = maximaKernel()!;

/** The definition, score by score. */
function plain({ data, offset, rowStride, rows, lines, columns }: Rows, threshold: number): (readonly number[])[] {
  const found: number[][] = [];
  for (let row = 0; row < rows; row++) {
    const at = (r: number, line: number, column: number) => {
      if (r < 0 || line < 0 || column < 0 || r >= rows || line >= lines || column >= columns) return Number.NaN;
      return data[offset + r * rowStride + line * columns + column]!;
    };
    const places: number[] = [];
    for (let place = 0; place < lines * columns; place++) {
      const column = place % columns;
      const line = (place - column) / columns;
      const score = at(row, line, column);
      const around = [
        at(row, line, column - 1),
        at(row, line, column + 1),
        at(row, line - 1, column),
        at(row, line + 1, column),
        at(row - 1, line, column),
        at(row + 1, line, column),
      ];
      if (score >= threshold && !around.some((other) => other > score)) places.push(place);
    }
    if (places.length > 0) found.push([row, ...places]);
  }
  return found;
}

const score = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(0, 1, 2, 3) },
  { weight: 2, arbitrary: fc.float() },
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 1e-45, 3.4e38),
);

// Longer than the 4 + 64 bytes that it takes to look at sixteen scores at once.
const cases = fc
  .record({
    rows: fc.integer({ min: 1, max: 5 }),
    lines: fc.integer({ min: 1, max: 4 }),
    columns: fc.oneof(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 17, max: 70 })),
    gap: fc.integer({ min: 0, max: 9 }),
    offset: fc.integer({ min: 0, max: 5 }),
  })
  .chain(({ rows, lines, columns, gap, offset }) => {
    const length = offset + rows * (lines * columns + gap);
    return fc.record({
      rows: fc.constant({ rows, lines, columns, offset, rowStride: lines * columns + gap }),
      scores: fc.array(score, { minLength: length, maxLength: length }),
    });
  });

describe('maximaKernel', () => {
  it('maximaKernel finds what the definition says for any scores and any float64 threshold', () => {
    const threshold = fc.oneof(
      fc.constantFrom(0, -0, 1, 1 + 1e-12, 3, 1e-50, -1e-50, 1e39, -1e39),
      fc.double({ noNaN: true }),
    );
    const property = fc.property(cases, threshold, ({ rows, scores }, least) => {
      const given = { data: Float32Array.from(scores), ...rows };
      const found: number[][] = [];
      kernel(given, least, (row, places) => found.push([row, ...places]));
      expect(found).toEqual(plain(given, least));
    });
    fc.assert(property, { numRuns: 2000 });
  });

  it('maximaKernel reads rows backwards, as they lie in a mirrored view', () => {
    const data = Float32Array.from({ length: 300 }, (_, i) => Math.sin(i * i));
    const given = { data, offset: 200, rowStride: -100, rows: 3, lines: 1, columns: 100 };
    const found: number[][] = [];
    kernel(given, 0.5, (row, places) => found.push([row, ...places]));
    expect(found).toEqual(plain(given, 0.5));
  });
});

describe('localMaxima without WebAssembly', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.resetModules();
  });

  /** Of a module that is loaded anew: the kernel is made once. */
  async function withAndWithout(
    peaksOf: (module: typeof import('../../src/peaks/local-maxima.ts')) => Promise<Peak[][]>,
  ) {
    vi.resetModules();
    const fast = await peaksOf(await import('../../src/peaks/local-maxima.ts'));
    vi.resetModules();
    vi.stubGlobal('WebAssembly', undefined);
    const slow = await peaksOf(await import('../../src/peaks/local-maxima.ts'));
    expect((await import('../../src/peaks/local-maxima.ts')).maximaKernel()).toBeUndefined();
    vi.unstubAllGlobals();
    return { fast, slow };
  }

  it('localMaxima without WebAssembly finds the same peaks in the same order, for any axis and cuts', async () => {
    const sweeps = fc.sample(arbitrarySweep([0, 1, 1, 2, Number.NaN]), { numRuns: 60, seed: 7 });
    const { fast, slow } = await withAndWithout(async ({ localMaxima }) => {
      const found = sweeps.map(({ scores, axis, cuts }) =>
        collect(localMaxima(slabsOf(scores, axis, cuts), { threshold: 1 })),
      );
      return Promise.all(found);
    });
    expect(fast.flat().length).toBeGreaterThan(60);
    expect(fast).toEqual(slow);
  });

  it.each<[string, Axis, Zyx, Zyx | undefined]>([
    ['a plane in several pieces', 0, [3, 150, 150], undefined],
    ['rows of a plane that lie apart', 0, [3, 150, 150], [160 * 150, 160, 1]],
    ['rows of planes, two blocks of sixteen and a rest', 1, [7, 37, 150], undefined],
    ['rows of planes, fewer at once since they are long', 1, [3, 40, 1100], undefined],
    ['a row longer than is looked at together', 0, [2, 2, 20000], undefined],
    ['the same of several planes', 1, [2, 3, 20000], undefined],
    ['rows of planes with gaps', 1, [5, 20, 100], [20 * 128, 128, 1]],
    ['one row', 0, [9, 1, 300], undefined],
    ['one column', 0, [9, 300, 1], undefined],
    ['planes that are one and the same', 0, [5, 30, 30], [0, 30, 1]],
    ['planes that are one and the same, rows apart', 1, [30, 5, 30], [40, 0, 1]],
    ['planes that are one and the same, along x', 2, [30, 30, 5], [30, 1, 0]],
    ['planes read from the last row to the first', 0, [3, 100, 100], [10000, -100, 1]],
    ['a sweep along x', 2, [20, 20, 40], undefined],
  ])(
    'localMaxima without WebAssembly finds the peaks of the same scores in C order: %s',
    async (_, axis, shape, stride) => {
      const [depth, height, width] = shape;
      const [sz, sy, sx] = stride ?? [height * width, width, 1];
      const offset = 3 + Math.max(0, -sy) * (height - 1);
      const length = offset + 1 + (depth - 1) * sz + (height - 1) * Math.max(0, sy) + (width - 1) * sx;
      const data = Float32Array.from({ length }, (_, i) => Math.round(40 * Math.sin(i * i)) / 40);
      const values = new Float32Array(voxelCount(shape));
      for (let z = 0, i = 0; z < depth; z++) {
        for (let y = 0; y < height; y++) {
          for (let x = 0; x < width; x++, i++) values[i] = data[offset + z * sz + y * sy + x * sx]!;
        }
      }
      const slab = { grid: gridOf(shape), axis, start: 0, classes: ['a'] };
      const laid = { data, shape: [1, ...shape], stride: [0, sz, sy, sx], offset } as const;
      const plain = { data: values, shape: [1, ...shape], stride: [0, height * width, width, 1], offset: 0 } as const;
      const { fast, slow } = await withAndWithout(async ({ localMaxima }) => {
        const peaksOf = (scores: ScoreVolume) => collect(localMaxima([{ ...slab, scores }], { threshold: 0.5 }));
        return [await peaksOf(laid), await peaksOf(plain)];
      });
      expect(slow[1]!.length).toBeGreaterThan(10);
      expect([...fast, slow[0]]).toEqual([slow[1], slow[1], slow[1]]);
    },
  );
});
