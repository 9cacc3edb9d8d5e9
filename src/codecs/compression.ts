import type { BloscFormat, BloscShuffle } from './blosc-header.ts';
import { CHECKSUM_BYTES } from './checksum.ts';
import { type Compression, MAX_CHUNK_BYTES } from './decode.ts';
import { ITEM_BYTES, type NumberType } from './number-type.ts';

/** What a codec is told about the chunks it will decode. */
export interface ChunkMeta {
  readonly dataType: string;
  readonly shape: readonly number[];
  readonly codecs: readonly { readonly name: string; readonly configuration?: unknown }[];
}

/** The configuration of a codec in the metadata of an array. */
export type Config = Readonly<Record<string, unknown>> | undefined;

/** Names of the codecs that add a checksum. */
export const CHECKSUM: RegExp = /^(numcodecs\.)?(crc32c?|adler32)$/;

/** What a codec's configuration and its array promise of compressed bytes. */
export function compressionOf(codec: Compression['codec'], config: Config, meta: ChunkMeta): Compression {
  const decodedBytes = expectedBytes(config, meta);
  if (codec !== 'blosc') return { codec, decodedBytes };
  const item = ITEM_BYTES[meta.dataType as NumberType] as number | undefined;
  const typeSize = config?.typesize;
  return {
    codec,
    decodedBytes,
    maxBytes: MAX_CHUNK_BYTES,
    shuffle: promisedShuffle(config?.shuffle),
    format: promisedFormat(config?.cname),
    // Writers that do not know the element size say 1, where a shuffle changes nothing.
    typeSizes: item === undefined ? undefined : [item, 1, ...(typeof typeSize === 'number' ? [typeSize] : [])],
  };
}

/** How many bytes the codec of this configuration decodes to, where the codecs before it do not hide it. */
export function expectedBytes(config: Config, { dataType, shape, codecs }: ChunkMeta): number | undefined {
  const item = ITEM_BYTES[dataType as NumberType] as number | undefined;
  if (item === undefined) return undefined;
  let bytes = shape.reduce((product, n) => product * n, item);
  for (const { name, configuration } of codecs) {
    if (configuration === config) return bytes;
    if (CHECKSUM.test(name)) bytes += CHECKSUM_BYTES;
    else if (/^(numcodecs\.)?(blosc|lz4|zstd|gzip|zlib|vlen-utf8|json2)$/.test(name)) return undefined;
  }
  return bytes;
}

function promisedShuffle(value: unknown): BloscShuffle | undefined {
  if (value === 0 || value === 'noshuffle') return 'none';
  if (value === 1 || value === 'shuffle') return 'bytes';
  return value === 2 || value === 'bitshuffle' ? 'bits' : undefined;
}

function promisedFormat(value: unknown): BloscFormat | undefined {
  if (value === 'lz4hc') return 'lz4';
  return ['blosclz', 'lz4', 'snappy', 'zlib', 'zstd'].includes(value as string) ? (value as BloscFormat) : undefined;
}
