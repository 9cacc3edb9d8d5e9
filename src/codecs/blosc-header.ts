import { CryoetPicksError } from '../errors.ts';

/** The codecs a blosc buffer can name in its header, in the order of their numbers there. */
const FORMATS = ['blosclz', 'lz4', 'snappy', 'zlib', 'zstd'] as const;

/** A compression format inside a blosc buffer; lz4hc writes lz4. */
export type BloscFormat = (typeof FORMATS)[number];

/** How a blosc buffer is shuffled. */
export type BloscShuffle = 'none' | 'bytes' | 'bits';

/** The 16 bytes in front of a blosc buffer. */
export interface BloscHeader {
  readonly format: BloscFormat;
  readonly shuffle: BloscShuffle;
  /** Stored as it is, neither shuffled nor compressed. */
  readonly isCopy: boolean;
  /** Each element byte of a block is a stream of its own. */
  readonly isSplit: boolean;
  readonly typeSize: number;
  readonly decodedBytes: number;
  readonly blockBytes: number;
}

/** What the metadata of an array promises about its blosc buffers; what is absent is not checked. */
export interface BloscPromise {
  readonly decodedBytes?: number | undefined;
  readonly shuffle?: BloscShuffle | undefined;
  readonly format?: BloscFormat | undefined;
  readonly typeSizes?: readonly number[] | undefined;
  /** The most bytes a buffer may decode to where `decodedBytes` is unknown. */
  readonly maxBytes?: number | undefined;
}

/** Length of the header. */
export const HEADER_BYTES: number = 16;
const MAX_SPLITS = 16;
const MIN_SPLIT_BYTES = 128;

/**
 * Reads and checks the header of a blosc buffer against its own length and against what the array promises.
 *
 * Blosc has no checksum: a flipped bit inside a compressed stream is seen only where the stream no longer decodes.
 *
 * @throws {@link CryoetPicksError} `corrupt-data`. Source: c-blosc `README_CHUNK_FORMAT.rst`.
 */
export function readBloscHeader(bytes: Uint8Array, promise: BloscPromise = {}): BloscHeader {
  if (bytes.length < HEADER_BYTES) failBlosc(`${bytes.length} bytes are too few for a blosc header of ${HEADER_BYTES}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const [version, formatVersion, flags, typeSize] = [bytes[0]!, bytes[1]!, bytes[2]!, bytes[3]!];
  if (version !== 2 || formatVersion !== 1)
    failBlosc(`blosc versions ${version} and ${formatVersion}, expected 2 and 1`);
  const format = FORMATS[flags >> 5];
  if (!format || flags & 0x08 || (flags & 0x05) === 0x05 || typeSize === 0) {
    failBlosc(`a blosc header with flags 0x${flags.toString(16)} and elements of ${typeSize} bytes`);
  }
  const decodedBytes = view.getUint32(4, true);
  const blockBytes = view.getUint32(8, true);
  const storedBytes = view.getUint32(12, true);
  if (storedBytes !== bytes.length) failBlosc(`${bytes.length} bytes, and its blosc header promises ${storedBytes}`);
  const isCopy = (flags & 0x02) !== 0;
  if (isCopy && storedBytes !== decodedBytes + HEADER_BYTES) {
    failBlosc(`${storedBytes - HEADER_BYTES} bytes stored uncompressed, and its blosc header promises ${decodedBytes}`);
  }
  if (decodedBytes > 0 && (blockBytes === 0 || blockBytes > decodedBytes)) {
    failBlosc(`blosc blocks of ${blockBytes} bytes in ${decodedBytes} bytes`);
  }
  const shuffle = flags & 0x01 ? 'bytes' : flags & 0x04 ? 'bits' : 'none';
  const splits = !(flags & 0x10) && typeSize <= MAX_SPLITS && blockBytes / typeSize >= MIN_SPLIT_BYTES;
  const header = { format, shuffle, isCopy, isSplit: splits, typeSize, decodedBytes, blockBytes } as const;
  checkPromise(header, promise);
  return header;
}

function checkPromise(header: BloscHeader, { decodedBytes, maxBytes, shuffle, format, typeSizes }: BloscPromise): void {
  const found = header.decodedBytes;
  if (decodedBytes !== undefined && found !== decodedBytes) {
    failBlosc(`its blosc header promises ${found} decoded bytes, expected ${decodedBytes}`);
  }
  if (maxBytes !== undefined && found > maxBytes)
    failBlosc(`its blosc header promises ${found} bytes, at most ${maxBytes} fit`);
  if (shuffle !== undefined && header.shuffle !== shuffle) {
    failBlosc(`its blosc header says shuffle "${header.shuffle}", the array metadata "${shuffle}"`);
  }
  if (format !== undefined && header.format !== format) {
    failBlosc(`its blosc header says "${header.format}", the array metadata "${format}"`);
  }
  if (header.shuffle !== 'none' && typeSizes && !typeSizes.includes(header.typeSize)) {
    failBlosc(`its blosc header says elements of ${header.typeSize} bytes, expected ${typeSizes.join(' or ')}`);
  }
}

/** Reports what is wrong with a blosc buffer. */
export function failBlosc(what: string): never {
  throw new CryoetPicksError('corrupt-data', what);
}
