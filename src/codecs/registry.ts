import { registry } from 'zarrita';
import { CryoetPicksError, isCryoetPicksError } from '../errors.ts';
import { decodeBlosc } from './blosc.ts';
import type { BloscFormat, BloscPromise, BloscShuffle } from './blosc-header.ts';
import { CHECKSUM_BYTES, type ChecksumName, withoutChecksum } from './checksum.ts';
import { inflate } from './inflate.ts';
import { decodeLz4Into } from './lz4.ts';
import { ITEM_BYTES, type NumberType } from './number-type.ts';
import { keepOriginals, originalCodec, refuseIfEvaluating } from './original-codecs.ts';

/** The largest chunk this library decodes, in bytes. */
export const MAX_CHUNK_BYTES: number = 2 ** 31;

/** What zarrita tells a codec about the chunks it will decode. */
interface ChunkMeta {
  readonly dataType: string;
  readonly shape: readonly number[];
  readonly codecs: readonly { readonly name: string; readonly configuration?: unknown }[];
}

type Config = Readonly<Record<string, unknown>> | undefined;
type Decode = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;
type Loader = NonNullable<ReturnType<typeof registry.get>>;

/**
 * Puts codecs that check what they decode into zarrita's registry: blosc, lz4, zstd, gzip, zlib, crc32c, crc32,
 * adler32, under the names of Zarr v2 and v3. Every further call does nothing.
 *
 * The registry belongs to the whole page or process, so this is a call and not a side effect of an import; opening a
 * tomogram makes it. Damaged bytes give `corrupt-data` instead of garbage.
 */
export function registerCheckedCodecs(): void {
  if (!keepOriginals()) return;
  const codecs: Record<string, (config: Config, meta: ChunkMeta) => Decode> = {
    blosc: bloscDecoder,
    lz4: (config, meta) => (bytes) => decodeLz4(bytes, expectedBytes(config, meta)),
    zstd: (config, meta) => (bytes) => decodeZstd(bytes, expectedBytes(config, meta)),
    gzip: (config, meta) => (bytes) => inflate(bytes, { format: 'gzip', ...sizeOf(config, meta) }),
    zlib: (config, meta) => (bytes) => inflate(bytes, { format: 'deflate', ...sizeOf(config, meta) }),
    crc32c: (config) => checksumDecoder('crc32c', config),
    crc32: (config) => checksumDecoder('crc32', config),
    adler32: (config) => checksumDecoder('adler32', config),
  };
  for (const [name, decoder] of Object.entries(codecs)) {
    const loader = () => ({ fromConfig: (config: Config, meta: ChunkMeta) => codec(name, decoder(config, meta)) });
    for (const id of [name, `numcodecs.${name}`]) registry.set(id, loader as unknown as Loader);
  }
}

/** The codecs of a Zarr array's metadata, of either version, that nobody has registered. zarrita lets all but the first go unhandled. */
export function unknownCodecs(document: Readonly<Record<string, unknown>>): string[] {
  const { codecs, compressor, filters } = document as { [key: string]: unknown };
  const v3 = (Array.isArray(codecs) ? codecs : []).map(({ name }: { readonly name: string }) => name);
  const v2 = [compressor, ...(Array.isArray(filters) ? filters : [])]
    .filter((one) => one !== undefined && one !== null)
    .map(({ id }: { readonly id: string }) => `numcodecs.${id}`)
    // zarrita puts two codecs of Zarr v3 in its place.
    .filter((name) => name !== 'numcodecs.fixedscaleoffset');
  return [...v3, ...v2].filter((name) => !registry.has(name));
}

function codec(name: string, decode: Decode) {
  return {
    kind: 'bytes_to_bytes',
    decode,
    encode() {
      throw new CryoetPicksError('unsupported', `encoding with "${name}" through zarrita is not supported`);
    },
    // A shard index is fixed in size; checksums are the only ones of these codecs that keep it so.
    ...(CHECKSUM.test(name) ? { computeEncodedSize: (size: number) => size + CHECKSUM_BYTES } : {}),
  };
}

const CHECKSUM = /^(numcodecs\.)?(crc32c?|adler32)$/;

/** That of Zarr, and of numcodecs where it does not say, stands at the end for crc32c, at the start for the others. */
function checksumDecoder(name: ChecksumName, config: Config): Decode {
  const place = config?.location ?? (name === 'crc32c' ? 'end' : 'start');
  return (bytes) => withoutChecksum(bytes, { name, isAtStart: place === 'start' });
}

