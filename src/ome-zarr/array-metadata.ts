import * as v from 'valibot';
import { MAX_CHUNK_BYTES } from '../codecs/registry.ts';
import { CryoetPicksError } from '../errors.ts';
import { formatZyx } from '../space/zyx.ts';
import type { StoreKey } from '../storage/store.ts';
import type { ShardLayout } from './shards.ts';

/** The types of numbers that are read. */
export type NumberType =
  | 'bool'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'float16'
  | 'float32'
  | 'float64';

/** What the metadata of a Zarr array say, checked, and the document to hand to zarrita. */
export interface ArrayDescription {
  readonly zarrFormat: 2 | 3;
  readonly shape: readonly number[];
  /** Shape of what is decoded at once: a chunk, or an inner chunk of a shard. */
  readonly chunkShape: readonly number[];
  /** Absent where the array is not sharded. */
  readonly shards?: ShardLayout | undefined;
  readonly dtype: NumberType;
  readonly itemBytes: number;
  readonly fillValue: number;
  readonly document: Readonly<Record<string, unknown>>;
}

const ITEM_BYTES: Readonly<Record<NumberType, number>> = {
  bool: 1,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  float16: 2,
  float32: 4,
  float64: 8,
};

/**
 * What zarrita is told instead: types it represents awkwardly, or not at all in Node 20, are read as their bytes and
 * converted by us.
 */
const STAND_INS: Readonly<Partial<Record<NumberType, NumberType>>> = { bool: 'uint8', float16: 'uint16' };

const extents = v.array(v.pipe(v.number(), v.safeInteger(), v.minValue(0)));
const chunkExtents = v.array(v.pipe(v.number(), v.safeInteger(), v.minValue(1)));
const codecV2 = v.looseObject({ id: v.string() });
const codecV3 = v.union([
  v.looseObject({ name: v.string(), configuration: v.optional(v.record(v.string(), v.unknown())) }),
  v.pipe(
    v.string(),
    v.transform((name) => ({ name, configuration: undefined })),
  ),
]);

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

/**
 * Checks the metadata of a Zarr array and prepares them for zarrita. Sizes are checked here, before anything of that size
 * is allocated.
 *
 * @param where - Names the array in messages.
 * @throws {@link CryoetPicksError} `invalid-metadata`, or `unsupported` for what is valid and not handled.
 */
export function describeArray(json: unknown, zarrFormat: 2 | 3, where: string): ArrayDescription {
  const described = zarrFormat === 2 ? describeV2(json, where) : describeV3(json, where);
  const { shape, chunkShape, itemBytes } = described;
  if (shape.length === 0 || shape.length !== chunkShape.length) {
    throw invalid(
      where,
      `shape ${formatZyx(shape)} and chunk shape ${formatZyx(chunkShape)} have different ranks, or rank 0`,
    );
  }
  const voxels = shape.reduce((a, b) => a * b, 1);
  if (!Number.isSafeInteger(voxels)) throw unsupported(where, `a shape of ${formatZyx(shape)}`);
  const chunkBytes = chunkShape.reduce((a, b) => a * b, itemBytes);
  if (chunkBytes > MAX_CHUNK_BYTES) {
    const sizes = `${formatZyx(chunkShape)} ${described.dtype} = ${chunkBytes} bytes; at most ${MAX_CHUNK_BYTES}`;
    throw unsupported(where, `a chunk of ${sizes} bytes are decoded at once`);
  }
  return described;
}

/** Parses by a schema. @throws {@link CryoetPicksError} `invalid-metadata` naming the place of the first issue. */
export function parseMetadata<S extends v.GenericSchema>(schema: S, json: unknown, where: string): v.InferOutput<S> {
  const parsed = v.safeParse(schema, json);
  if (parsed.success) return parsed.output;
  const issue = parsed.issues[0];
  const path = v.getDotPath(issue);
  throw invalid(where, `${path === null ? '' : `"${path}": `}${issue.message}`);
}

