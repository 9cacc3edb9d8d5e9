import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SliceImageOptions, sliceImage } from '../../src/entry/figure.ts';
import { sourceFromArray, type VolumeSource, type Zyx } from '../../src/entry/index.ts';
import { countingSource } from '../support/counting-source.ts';

type Axis = SliceImageOptions['axis'];

function voxelsOf(shape: Zyx, valueAt: (index: Zyx) => number): Float32Array {
  const [depth, height, width] = shape;
  const data = new Float32Array(depth * height * width);
  for (let z = 0, i = 0; z < depth; z++)
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++, i++) data[i] = valueAt([z, y, x]);
  return data;
}

function volume(shape: Zyx, valueAt: (index: Zyx) => number): VolumeSource {
  return sourceFromArray({ data: voxelsOf(shape, valueAt), shape }, { voxelSize: [10, 20, 30] });
}

/** A value that names its place. */
const placed = ([z, y, x]: Zyx) => z * 100 + y * 10 + x;

/** What the picture must be, written without any of its parts. */
function bruteForce(
  valueAt: (index: Zyx) => number,
  shape: Zyx,
  { axis, index, mean = 1, contrast = [0.5, 99.5] }: SliceImageOptions,
) {
  const [rows, columns] = [0, 1, 2].filter((other) => other !== axis) as [Axis, Axis];
  const means: number[] = [];
  for (let row = 0; row < shape[rows]; row++) {
    for (let column = 0; column < shape[columns]; column++) {
      const values: number[] = [];
      for (let plane = index - Math.floor((mean - 1) / 2); plane <= index + Math.floor(mean / 2); plane++) {
        if (plane < 0 || plane >= shape[axis]) continue;
        const at: [number, number, number] = [0, 0, 0];
        at[axis] = plane;
        at[rows] = row;
        at[columns] = column;
        const value = Math.fround(valueAt(at));
        if (Number.isFinite(value)) values.push(value);
      }
      means.push(Math.fround(values.reduce((sum, value) => sum + value, 0) / values.length));
    }
  }
  const sorted = means.filter(Number.isFinite).sort((a, b) => a - b);
  const percentile = (p: number) => sorted[Math.round((p / 100) * (sorted.length - 1))] ?? p / 100;
  const [black, white] = 'black' in contrast ? [contrast.black, contrast.white] : contrast.map(percentile);
  const data = means.flatMap((value) => {
    if (Number.isNaN(value)) return [0, 0, 0, 0];
    const part = black === white ? 128 / 255 : Math.min(1, Math.max(0, (value - black!) / (white! - black!)));
    return [part * 255, part * 255, part * 255, 255];
  });
  return { data, width: shape[columns], height: shape[rows], black, white };
}