/** How many bytes the codec of this configuration decodes to, where the codecs before it do not hide it. */
function expectedBytes(config: Config, { dataType, shape, codecs }: ChunkMeta): number | undefined {
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

function sizeOf(config: Config, meta: ChunkMeta): { expectedBytes: number | undefined; maxBytes: number } {
  return { expectedBytes: expectedBytes(config, meta), maxBytes: MAX_CHUNK_BYTES };
}

function bloscDecoder(config: Config, meta: ChunkMeta): Decode {
  const item = ITEM_BYTES[meta.dataType as NumberType] as number | undefined;
  const typeSize = config?.typesize;
  const promise: BloscPromise = {
    decodedBytes: expectedBytes(config, meta),
    maxBytes: MAX_CHUNK_BYTES,
    shuffle: promisedShuffle(config?.shuffle),
    format: promisedFormat(config?.cname),
    // Writers that do not know the element size say 1, where a shuffle changes nothing.
    typeSizes: item === undefined ? undefined : [item, 1, ...(typeof typeSize === 'number' ? [typeSize] : [])],
  };
  return (bytes) =>
    decodeBlosc(bytes, promise, {
      streams: { zstd: decodeZstd, zlib: (part, size) => inflate(part, { format: 'deflate', expectedBytes: size }) },
      whole: (whole) => decodeOriginally('blosc', whole),
    });
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

/** Decodes numcodecs' lz4: the decoded size as little-endian int32, then one LZ4 block. */
function decodeLz4(bytes: Uint8Array, expected: number | undefined): Uint8Array {
  if (bytes.length < 4)
    throw new CryoetPicksError('corrupt-data', `its ${bytes.length} bytes are too few for an lz4 header of 4`);
  const size = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  // An LZ4 byte stands for at most 255 decoded bytes.
  if ((expected !== undefined && size !== expected) || size > 255 * bytes.length) {
    const wanted = expected === undefined ? '' : `, expected ${expected}`;
    throw new CryoetPicksError('corrupt-data', `its lz4 header promises ${size} decoded bytes${wanted}`);
  }
  const out = new Uint8Array(size);
  if (!decodeLz4Into(bytes, 4, bytes.length, out, 0, size)) {
    throw new CryoetPicksError('corrupt-data', `its lz4 block does not decode to ${size} bytes`);
  }
  return out;
}

async function decodeZstd(bytes: Uint8Array, expected: number | undefined): Promise<Uint8Array> {
  const promised = zstdContentBytes(bytes);
  const limit = expected ?? MAX_CHUNK_BYTES;
  if (promised !== undefined && (expected === undefined ? promised > limit : promised !== expected)) {
    throw new CryoetPicksError('corrupt-data', `its zstd frame promises ${promised} decoded bytes, expected ${limit}`);
  }
  const out = await decodeOriginally('zstd', bytes);
  if (expected !== undefined && out.length !== expected) {
    throw new CryoetPicksError('corrupt-data', `its zstd frame decodes to ${out.length} bytes, expected ${expected}`);
  }
  return out;
}

/** The decoded size in the header of a zstd frame, where it has one. Source: RFC 8878 §3.1.1. */
function zstdContentBytes(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 6 || view.getUint32(0, true) !== 0xfd2fb528) {
    throw new CryoetPicksError('corrupt-data', `its ${bytes.length} bytes do not start as a zstd frame`);
  }
  const descriptor = bytes[4]!;
  const isSingle = (descriptor & 0x20) !== 0;
  const at = 5 + (isSingle ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!;
  const width = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  if (width === 0 || at + width > bytes.length) return undefined;
  if (width === 1) return bytes[at]!;
  if (width === 2) return view.getUint16(at, true) + 256;
  return width === 4 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
}

async function decodeOriginally(name: 'blosc' | 'zstd', bytes: Uint8Array): Promise<Uint8Array> {
  const codec = await originalCodec(name, {});
  try {
    return await codec.decode(bytes);
  } catch (cause) {
    if (isCryoetPicksError(cause)) throw cause;
    refuseIfEvaluating(cause, `decoding ${name}`);
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CryoetPicksError('corrupt-data', `its ${name} data do not decode: ${reason}`, { cause });
  }
}
