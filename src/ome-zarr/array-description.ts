import * as v from 'valibot';
import { halfToNumber, type NumberType } from '../codecs/number-type.ts';
import { showJson } from '../json.ts';
import type { StoreKey } from '../storage/store.ts';
import { invalid } from './parse.ts';
import type { ShardLayout } from './shards.ts';

/** What the metadata of a Zarr array say, checked, and the document to hand to zarrita. */
export interface ArrayDescription {
  readonly zarrFormat: 2 | 3;
  readonly shape: readonly number[];
  /** Shape of what is decoded at once: a chunk, or an inner chunk of a shard. */
  readonly chunkShape: readonly number[];
  /** Absent where the array is not sharded. */
  readonly shards?: ShardLayout | undefined;
  /** The key of a chunk in the folder of the array, where it is not sharded. */
  readonly keyOf: (at: readonly number[]) => StoreKey;
  readonly dtype: NumberType;
  readonly itemBytes: number;
  readonly fillValue: number;
  readonly document: Readonly<Record<string, unknown>>;
}

/**
 * What zarrita is told instead: types it represents awkwardly, or not at all in Node 20, are read as their bytes and
 * converted by us.
 */
export const STAND_INS: Readonly<Partial<Record<NumberType, NumberType>>> = { bool: 'uint8', float16: 'uint16' };

/** Schema of the shape of an array. */
export const extents: v.GenericSchema<number[]> = v.array(v.pipe(v.number(), v.safeInteger(), v.minValue(0)));

/** Schema of the shape of a chunk. */
export const chunkExtents: v.GenericSchema<number[]> = v.array(v.pipe(v.number(), v.safeInteger(), v.minValue(1)));

/** The fill value as a number; nothing stands for 0. */
export function fillNumber(value: unknown, dtype: NumberType, where: string): number {
  if (value === null || value === undefined) return 0;
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return Number(value);
  if (value === 'NaN') return Number.NaN;
  if (value === 'Infinity' || value === '-Infinity') return Number(value);
  if (typeof value === 'string' && /^0x[0-9a-f]+$/i.test(value) && dtype.startsWith('float')) {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, BigInt(value));
    if (dtype === 'float64') return view.getFloat64(0);
    return dtype === 'float32' ? view.getFloat32(4) : halfToNumber(view.getUint16(6));
  }
  throw invalid(where, `fill value ${showJson(value)} is no ${dtype}`);
}
