import { CryoetPicksError } from '../core/errors.ts';
import { type BloscFormat, type BloscPromise, type BloscShuffle, type BloscWanted, decodeBlosc } from './blosc.ts';
import { CHECKSUM_BYTES } from './checksum.ts';
import { inflate } from './inflate.ts';
import { decodeLz4Into } from './lz4.ts';
import { ITEM_BYTES, type NumberType } from './number-type.ts';
import { checkZstdFrame, zstdDecoder } from './zstd.ts';

/** Maximum decoded bytes of a chunk. */
export const MAX_CHUNK_BYTES: number = 2 ** 31;

/** How a chunk is compressed, and what its array says about the result; plain data that can be sent to a thread. */
export type Compression =
  | ({ readonly codec: 'blosc' } & BloscPromise)
  | { readonly codec: 'lz4' | 'zstd'; readonly decodedBytes?: number | undefined };

/** Decoders of numcodecs.js, which check nothing, for formats that this library does not decode itself. */
export interface Fallbacks {
  readonly blosc: (bytes: Uint8Array) => Promise<Uint8Array>;
  readonly zstd: (bytes: Uint8Array) => Promise<Uint8Array>;
}

/**
 * Decodes the bytes of a chunk, and checks every length on the way.
 *
 * @param fallbacks - A parameter, since decode threads have none.
 * @param wanted - Followed where it saves work; the result may be longer than `wantedBytes`.
 * @throws {@link CryoetPicksError} `corrupt-data`, or what a fallback throws.
 */
export async function decode(
  bytes: Uint8Array,
  how: Compression,
  fallbacks: Fallbacks,
  wanted: BloscWanted = {},
): Promise<Uint8Array> {
  if (how.codec === 'lz4') return decodeLz4(bytes, how.decodedBytes, wanted);
  const zstd = (stream: Uint8Array, size?: number) => decodeZstd(stream, size, fallbacks);
  if (how.codec === 'zstd') return zstd(bytes, how.decodedBytes);
  const zlib = (part: Uint8Array, size: number) => inflate(part, { format: 'deflate', expectedBytes: size });
  return decodeBlosc(bytes, how, { streams: { zstd, zlib }, whole: fallbacks.blosc }, wanted);
}

/** Decodes numcodecs' lz4: the decoded size as little-endian int32, then one LZ4 block. */
function decodeLz4(
  bytes: Uint8Array,
  expected: number | undefined,
  { allocate = (length) => new Uint8Array(length) }: BloscWanted,
): Uint8Array {
  if (bytes.length < 4)
    throw new CryoetPicksError('corrupt-data', `its ${bytes.length} bytes are too few for an lz4 header of 4`);
  const size = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  // One LZ4 byte decodes to at most 255 bytes.
  if ((expected !== undefined && size !== expected) || size > 255 * bytes.length) {
    const wanted = expected === undefined ? '' : `, expected ${expected}`;
    throw new CryoetPicksError('corrupt-data', `its lz4 header promises ${size} decoded bytes${wanted}`);
  }
  const out = allocate(size).subarray(0, size);
  if (!decodeLz4Into(bytes, 4, bytes.length, out, 0, size)) {
    throw new CryoetPicksError('corrupt-data', `its lz4 block does not decode to ${size} bytes`);
  }
  return out;
}

/** Maximum bytes that are allocated in one piece in a WebAssembly module. */
const MAX_ZSTD_BYTES = 2 ** 30;

async function decodeZstd(bytes: Uint8Array, expected: number | undefined, fallbacks: Fallbacks): Promise<Uint8Array> {
  const size = checkZstdFrame(bytes, { expectedBytes: expected, maxBytes: MAX_CHUNK_BYTES });
  const decoder = size !== undefined && size <= MAX_ZSTD_BYTES ? await zstdDecoder() : undefined;
  if (decoder && size !== undefined) return decoder(bytes, size);
  const out = await fallbacks.zstd(bytes);
  if (size !== undefined && out.length !== size) {
    throw new CryoetPicksError('corrupt-data', `its zstd frame decodes to ${out.length} bytes, expected ${size}`);
  }
  return out;
}

/** What zarrita passes to a codec about the chunks of its array. */
export interface ChunkMeta {
  readonly dataType: string;
  readonly shape: readonly number[];
  readonly codecs: readonly { readonly name: string; readonly configuration?: unknown }[];
}

/** The configuration of a codec in the metadata of an array. */
export type Config = Readonly<Record<string, unknown>> | undefined;

/** Matches the names of codecs that add a checksum. */
export const CHECKSUM: RegExp = /^(numcodecs\.)?(crc32c?|adler32)$/;

/** Derives how bytes are compressed from the configuration of a codec and its array. */
export function compressionOf(codec: Compression['codec'], config: Config, meta: ChunkMeta): Compression {
  const decodedBytes = expectedBytes(config, meta);
  if (codec !== 'blosc') return { codec, decodedBytes };
  const item = ITEM_BYTES[meta.dataType as NumberType] as number | undefined;
  const typeSize = config?.typesize;
  return {
    codec,
    decodedBytes,
    maxBytes: MAX_CHUNK_BYTES,
    shuffle: shuffleOf(config?.shuffle),
    format: formatOf(config?.cname),
    // Writers that do not know the element size write 1, with which a shuffle changes nothing.
    typeSizes: item === undefined ? undefined : [item, 1, ...(typeof typeSize === 'number' ? [typeSize] : [])],
  };
}

/** The number of bytes that a codec decodes to; `undefined` if a codec before it changes the length. */
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

function shuffleOf(value: unknown): BloscShuffle | undefined {
  if (value === 0 || value === 'noshuffle') return 'none';
  if (value === 1 || value === 'shuffle') return 'bytes';
  return value === 2 || value === 'bitshuffle' ? 'bits' : undefined;
}

function formatOf(value: unknown): BloscFormat | undefined {
  if (value === 'lz4hc') return 'lz4';
  return ['blosclz', 'lz4', 'snappy', 'zlib', 'zstd'].includes(value as string) ? (value as BloscFormat) : undefined;
}
