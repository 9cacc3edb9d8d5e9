import type { NumericData, Volume } from '../../src/entry/index.ts';
import { forEachIndex } from './zarr-arrays.ts';

/** The voxels of a volume in C order. */
export function listOf({ data, shape, stride, offset }: Volume<NumericData>): number[] {
  const out: number[] = [];
  forEachIndex(shape, (index) => out.push(data[offset + index.reduce((sum, n, i) => sum + n * stride[i]!, 0)]!));
  return out;
}

/** The correlation coefficient of two volumes in C order. */
export function correlation({ data: a }: Volume, { data: b }: Volume): number {
  const mean = (data: Float32Array) => data.reduce((sum, value) => sum + value, 0) / data.length;
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += (a[i]! - ma) * (b[i]! - mb);
    aa += (a[i]! - ma) ** 2;
    bb += (b[i]! - mb) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}
