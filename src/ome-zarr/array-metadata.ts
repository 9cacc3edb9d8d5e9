import * as v from 'valibot';
import { MAX_CHUNK_BYTES } from '../codecs/decode.ts';
import { halfToNumber, ITEM_BYTES, type NumberType } from '../codecs/number-type.ts';
import { showJson } from '../core/json.ts';
import { formatZyx } from '../space/grid.ts';
import type { StoreKey } from '../storage/store.ts';
import { invalid, parseMetadata, unsupported } from './metadata.ts';
import type { ShardLayout } from './shards.ts';

/** The checked metadata of a Zarr array, and the document for zarrita. */
export interface ArrayDescription {
  readonly zarrFormat: 2 | 3;
  readonly shape: readonly number[];
  /** Shape of a chunk, or of an inner chunk of a shard. */
  readonly chunkShape: readonly number[];
  /** Absent if the array is not sharded. */
  readonly shards?: ShardLayout | undefined;
  /** Returns the key of a chunk in the folder of the array, if it is not sharded. */
  readonly keyOf: (at: readonly number[]) => StoreKey;
  readonly dtype: NumberType;
  readonly itemBytes: number;
  /** Maximum bytes of an encoded chunk: no codec makes the least compressible chunk longer. */
  readonly maxChunkBytes: number;
  readonly fillValue: number;
  readonly document: Readonly<Record<string, unknown>>;
}

/**
 * Types that zarrita is given instead of types that it represents awkwardly, or not at all in Node 20. Their bytes are converted
 * afterwards.
 */
const STAND_INS: Readonly<Partial<Record<NumberType, NumberType>>> = { bool: 'uint8', float16: 'uint16' };

/** Schema of an array's shape. */
const extents: v.GenericSchema<number[]> = v.array(v.pipe(v.number(), v.safeInteger(), v.minValue(0)));

/** Schema of a chunk's shape. */
const chunkExtents: v.GenericSchema<number[]> = v.array(v.pipe(v.number(), v.safeInteger(), v.minValue(1)));

/** The fill value as a number; 0 if it is missing or null. */
function fillNumber(value: unknown, dtype: NumberType, where: string): number {
  if (value === null || value === undefined) return 0;
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return Number(value);
  if (value === 'NaN') return Number.NaN;
  if (value === 'Infinity' || value === '-Infinity') return Number(value);
  if (typeof value === 'string' && /^0x[0-9a-f]{1,16}$/i.test(value) && dtype.startsWith('float')) {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, BigInt(value));
    if (dtype === 'float64') return view.getFloat64(0);
    return dtype === 'float32' ? view.getFloat32(4) : halfToNumber(view.getUint16(6));
  }
  throw invalid(where, `fill value ${showJson(value)} is not a valid ${dtype}`);
}

/**
 * Checks the metadata of a Zarr array and prepares them for zarrita. It checks all sizes before anything is allocated.
 *
 * @param where - Names the array in messages.
 * @throws {@link CryoetPicksError} `invalid-metadata`, or `unsupported` for valid metadata that this library does not support.
 */
