import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Peak } from '../../src/peaks/local-maxima.ts';
import { maximaKernel, type Rows } from '../../src/peaks/maxima-kernel.ts';
import { arbitrarySweep, collect, flatScores, slabsOf } from '../support/slabs.ts';

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
  it('finds what the definition says, whatever the scores, and as many digits of the threshold as float64 has', () => {
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

  it('reads rows backwards, as they lie in a mirrored view', () => {
    const data = Float32Array.from({ length: 300 }, (_, i) => Math.sin(i * i));
    const given = { data, offset: 200, rowStride: -100, rows: 3, lines: 1, columns: 100 };
    const found: number[][] = [];
    kernel(given, 0.5, (row, places) => found.push([row, ...places]));
    expect(found).toEqual(plain(given, 0.5));
  });
});

describe('localMaxima where there is no WebAssembly', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.resetModules();
  });

  /** Of a module that is loaded anew: the kernel is made once. */
  async function withAndWithout(
    peaksOf: (module: typeof import('../../src/peaks/local-maxima.ts')) => Promise<Peak[]>,
  ) {
    vi.resetModules();
    const fast = await peaksOf(await import('../../src/peaks/local-maxima.ts'));
    vi.resetModules();
    vi.stubGlobal('WebAssembly', undefined);
    const slow = await peaksOf(await import('../../src/peaks/local-maxima.ts'));
    expect((await import('../../src/peaks/maxima-kernel.ts')).maximaKernel()).toBeUndefined();
    vi.unstubAllGlobals();
    return { fast, slow };
  }

  it('finds the same peaks in the same order, for any axis and cuts', async () => {
    const sweeps = fc.sample(arbitrarySweep([0, 1, 1, 2, Number.NaN]), { numRuns: 60, seed: 7 });
    const { fast, slow } = await withAndWithout(async ({ localMaxima }) => {
      const found = sweeps.map(({ scores, axis, cuts }) =>
        collect(localMaxima(slabsOf(scores, axis, cuts), { threshold: 1 })),
      );
      return (await Promise.all(found)).flat();
    });
    expect(fast.length).toBeGreaterThan(60);
    expect(fast).toEqual(slow);
  });

  it.each([0, 1, 2] as const)(
    'finds the same peaks along axis %i of rows longer than it looks at together',
    async (axis) => {
      const scores = flatScores([37, 41, 150], 0);
      for (let i = 0; i < scores.values.length; i++) scores.values[i] = Math.round(9 * Math.sin(i * i)) / 9;
      const { fast, slow } = await withAndWithout(({ localMaxima }) =>
        collect(localMaxima(slabsOf(scores, axis, [5, 20]), { threshold: 0.5 })),
      );
      expect(fast.length).toBeGreaterThan(1000);
      expect(fast).toEqual(slow);
    },
  );
});
