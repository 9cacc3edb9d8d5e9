import type { NumericData, Volume } from '../../src/entry/index.ts';
import { forEachIndex } from './zarr-arrays.ts';

/** The voxels of a volume in C order. */
export function listOf({ data, shape, stride, offset }: Volume<NumericData>): number[] {
  const out: number[] = [];
  forEachIndex(shape, (index) => out.push(data[offset + index.reduce((sum, n, i) => sum + n * stride[i]!, 0)]!));
  return out;
}