export function describeArray(json: unknown, zarrFormat: 2 | 3, where: string): ArrayDescription {
  const described = zarrFormat === 2 ? describeV2(json, where) : describeV3(json, where);
  const { shape, chunkShape, itemBytes } = described;
  if (shape.length === 0 || shape.length !== chunkShape.length) {
    throw invalid(
      where,
      `shape ${formatZyx(shape)} and chunk shape ${formatZyx(chunkShape)} must have the same rank, at least 1`,
    );
  }
  const voxels = shape.reduce((a, b) => a * b, 1);
  if (!Number.isSafeInteger(voxels))
    throw unsupported(where, `a shape of ${formatZyx(shape)}, more voxels than can be counted exactly`);
  const chunkBytes = chunkShape.reduce((a, b) => a * b, itemBytes);
  if (chunkBytes > MAX_CHUNK_BYTES) {
    const sizes = `${formatZyx(chunkShape)} ${described.dtype} = ${chunkBytes} bytes`;
    throw unsupported(where, `a chunk of ${sizes}; expected at most ${MAX_CHUNK_BYTES} bytes`);
  }
  return described;
}

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
function describeV2(json: unknown, where: string): ArrayDescription {
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
  return {
    zarrFormat: 2,
    shape: meta.shape,
    chunkShape: meta.chunks,
    keyOf,
    dtype,
    itemBytes,
    maxChunkBytes: maxEncodedBytes(meta.chunks, meta.filters?.length ? WIDEST : itemBytes),
    fillValue,
    document,
  };
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

/** Throws for filters that zarrita would silently misinterpret. */
function checkFilter(
  filter: v.InferOutput<typeof codecV2>,
  { dtype, itemBytes, isStandIn, where }: FilterContext,
): void {
  const id = filter.id.replace(/^numcodecs\./, '');
  const astype = filter.astype ?? filter.dtype ?? dtype;
  const elements = filter.elementsize;
  const isUnsupported =
    (id === 'delta' && astype !== dtype) ||
    (id === 'fixedscaleoffset' && String(astype).startsWith('>') !== dtype.startsWith('>')) ||
    (id === 'shuffle' && elements !== undefined && elements !== itemBytes) ||
    (isStandIn && id !== 'shuffle');
  if (isUnsupported) throw unsupported(where, `filter ${showJson(filter)} on data type "${dtype}"`);
}

const codecV3 = v.union([
  v.looseObject({ name: v.string(), configuration: v.optional(v.record(v.string(), v.unknown())) }),
  v.pipe(
    v.string(),
    v.transform((name) => ({ name, configuration: undefined })),
  ),
]);

const arrayV3 = v.looseObject({
  zarr_format: v.literal(3),
  node_type: v.literal('array'),
  shape: extents,
  data_type: v.unknown(),
  chunk_grid: v.looseObject({
    name: v.string(),
    configuration: v.optional(v.looseObject({ chunk_shape: v.optional(chunkExtents) })),
  }),
  chunk_key_encoding: v.looseObject({
    name: v.picklist(['default', 'v2']),
    configuration: v.optional(v.looseObject({ separator: v.optional(v.picklist(['.', '/'])) })),
  }),
  fill_value: v.optional(v.unknown()),
  codecs: v.pipe(v.array(codecV3), v.minLength(1)),
  storage_transformers: v.optional(v.array(v.unknown())),
});

const shardingCodec = v.looseObject({
  chunk_shape: chunkExtents,
  codecs: v.pipe(v.array(codecV3), v.minLength(1)),
  index_codecs: v.pipe(v.array(codecV3), v.minLength(1)),
  index_location: v.optional(v.picklist(['start', 'end'])),
});

type CodecV3 = v.InferOutput<typeof codecV3>;

/** The fields of `zarr.json`, of an array or a group. */
const FIELDS_V3: ReadonlySet<string> = new Set([
  ...['zarr_format', 'node_type', 'attributes', 'consolidated_metadata'],
  ...['shape', 'data_type', 'chunk_grid', 'chunk_key_encoding', 'fill_value', 'codecs', 'storage_transformers'],
  'dimension_names',
]);

/**
 * Throws for a field of `zarr.json` that this library does not know, unless it says that it need not be understood, or holds nothing.
 *
 * Source: Zarr v3 core specification, "Array metadata" and "Extensions": `must_understand`.
 */
export function requireKnownFields(json: unknown, where: string): void {
  for (const [name, value] of Object.entries((json ?? {}) as object)) {
    if (FIELDS_V3.has(name) || value === null || (Array.isArray(value) && value.length === 0)) continue;
    if ((value as { must_understand?: unknown }).must_understand === false) continue;
    throw unsupported(where, `the field ${showJson(name)}, an extension that a reader must understand`);
  }
}

/** Checks and prepares the metadata of a Zarr v3 array, `zarr.json`; a sharded one as an array of its inner chunks. */
function describeV3(json: unknown, where: string): ArrayDescription {
  const meta = parseMetadata(arrayV3, json, where);
  requireKnownFields(meta, where);
  const dtype = meta.data_type as NumberType;
  const itemBytes = typeof dtype === 'string' && Object.hasOwn(ITEM_BYTES, dtype) ? ITEM_BYTES[dtype] : undefined;
  if (itemBytes === undefined) {
    throw unsupported(where, `data type ${showJson(meta.data_type)}; expected a type of numbers, or booleans`);
  }
  const gridShape = meta.chunk_grid.configuration?.chunk_shape;
  if (meta.chunk_grid.name !== 'regular' || !gridShape)
    throw unsupported(where, `chunk grid "${meta.chunk_grid.name}"`);
  if (meta.storage_transformers?.length) throw unsupported(where, 'storage transformers');
  const sharding = shardingOf(meta.codecs, gridShape, where);
  const codecs = sharding?.codecs ?? meta.codecs;
  checkCodecs(codecs, { dtype, itemBytes, rank: gridShape.length, where });
  const chunkShape = sharding?.chunk_shape ?? gridShape;
  const encoding = sharding ? { name: 'default', configuration: { separator: '/' } } : meta.chunk_key_encoding;
  const document = {
    ...meta,
    data_type: STAND_INS[dtype] ?? dtype,
    chunk_grid: { name: 'regular', configuration: { chunk_shape: chunkShape } },
    chunk_key_encoding: encoding,
    fill_value: 0,
    codecs,
    attributes: {},
  };
  const keyOf = keyEncoder(meta.chunk_key_encoding);
  const maxChunkBytes = maxEncodedBytes(chunkShape, codecs.length > 2 ? WIDEST : itemBytes);
  const shards = sharding && {
    inner: gridShape.map((extent, i) => extent / chunkShape[i]!),
    isIndexAtStart: sharding.index_location === 'start',
    hasChecksum: sharding.index_codecs.length > 1,
    maxChunkBytes,
    keyOf,
  };
  const fillValue = fillNumber(meta.fill_value, dtype, where);
  return {
    zarrFormat: 3,
    shape: meta.shape,
    chunkShape,
    shards,
    keyOf,
    dtype,
    itemBytes,
    maxChunkBytes,
    fillValue,
    document,
  };
}

/** Bytes of the widest number that a filter may store instead of a narrower one. */
const WIDEST = 8;

function maxEncodedBytes(chunkShape: readonly number[], itemBytes: number): number {
  return 2 * chunkShape.reduce((product, extent) => product * extent, itemBytes) + 65_536;
}

function keyEncoder({ name, configuration }: v.InferOutput<typeof arrayV3>['chunk_key_encoding']) {
  const separator = configuration?.separator ?? (name === 'v2' ? '.' : '/');
  return (at: readonly number[]): StoreKey => `/${(name === 'v2' ? at : ['c', ...at]).join(separator)}`;
}

function shardingOf(
  codecs: readonly CodecV3[],
  shard: readonly number[],
  where: string,
): v.InferOutput<typeof shardingCodec> | undefined {
  const codec = codecs.find(({ name }) => name === 'sharding_indexed');
  if (!codec) return undefined;
  const shards = parseMetadata(shardingCodec, codec.configuration, `${where}, codec "sharding_indexed"`);
  if (codecs.length > 1) throw unsupported(where, 'codecs around "sharding_indexed"');
  if (shards.codecs.some(({ name }) => name === 'sharding_indexed')) throw unsupported(where, 'shards inside shards');
  const chunk = shards.chunk_shape;
  if (chunk.length !== shard.length || shard.some((extent, i) => extent % chunk[i]! !== 0)) {
    throw invalid(where, `a shard of ${formatZyx(shard)} does not divide into chunks of ${formatZyx(chunk)}`);
  }
  const index = shards.index_codecs.map(({ name }) => name).join();
  const isBig = shards.index_codecs[0]?.configuration?.endian === 'big';
  if (!/^bytes(,crc32c)?$/.test(index) || isBig)
    throw unsupported(where, `shard index codecs "${index}"${isBig ? ', big-endian' : ''}`);
  const indexBytes = shard.reduce((product, extent, i) => product * (extent / chunk[i]!), 16);
  if (indexBytes > 2 ** 28)
    throw unsupported(where, `a shard index of ${indexBytes} bytes; expected at most ${2 ** 28} bytes`);
  return shards;
}

interface CodecContext {
  readonly dtype: NumberType;
  readonly itemBytes: number;
  readonly rank: number;
  readonly where: string;
}

/** Throws for codecs that zarrita would silently misinterpret. */
function checkCodecs(codecs: readonly CodecV3[], { dtype, itemBytes, rank, where }: CodecContext): void {
  const transposes = codecs.filter(({ name }) => name === 'transpose');
  if (transposes.length > 1) throw unsupported(where, 'more than one "transpose" codec');
  const order = transposes[0]?.configuration?.order;
  if (transposes.length > 0 && order !== 'C' && order !== 'F') {
    const axes = Array.isArray(order) ? [...order].sort((a, b) => a - b) : [];
    if (axes.length !== rank || axes.some((axis, i) => axis !== i)) {
      throw invalid(where, `transpose order ${showJson(order)} is not a permutation of ${rank} axes`);
    }
  }
  for (const { name, configuration } of codecs) {
    const id = name.replace(/^numcodecs\./, '');
    const elements = configuration?.elementsize;
    const isUnsupported =
      (id === 'shuffle' && elements !== undefined && elements !== itemBytes) ||
      (id === 'delta' && isOtherType(configuration?.astype, configuration?.dtype)) ||
      (dtype in STAND_INS && /^(delta|bitround|scale_offset|cast_value|fixedscaleoffset)$/.test(id));
    if (isUnsupported) throw unsupported(where, `codec ${showJson({ name, configuration })} on data type "${dtype}"`);
  }
}

/** Whether a delta filter stores differences in another type than that of the numbers. */
function isOtherType(astype: unknown, dtype: unknown): boolean {
  return astype !== undefined && astype !== null && astype !== dtype;
}
