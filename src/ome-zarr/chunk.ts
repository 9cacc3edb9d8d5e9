import { type Compression, type Config, compressionOf } from '../codecs/decode.ts';
import type { ArrayDescription } from './array-metadata.ts';

/** The possible types of a decoded chunk. */
export type ChunkData =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

/**
 * A decoded chunk in the type of the array (float16 as float32, bool as 0 and 1). It has the full chunk shape, or at the end of
 * the array the shape of the part inside.
 */
export interface DecodedChunk {
  readonly data: ChunkData;
  /** In elements, in the order of the array's dimensions. */
  readonly stride: readonly number[];
}

type ChunkDataConstructor = new (memory: number | ArrayBufferLike, offset?: number, length?: number) => ChunkData;

/** The shape of the part of a chunk that lies inside its array. */
export function extentsInside(
  at: readonly number[],
  { shape, chunkShape }: { readonly shape: readonly number[]; readonly chunkShape: readonly number[] },
): number[] {
  return shape.map((extent, axis) => Math.min(chunkShape[axis]!, extent - at[axis]! * chunkShape[axis]!));
}

/** Maximum part of a chunk outside the array that is kept, since cropping takes a copy. */
export const MAX_PADDING_FRACTION: number = 0.25;

/**
 * Copies the first `extents` values of a chunk along each dimension, in the chunk's own memory order. So a 4×4×4 array in a chunk
 * of 256³ takes 256 bytes, not 64 MiB.
 *
 * @param into - Memory for the copy, used if it has the right length.
 */
export function cropChunk(
  { data, stride }: DecodedChunk,
  extents: readonly number[],
  into?: Uint8Array | undefined,
): DecodedChunk {
  const axes = extents.map((_, axis) => axis).sort((a, b) => stride[b]! - stride[a]!);
  const outer = [...axes];
  // Axes that are copied whole form one run with the next outer axis.
  let run = 1;
  while (outer.length > 0 && stride[outer.at(-1)!]! === run) run *= extents[outer.pop()!]!;
  const length = extents.reduce((product, extent) => product * extent, 1);
  const Data = data.constructor as ChunkDataConstructor;
  const isFit = into?.byteLength === length * data.BYTES_PER_ELEMENT;
  const out = isFit ? new Data(into.buffer, into.byteOffset, length) : new Data(length);
  const index = outer.map(() => 0);
  for (let to = 0; to < length; to += run) {
    const from = outer.reduce((sum, axis, i) => sum + index[i]! * stride[axis]!, 0);
    (out as Uint8Array).set((data as Uint8Array).subarray(from, from + run), to);
    for (let i = outer.length - 1; i >= 0; i--) {
      index[i]!++;
      if (index[i]! < extents[outer[i]!]!) break;
      index[i] = 0;
    }
  }
  return { data: out, stride: packedStride(axes, extents) };
}

function packedStride(axes: readonly number[], extents: readonly number[]): number[] {
  const stride = extents.map(() => 1);
  for (let i = axes.length - 2; i >= 0; i--) stride[axes[i]!] = stride[axes[i + 1]!]! * extents[axes[i + 1]!]!;
  return stride;
}

/** The strides, in elements, of an array in C order. */
export function contiguousStrides(shape: readonly number[]): number[] {
  return packedStride(
    shape.map((_, axis) => axis),
    shape,
  );
}

/**
 * Returns how the chunks of an array are compressed, if they are plain numbers in C order, little-endian, with a single codec that
 * this library decodes itself; `undefined` for all other arrays, which zarrita decodes.
 */
export function singleBytesCodec(description: ArrayDescription): Compression | undefined {
  const { zarrFormat, document, dtype, chunkShape: shape } = description;
  const codec = zarrFormat === 2 ? singleCodecV2(document) : singleCodecV3(document, description.itemBytes);
  const name = codec?.name.replace(/^numcodecs\./, '');
  if (!codec || (name !== 'blosc' && name !== 'lz4' && name !== 'zstd')) return undefined;
  const how = compressionOf(name, codec.configuration, { dataType: dtype, shape, codecs: [codec] });
  const needsNumcodecs = how.codec === 'blosc' && (how.format === 'blosclz' || how.format === 'snappy');
  return needsNumcodecs ? undefined : how;
}

interface Codec {
  readonly name: string;
  readonly configuration?: Config;
}

function singleCodecV2(document: ArrayDescription['document']): Codec | undefined {
  const { compressor, filters, order, dtype } = document as {
    readonly compressor: (Config & { readonly id: string }) | null;
    readonly filters: readonly unknown[] | null;
    readonly order: string;
    readonly dtype: string;
  };
  const isPlain = order === 'C' && !dtype.startsWith('>') && !filters?.length;
  return isPlain && compressor ? { name: compressor.id, configuration: compressor } : undefined;
}

function singleCodecV3({ codecs }: ArrayDescription['document'], itemBytes: number): Codec | undefined {
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

/** Views decoded bytes as numbers, C-order of this shape; float16 and bool as their bits. */
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