describe('the picture of a slice', () => {
  it('is that of brute force, of any axis, place, mean and contrast, with missing voxels', async () => {
    const edge = fc.integer({ min: 1, max: 6 });
    const cases = fc.record({
      shape: fc.tuple(edge, edge, edge),
      axis: fc.constantFrom<Axis>(0, 1, 2),
      place: fc.nat(5),
      mean: fc.option(fc.integer({ min: 1, max: 7 }), { nil: undefined }),
      contrast: fc.constantFrom<SliceImageOptions['contrast']>(undefined, [0, 100], [10, 60], { black: 3, white: -4 }),
      values: fc.array(
        fc.oneof(
          { weight: 9, arbitrary: fc.integer({ min: -9, max: 9 }) },
          { weight: 1, arbitrary: fc.constant(Number.NaN) },
        ),
        { minLength: 216, maxLength: 216 },
      ),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ shape, axis, place, mean, contrast, values }) => {
        const valueAt = ([z, y, x]: Zyx) => values[z * 36 + y * 6 + x]!;
        const options = { axis, index: place % shape[axis], mean, contrast };
        const image = await sliceImage(volume(shape, valueAt), options);
        const expected = bruteForce(valueAt, shape, options);
        expect([image.width, image.height]).toEqual([expected.width, expected.height]);
        expect(image.data).toHaveLength(expected.data.length);
        // Rounding of means and of grey values.
        expect(
          Math.max(...Array.from(image.data, (value, i) => Math.abs(value - expected.data[i]!))),
        ).toBeLessThanOrEqual(1.01);
      }),
    );
  });

  it('has rows along the first of the other axes, and columns along the second', async () => {
    const source = volume([2, 3, 4], placed);
    const of = async (axis: Axis) => {
      const { data, width, height } = await sliceImage(source, { axis, index: 1, contrast: { black: 0, white: 255 } });
      return { width, height, values: [...data].filter((_, i) => i % 4 === 0) };
    };
    const values = (...rows: readonly (readonly number[])[]) => rows.flat();
    const z = values([100, 101, 102, 103], [110, 111, 112, 113], [120, 121, 122, 123]);
    expect(await of(0)).toEqual({ width: 4, height: 3, values: z });
    expect(await of(1)).toEqual({ width: 4, height: 2, values: values([10, 11, 12, 13], [110, 111, 112, 113]) });
    expect(await of(2)).toEqual({ width: 3, height: 2, values: values([1, 11, 21], [101, 111, 121]) });
  });

  it('shows a later slice with the contrast of an earlier one, and an inverted one as its negative', async () => {
    const source = volume([3, 8, 8], placed);
    const first = await sliceImage(source, { axis: 0, index: 0 });
    const later = await sliceImage(source, { axis: 0, index: 2, contrast: first.contrast });
    expect(later.contrast).toEqual(first.contrast);
    expect(later.data.every((value) => value === 255)).toBe(true);
    const { black, white } = first.contrast;
    const negative = await sliceImage(source, { axis: 0, index: 0, contrast: { black: white, white: black } });
    expect(negative.data).toEqual(first.data.map((value, i) => (i % 4 === 3 ? value : 255 - value)));
  });

  it('reads the planes of the slice only, fewer at the faces of the volume', async () => {
    for (const [index, mean, planes] of [
      [4, 3, 3],
      [0, 3, 2],
      [8, 4, 2],
      [4, 1, 1],
      [4, 100, 9],
    ] as const) {
      const source = countingSource(voxelsOf([9, 4, 4], placed), [9, 4, 4]);
      await sliceImage(source, { axis: 0, index, mean });
      expect(source.voxels).toBe(planes * 16);
    }
  });

  it('of a slice without any contrast is an even grey, and of one without any voxel is transparent', async () => {
    const even = await sliceImage(
      volume([1, 2, 2], () => 7),
      { axis: 0, index: 0 },
    );
    expect(new Set(even.data)).toEqual(new Set([128, 255]));
    const empty = await sliceImage(
      volume([1, 2, 2], () => Number.NaN),
      { axis: 0, index: 0 },
    );
    expect(new Set(empty.data)).toEqual(new Set([0]));
  });

  it('is refused outside of the volume, with percentiles out of order, and for no volume', async () => {
    const source = volume([2, 3, 4], placed);
    const refused = (options: object) => expect(sliceImage(source, options as never)).rejects;
    await refused({ axis: 0, index: 2 }).toMatchObject({ code: 'invalid-option', option: 'index' });
    for (const axis of [3, -1, 'z', undefined]) await refused({ axis, index: 0 }).toMatchObject({ option: 'axis' });
    for (const index of [-1, 0.5, undefined]) await refused({ axis: 0, index }).toMatchObject({ option: 'index' });
    for (const mean of [0, 1.5]) await refused({ axis: 0, index: 0, mean }).toMatchObject({ option: 'mean' });
    for (const contrast of [[99, 1], [1], [-1, 50], [1, 101], { black: 1 }, 'auto'])
      await refused({ axis: 0, index: 0, contrast }).toMatchObject({ option: 'contrast' });
    await expect(sliceImage({} as never, { axis: 0, index: 0 })).rejects.toMatchObject({ option: 'source' });
  });

  it('is not read once its signal has fired', async () => {
    const source = countingSource(voxelsOf([2, 3, 4], placed), [2, 3, 4]);
    const aborted = AbortSignal.abort(new Error('enough'));
    await expect(sliceImage(source, { axis: 0, index: 0, signal: aborted })).rejects.toThrow('enough');
    expect(source.voxels).toBe(0);
  });
});
