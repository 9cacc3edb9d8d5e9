import * as v from 'valibot';
import { ITEM_BYTES, type NumberType } from '../codecs/number-type.ts';
import { showJson } from '../json.ts';
import type { StoreKey } from '../storage/store.ts';
import { type ArrayDescription, chunkExtents, extents, fillNumber, STAND_INS } from './array-description.ts';
import { parseMetadata, unsupported } from './parse.ts';

const codecV2 = v.looseObject({ id: v.string() });

const arrayV2 = v.looseObject({
  zarr_format: v.literal(2),
  shape: extents,
  chunks: chunkExtents,
  dtype: v.unknown(),
  compressor: v.nullish(codecV2),
  filters: v.nullish(v.array(codecV2)),
  fill_value: v.optional(v.unknown()),
  order: v.picklist(['C', 'F']),
  dimension_separator: v.nullish(v.picklist(['.', '/'])),
});

/** Checks and prepares the metadata of a Zarr v2 array, `.zarray`. */
export function describeV2(json: unknown, where: string): ArrayDescription {
  const meta = parseMetadata(arrayV2, json, where);
  const { dtype, endian } = typeV2(meta.dtype, where);
  const itemBytes = ITEM_BYTES[dtype];
  const isStandIn = dtype in STAND_INS;
  for (const filter of meta.filters ?? [])
    checkFilter(filter, { dtype: String(meta.dtype), itemBytes, isStandIn, where });
  const fillValue = fillNumber(meta.fill_value, dtype, where);
  const separator = meta.dimension_separator ?? '.';
  const document = {
    ...meta,
    dtype: isStandIn ? `${endian}u${itemBytes}` : meta.dtype,
    dimension_separator: separator,
    filters: meta.filters ?? null,
    compressor: meta.compressor ?? null,
    fill_value: 0,
  };
  const keyOf = (at: readonly number[]): StoreKey => `/${at.join(separator)}`;
  return { zarrFormat: 2, shape: meta.shape, chunkShape: meta.chunks, keyOf, dtype, itemBytes, fillValue, document };
}

const KINDS_V2: Readonly<Record<string, NumberType>> = {
  b1: 'bool',
  i1: 'int8',
  u1: 'uint8',
  i2: 'int16',
  u2: 'uint16',
  i4: 'int32',
  u4: 'uint32',
  i8: 'int64',
  u8: 'uint64',
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
};

function typeV2(value: unknown, where: string): { dtype: NumberType; endian: string } {
  const match = typeof value === 'string' ? /^([<>|])([biuf]\d)$/.exec(value) : null;
  const dtype = match ? KINDS_V2[match[2]!] : undefined;
  if (!match || !dtype)
    throw unsupported(where, `data type ${showJson(value)}; expected a type of numbers, or booleans`);
  return { dtype, endian: match[1]! };
}

interface FilterContext {
  readonly dtype: string;
  readonly itemBytes: number;
  readonly isStandIn: boolean;
  readonly where: string;
}

/** Refuses filters that zarrita would take for something else without a word. */
function checkFilter(
  filter: v.InferOutput<typeof codecV2>,
  { dtype, itemBytes, isStandIn, where }: FilterContext,
): void {
  const id = filter.id.replace(/^numcodecs\./, '');
  const astype = filter.astype ?? filter.dtype ?? dtype;
  const elements = filter.elementsize;
  const isOdd =
    (id === 'delta' && astype !== dtype) ||
    (id === 'fixedscaleoffset' && String(astype).startsWith('>') !== dtype.startsWith('>')) ||
    (id === 'shuffle' && elements !== undefined && elements !== itemBytes) ||
    (isStandIn && id !== 'shuffle');
  if (isOdd) throw unsupported(where, `filter ${showJson(filter)} on data type "${dtype}"`);
}
