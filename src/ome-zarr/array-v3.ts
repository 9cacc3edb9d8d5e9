import * as v from 'valibot';
import { ITEM_BYTES, type NumberType } from '../codecs/number-type.ts';
import { showJson } from '../json.ts';
import { formatZyx } from '../space/zyx.ts';
import type { StoreKey } from '../storage/store.ts';
import { type ArrayDescription, chunkExtents, extents, fillNumber, STAND_INS } from './array-description.ts';
import { invalid, parseMetadata, unsupported } from './parse.ts';

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

/** Checks and prepares the metadata of a Zarr v3 array, `zarr.json`; a sharded one as an array of its inner chunks. */
export function describeV3(json: unknown, where: string): ArrayDescription {
  const meta = parseMetadata(arrayV3, json, where);
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
  const shards = sharding && {
    inner: gridShape.map((extent, i) => extent / chunkShape[i]!),
    isIndexAtStart: sharding.index_location === 'start',
    hasChecksum: sharding.index_codecs.length > 1,
    // Incompressible chunks grow, by no more than this with any codec.
    maxChunkBytes: 2 * chunkShape.reduce((product, extent) => product * extent, itemBytes) + 65536,
    keyOf,
  };
  const fillValue = fillNumber(meta.fill_value, dtype, where);
  return { zarrFormat: 3, shape: meta.shape, chunkShape, shards, keyOf, dtype, itemBytes, fillValue, document };
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

/** Refuses codecs that zarrita would take for something else without a word. */
function checkCodecs(codecs: readonly CodecV3[], { dtype, itemBytes, rank, where }: CodecContext): void {
  const transposes = codecs.filter(({ name }) => name === 'transpose');
  if (transposes.length > 1) throw unsupported(where, 'more than one "transpose" codec');
  const order = transposes[0]?.configuration?.order;
  if (transposes.length > 0 && order !== 'C' && order !== 'F') {
    const axes = Array.isArray(order) ? [...order].sort((a, b) => a - b) : [];
    if (axes.length !== rank || axes.some((axis, i) => axis !== i)) {
      throw invalid(where, `transpose order ${showJson(order)} is no permutation of ${rank} axes`);
    }
  }
  for (const { name, configuration } of codecs) {
    const id = name.replace(/^numcodecs\./, '');
    const elements = configuration?.elementsize;
    const isOdd =
      (id === 'shuffle' && elements !== undefined && elements !== itemBytes) ||
      (id === 'delta' && isOtherType(configuration?.astype, configuration?.dtype)) ||
      (dtype in STAND_INS && /^(delta|bitround|scale_offset|cast_value|fixedscaleoffset)$/.test(id));
    if (isOdd) throw unsupported(where, `codec ${showJson({ name, configuration })} on data type "${dtype}"`);
  }
}

/** Whether differences are kept in another type than that of the numbers. */
function isOtherType(astype: unknown, dtype: unknown): boolean {
  return astype !== undefined && astype !== null && astype !== dtype;
}