function describeV2(json: unknown, where: string): ArrayDescription {
  const meta = parseMetadata(arrayV2, json, where);
  const { dtype, endian } = typeV2(meta.dtype, where);
  const itemBytes = ITEM_BYTES[dtype];
  const isStandIn = dtype in STAND_INS;
  for (const filter of meta.filters ?? [])
    checkFilter(filter, { dtype: String(meta.dtype), itemBytes, isStandIn, where });
  const fillValue = numberOf(meta.fill_value, dtype, where);
  const document = {
    ...meta,
    dtype: isStandIn ? `${endian}u${itemBytes}` : meta.dtype,
    dimension_separator: meta.dimension_separator ?? '.',
    filters: meta.filters ?? null,
    compressor: meta.compressor ?? null,
    fill_value: 0,
  };
  return { zarrFormat: 2, shape: meta.shape, chunkShape: meta.chunks, dtype, itemBytes, fillValue, document };
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
  if (!match || !dtype) throw unsupported(where, `data type ${JSON.stringify(value)}; numbers and booleans are`);
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
  if (isOdd) throw unsupported(where, `filter ${JSON.stringify(filter)} on data type "${dtype}"`);
}

function describeV3(json: unknown, where: string): ArrayDescription {
  const meta = parseMetadata(arrayV3, json, where);
  const dtype = meta.data_type as NumberType;
  const itemBytes = typeof dtype === 'string' ? ITEM_BYTES[dtype] : undefined;
  if (itemBytes === undefined) {
    throw unsupported(where, `data type ${JSON.stringify(meta.data_type)}; numbers and booleans are`);
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
  const shards = sharding && {
    inner: gridShape.map((extent, i) => extent / chunkShape[i]!),
    isIndexAtStart: sharding.index_location === 'start',
    hasChecksum: sharding.index_codecs.length > 1,
    // Incompressible chunks grow, by no more than this with any codec.
    maxChunkBytes: 2 * chunkShape.reduce((product, extent) => product * extent, itemBytes) + 65536,
    keyOf: keyEncoder(meta.chunk_key_encoding),
  };
  const fillValue = numberOf(meta.fill_value, dtype, where);
  return { zarrFormat: 3, shape: meta.shape, chunkShape, shards, dtype, itemBytes, fillValue, document };
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
  if (!/^bytes(,crc32c)?$/.test(index)) throw unsupported(where, `shard index codecs "${index}"`);
  const indexBytes = shard.reduce((product, extent, i) => product * (extent / chunk[i]!), 16);
  if (indexBytes > 2 ** 28) throw unsupported(where, `a shard index of ${indexBytes} bytes`);
  return shards;
}

interface CodecContext {
  readonly dtype: NumberType;
  readonly itemBytes: number;
  readonly rank: number;
  readonly where: string;
}

/** Refuses codecs that zarrita would take for something else without a word. */
function checkCodecs(codecs: readonly CodecV3[], { dtype, itemBytes, rank, where }: CodecContext): void {
  const transposes = codecs.filter(({ name }) => name === 'transpose');
  if (transposes.length > 1) throw unsupported(where, 'more than one "transpose" codec');
  const order = transposes[0]?.configuration?.order;
  if (transposes.length > 0 && order !== 'C' && order !== 'F') {
    const axes = Array.isArray(order) ? [...order].sort((a, b) => a - b) : [];
    if (axes.length !== rank || axes.some((axis, i) => axis !== i)) {
      throw invalid(where, `transpose order ${JSON.stringify(order)} is no permutation of ${rank} axes`);
    }
  }
  for (const { name, configuration } of codecs) {
    const id = name.replace(/^numcodecs\./, '');
    const elements = configuration?.elementsize;
    const isOdd =
      (id === 'shuffle' && elements !== undefined && elements !== itemBytes) ||
      (dtype in STAND_INS && /^(delta|bitround|scale_offset|cast_value|fixedscaleoffset)$/.test(id));
    if (isOdd) throw unsupported(where, `codec ${JSON.stringify({ name, configuration })} on data type "${dtype}"`);
  }
}

/** The fill value as a number; nothing stands for 0. */
function numberOf(value: unknown, dtype: NumberType, where: string): number {
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
  throw invalid(where, `fill value ${JSON.stringify(value)} is no ${dtype}`);
}

/** The number that the 16 bits of an IEEE 754 half stand for. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function invalid(where: string, what: string): CryoetPicksError {
  return new CryoetPicksError('invalid-metadata', `cannot understand the metadata of ${where}: ${what}`);
}

function unsupported(where: string, what: string): CryoetPicksError {
  return new CryoetPicksError('unsupported', `cannot read ${where}: ${what} not supported`);
}
