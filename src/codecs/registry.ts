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
 * Registers codecs that check their input with zarrita: blosc, lz4, zstd, gzip, zlib, crc32c, crc32, adler32, under the names of
 * Zarr v2 and v3. Damaged bytes then throw `corrupt-data` instead of decoding to garbage. Later calls do nothing.
 *
 * The registry belongs to the whole page or process, so opening a tomogram calls this, instead of a side effect of an import.
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

/** The codecs in the metadata of a Zarr array, v2 or v3, that are not registered. zarrita reports only the first of them. */
export function unknownCodecs(document: Readonly<Record<string, unknown>>): string[] {
  const { codecs, compressor, filters } = document as { [key: string]: unknown };
  const v3 = (Array.isArray(codecs) ? codecs : []).map(({ name }: { readonly name: string }) => name);
  const v2 = [compressor, ...(Array.isArray(filters) ? filters : [])]
    .filter((one) => one !== undefined && one !== null)
    .map(({ id }: { readonly id: string }) => `numcodecs.${id}`)
    // zarrita replaces it by two codecs of Zarr v3.
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
    // A shard index has a fixed size, so of these codecs only checksums can be applied to it.
    ...(CHECKSUM.test(name) ? { computeEncodedSize: (size: number) => size + CHECKSUM_BYTES } : {}),
  };
}

/** Without a `location` in the configuration, crc32c is at the end of the bytes, the other checksums at the start. */
function checksumDecoder(name: ChecksumName, config: Config): Decode {
  const location = config?.location ?? (name === 'crc32c' ? 'end' : 'start');
  return (bytes) => withoutChecksum(bytes, { name, isAtStart: location === 'start' });
}

function sizeOf(config: Config, meta: ChunkMeta): { expectedBytes: number | undefined; maxBytes: number } {
  return { expectedBytes: expectedBytes(config, meta), maxBytes: MAX_CHUNK_BYTES };
}

function decoderOf(how: Compression): Decode {
  return (bytes) => decode(bytes, how, originalDecoders);
}

/** The decoders that zarrita registers by default. */
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
    throwIfEvalForbidden(cause, `decoding ${name}`);
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CryoetPicksError('corrupt-data', `its ${name} data do not decode: ${reason}`, { cause });
  }
}

type CodecLoader = NonNullable<ReturnType<typeof registry.get>>;

/** The loaders that zarrita registers by default. They compile code, so they are called only when a chunk needs them. */
const originals = new Map<string, CodecLoader>();

/** A codec of numcodecs.js, which checks nothing. */
interface OriginalCodec {
  encode(bytes: Uint8Array): Promise<Uint8Array>;
  decode(bytes: Uint8Array): Promise<Uint8Array>;
}

/** Keeps the codecs that are about to be replaced in zarrita's registry; returns false if that was done before. */
function keepOriginals(): boolean {
  if (originals.size > 0) return false;
  for (const name of ['blosc', 'zstd'] as const) originals.set(name, registry.get(name)!);
  return true;
}

/** Loads one of the kept codecs. */
async function originalCodec(name: 'blosc' | 'zstd', config: object): Promise<OriginalCodec> {
  const loaded = (await originals.get(name)!()) as unknown as { fromConfig(config: object): OriginalCodec };
  return loaded.fromConfig(config);
}

/** @throws {@link CryoetPicksError} `unsupported` if the cause is that the page must not compile code. */
function throwIfEvalForbidden(cause: unknown, what: string): void {
  if (!(cause instanceof EvalError)) return;
  throw new CryoetPicksError(
    'unsupported',
    `${what} needs "unsafe-eval", which the Content-Security-Policy of this page forbids`,
    { cause },
  );
}

/**
 * Encodes bytes as a zstd frame, by the encoder of numcodecs.js, a dependency of zarrita.
 *
 * @throws {@link CryoetPicksError} `unsupported` if the page's Content-Security-Policy forbids the encoder, or it cannot encode the
 * bytes.
 */
export async function encodeZstd(bytes: Uint8Array, level: number): Promise<Uint8Array> {
  registerCheckedCodecs();
  const codec = await originalCodec('zstd', { level });
  try {
    return await codec.encode(bytes);
  } catch (cause) {
    throwIfEvalForbidden(cause, 'encoding zstd');
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CryoetPicksError('unsupported', `cannot encode ${bytes.length} bytes with zstd: ${reason}`, { cause });
  }
}
