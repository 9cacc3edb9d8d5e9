import { type Config, compressionOf } from '../codecs/compression.ts';
import type { Compression } from '../codecs/decode.ts';
import type { ChunkData, DecodedChunk } from './array.ts';
import type { ArrayDescription } from './array-description.ts';
import { contiguousStrides } from './crop.ts';

/**
 * How the chunks of an array are compressed, where nothing else is done to them: numbers in C order, little-endian, and one
 * codec of those that this library decodes itself. Nothing for all other arrays, which are left to zarrita.
 */
export function soleCompression(description: ArrayDescription): Compression | undefined {
  const { zarrFormat, document, dtype, chunkShape: shape } = description;
  const codec = zarrFormat === 2 ? soleCodecV2(document) : soleCodecV3(document, description.itemBytes);
  const name = codec?.name.replace(/^numcodecs\./, '');
  if (!codec || (name !== 'blosc' && name !== 'lz4' && name !== 'zstd')) return undefined;
  const how = compressionOf(name, codec.configuration, { dataType: dtype, shape, codecs: [codec] });
  // Only numcodecs.js decodes these.
  const isForeign = how.codec === 'blosc' && (how.format === 'blosclz' || how.format === 'snappy');
  return isForeign ? undefined : how;
}

interface Codec {
  readonly name: string;
  readonly configuration?: Config;
}

function soleCodecV2(document: ArrayDescription['document']): Codec | undefined {
  const { compressor, filters, order, dtype } = document as {
    readonly compressor: (Config & { readonly id: string }) | null;
    readonly filters: readonly unknown[] | null;
    readonly order: string;
    readonly dtype: string;
  };
  const isPlain = order === 'C' && !dtype.startsWith('>') && !filters?.length;
  return isPlain && compressor ? { name: compressor.id, configuration: compressor } : undefined;
}

function soleCodecV3({ codecs }: ArrayDescription['document'], itemBytes: number): Codec | undefined {
  const [bytes, codec, ...others] = codecs as readonly Codec[];
  const isPlain = bytes?.name === 'bytes' && (itemBytes === 1 || bytes.configuration?.endian === 'little');
  return isPlain && others.length === 0 ? codec : undefined;
}

const DATA = {
  bool: Uint8Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  float16: Uint16Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

/** Decoded bytes as the numbers they are, C-order of this shape; float16 and bool as their bits. */
export function numbersOf(
  bytes: Uint8Array,
  { dtype, itemBytes }: ArrayDescription,
  shape: readonly number[],
): DecodedChunk {
  const aligned = bytes.byteOffset % itemBytes === 0 ? bytes : bytes.slice();
  const data: ChunkData = new DATA[dtype](
    aligned.buffer as ArrayBuffer,
    aligned.byteOffset,
    aligned.length / itemBytes,
  );
  return { data, stride: contiguousStrides(shape) };
}
