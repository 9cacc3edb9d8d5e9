import { registry } from 'zarrita';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { CHECKSUM_BYTES, type ChecksumName, withoutChecksum } from './checksum.ts';
import {
  CHECKSUM,
  type ChunkMeta,
  type Compression,
  type Config,
  compressionOf,
  decode,
  expectedBytes,
  type Fallbacks,
  MAX_CHUNK_BYTES,
} from './decode.ts';
import { inflate } from './inflate.ts';

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
    blosc: (config, meta) => decoderOf(compressionOf('blosc', config, meta)),
    lz4: (config, meta) => decoderOf(compressionOf('lz4', config, meta)),
    zstd: (config, meta) => decoderOf(compressionOf('zstd', config, meta)),
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

/** That of Zarr, and of numcodecs where it does not say, stands at the end for crc32c, at the start for the others. */
function checksumDecoder(name: ChecksumName, config: Config): Decode {
  const place = config?.location ?? (name === 'crc32c' ? 'end' : 'start');
  return (bytes) => withoutChecksum(bytes, { name, isAtStart: place === 'start' });
}

function sizeOf(config: Config, meta: ChunkMeta): { expectedBytes: number | undefined; maxBytes: number } {
  return { expectedBytes: expectedBytes(config, meta), maxBytes: MAX_CHUNK_BYTES };
}

function decoderOf(how: Compression): Decode {
  return (bytes) => decode(bytes, how, originalDecoders);
}

/** The decoders that zarrita came with. */
export const originalDecoders: Fallbacks = {
  blosc: (bytes) => decodeOriginally('blosc', bytes),
  zstd: (bytes) => decodeOriginally('zstd', bytes),
};

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

type CodecLoader = NonNullable<ReturnType<typeof registry.get>>;

/** The loaders that zarrita came with; they compile code and so are called only when a chunk needs them. */
const originals = new Map<string, CodecLoader>();

/** A codec that checks nothing. */
interface OriginalCodec {
  encode(bytes: Uint8Array): Promise<Uint8Array>;
  decode(bytes: Uint8Array): Promise<Uint8Array>;
}

/** Keeps the codecs of zarrita that are about to be replaced in its registry; false if that has been done. */
function keepOriginals(): boolean {
  if (originals.size > 0) return false;
  for (const name of ['blosc', 'zstd'] as const) originals.set(name, registry.get(name)!);
  return true;
}

/** One of the kept codecs. */
async function originalCodec(name: 'blosc' | 'zstd', config: object): Promise<OriginalCodec> {
  const loaded = (await originals.get(name)!()) as unknown as { fromConfig(config: object): OriginalCodec };
  return loaded.fromConfig(config);
}

/** @throws {@link CryoetPicksError} `unsupported` if what went wrong is that no code may be compiled. */
function refuseIfEvaluating(cause: unknown, what: string): void {
  if (!(cause instanceof EvalError)) return;
  throw new CryoetPicksError(
    'unsupported',
    `${what} needs "unsafe-eval", which the Content-Security-Policy of this page refuses`,
    { cause },
  );
}

/**
 * Encodes bytes as a zstd frame, by the encoder of numcodecs.js, which zarrita brings along.
 *
 * @throws {@link CryoetPicksError} `unsupported` where a page's Content-Security-Policy keeps the encoder from starting, and
 * for bytes that it cannot encode.
 */
export async function encodeZstd(bytes: Uint8Array, level: number): Promise<Uint8Array> {
  registerCheckedCodecs();
  const codec = await originalCodec('zstd', { level });
  try {
    return await codec.encode(bytes);
  } catch (cause) {
    refuseIfEvaluating(cause, 'encoding zstd');
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CryoetPicksError('unsupported', `cannot encode ${bytes.length} bytes with zstd: ${reason}`, { cause });
  }
}
