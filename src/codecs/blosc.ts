import { CryoetPicksError } from '../errors.ts';
import { decodeLz4Into } from './lz4.ts';
import { unshuffleBitsInto, unshuffleInto } from './shuffle.ts';

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

/** Decodes one compressed stream that is known to decode to `decodedBytes`. */
export type StreamDecoder = (stream: Uint8Array, decodedBytes: number) => Promise<Uint8Array>;

/** Decoders that {@link decodeBlosc} falls back on for formats other than lz4. */
export interface BloscDecoders {
  /** Formats whose streams can be decoded one by one, and so be checked one by one. */
  readonly streams: Partial<Readonly<Record<BloscFormat, StreamDecoder>>>;
  /** Decodes the whole buffer, for the other formats. */
  readonly whole: (bytes: Uint8Array) => Promise<Uint8Array>;
}

const HEADER_BYTES = 16;
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
  if (bytes.length < HEADER_BYTES) fail(`${bytes.length} bytes are too few for a blosc header of ${HEADER_BYTES}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const [version, formatVersion, flags, typeSize] = [bytes[0]!, bytes[1]!, bytes[2]!, bytes[3]!];
  if (version !== 2 || formatVersion !== 1) fail(`blosc versions ${version} and ${formatVersion}, expected 2 and 1`);
  const format = FORMATS[flags >> 5];
  if (!format || flags & 0x08 || (flags & 0x05) === 0x05 || typeSize === 0) {
    fail(`a blosc header with flags 0x${flags.toString(16)} and elements of ${typeSize} bytes`);
  }
  const decodedBytes = view.getUint32(4, true);
  const blockBytes = view.getUint32(8, true);
  const storedBytes = view.getUint32(12, true);
  if (storedBytes !== bytes.length) fail(`${bytes.length} bytes, and its blosc header promises ${storedBytes}`);
  const isCopy = (flags & 0x02) !== 0;
  if (isCopy && storedBytes !== decodedBytes + HEADER_BYTES) {
    fail(`${storedBytes - HEADER_BYTES} bytes stored uncompressed, and its blosc header promises ${decodedBytes}`);
  }
  if (decodedBytes > 0 && (blockBytes === 0 || blockBytes > decodedBytes)) {
    fail(`blosc blocks of ${blockBytes} bytes in ${decodedBytes} bytes`);
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
    fail(`its blosc header promises ${found} decoded bytes, expected ${decodedBytes}`);
  }
  if (maxBytes !== undefined && found > maxBytes)
    fail(`its blosc header promises ${found} bytes, at most ${maxBytes} fit`);
  if (shuffle !== undefined && header.shuffle !== shuffle) {
    fail(`its blosc header says shuffle "${header.shuffle}", the array metadata "${shuffle}"`);
  }
  if (format !== undefined && header.format !== format) {
    fail(`its blosc header says "${header.format}", the array metadata "${format}"`);
  }
  if (header.shuffle !== 'none' && typeSizes && !typeSizes.includes(header.typeSize)) {
    fail(`its blosc header says elements of ${header.typeSize} bytes, expected ${typeSizes.join(' or ')}`);
  }
}

/**
 * Decodes a blosc buffer (c-blosc 1), checking every length on the way: the header, the block table (the blocks must
 * fill the buffer without gap or overlap) and each stream, which must decode to exactly the size of its part.
 *
 * @throws {@link CryoetPicksError} `corrupt-data`.
 */
export async function decodeBlosc(
  bytes: Uint8Array,
  promise: BloscPromise,
  decoders: BloscDecoders,
): Promise<Uint8Array> {
  const header = readBloscHeader(bytes, promise);
  if (header.isCopy) return bytes.slice(HEADER_BYTES);
  const streams = readStreams(bytes, header);
  const decoder = decoders.streams[header.format];
  if (!decoder && header.format !== 'lz4') return decodeWhole(bytes, header, decoders);
  const out = new Uint8Array(header.decodedBytes);
  const scratch = header.shuffle === 'none' ? undefined : new Uint8Array(header.blockBytes);
  for (const [index, block] of streams.entries()) {
    const target = out.subarray(index * header.blockBytes, Math.min((index + 1) * header.blockBytes, out.length));
    const plain = scratch?.subarray(0, target.length) ?? target;
    const part = target.length / block.length;
    for (const [n, { start, end }] of block.entries()) {
      if (end - start === part) plain.set(bytes.subarray(start, end), n * part);
      else if (!decoder) decodeLz4(bytes, start, end, plain, n * part, part, index);
      else plain.set(await decodePart(decoder, bytes.subarray(start, end), part, index), n * part);
    }
    if (header.shuffle === 'bytes') unshuffleInto(plain, target, header.typeSize);
    if (header.shuffle === 'bits') unshuffleBitsInto(plain, target, header.typeSize);
  }
  return out;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Per block, where its streams lie. */
function readStreams(bytes: Uint8Array, header: BloscHeader): Span[][] {
  const { decodedBytes, blockBytes } = header;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = decodedBytes === 0 ? 0 : Math.ceil(decodedBytes / blockBytes);
  const tableEnd = HEADER_BYTES + 4 * count;
  if (tableEnd > bytes.length) fail(`${bytes.length} bytes, too few for a table of ${count} blosc blocks`);
  const blocks: Span[][] = [];
  for (let b = 0; b < count; b++) {
    const isRest = b === count - 1 && decodedBytes % blockBytes !== 0;
    const parts = header.isSplit && !isRest ? header.typeSize : 1;
    const size = isRest ? decodedBytes % blockBytes : blockBytes;
    if (size % parts !== 0) fail(`blosc blocks of ${size} bytes do not split into ${parts} streams`);
    blocks.push(readBlock(view, view.getUint32(HEADER_BYTES + 4 * b, true), parts, b, size / parts));
  }
  let end = tableEnd;
  for (const block of [...blocks].sort((a, b) => a[0]!.start - b[0]!.start)) {
    if (block[0]!.start - 4 !== end) fail(`a blosc block at byte ${block[0]!.start - 4}, expected at ${end}`);
    end = block.at(-1)!.end;
  }
  if (end !== bytes.length) fail(`its blosc blocks end at byte ${end} of ${bytes.length}`);
  return blocks;
}

function readBlock(view: DataView, at: number, parts: number, block: number, partBytes: number): Span[] {
  const spans: Span[] = [];
  let start = at + 4;
  for (let n = 0; n < parts; n++) {
    const length = start <= view.byteLength ? view.getUint32(start - 4, true) : 0;
    if (length === 0 || length > partBytes || start + length > view.byteLength) {
      fail(
        `stream ${n} of blosc block ${block}, at byte ${start - 4}, does not lie within its ${view.byteLength} bytes`,
      );
    }
    spans.push({ start, end: start + length });
    start += length + 4;
  }
  return spans;
}

function decodeLz4(
  bytes: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
  size: number,
  block: number,
): void {
  if (!decodeLz4Into(bytes, start, end, target, at, size)) {
    fail(`the lz4 stream of blosc block ${block} does not decode to ${size} bytes`);
  }
}

async function decodeWhole(bytes: Uint8Array, header: BloscHeader, { whole }: BloscDecoders): Promise<Uint8Array> {
  const decoded = await whole(bytes);
  if (decoded.length !== header.decodedBytes) {
    fail(`its ${header.format} streams decode to ${decoded.length} bytes, expected ${header.decodedBytes}`);
  }
  return decoded;
}

async function decodePart(decode: StreamDecoder, stream: Uint8Array, size: number, block: number): Promise<Uint8Array> {
  const part = await decode(stream, size);
  if (part.length !== size) fail(`a stream of blosc block ${block} decodes to ${part.length} bytes, expected ${size}`);
  return part;
}

function fail(what: string): never {
  throw new CryoetPicksError('corrupt-data', what);
}
