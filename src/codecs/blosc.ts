import { madeOnce } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { PAGE_BYTES, startWasm, type WasmModule } from '../wasm/instantiate.ts';
import { BLOSC_KERNEL } from '../wasm/modules.ts';
import { decodeLz4Into } from './lz4.ts';
import { unshuffleBitsInto, unshuffleInto } from './shuffle.ts';

/** Decoders for blosc formats other than lz4. */
export interface BloscDecoders {
  /** Decoders of single streams, so that each stream is checked. */
  readonly streams: Partial<Readonly<Record<BloscFormat, StreamDecoder>>>;
  /** Decodes the whole buffer, for all other formats. */
  readonly whole: (bytes: Uint8Array) => Promise<Uint8Array>;
}

/** The part of a blosc buffer to decode, and its memory. */
export interface BloscWanted {
  /** Number of first bytes to decode; later blocks are checked, but not decoded. @defaultValue all */
  readonly wantedBytes?: number | undefined;
  /** Allocates memory of at least this length to decode into. @defaultValue new memory */
  readonly allocate?: ((bytes: number) => Uint8Array) | undefined;
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
  { wantedBytes = Infinity, allocate = (length) => new Uint8Array(length) }: BloscWanted = {},
): Promise<Uint8Array> {
  const header = readBloscHeader(bytes, promise);
  if (header.isCopy) {
    const stored = bytes.subarray(HEADER_BYTES, HEADER_BYTES + wantedBytes);
    const copy = allocate(stored.length).subarray(0, stored.length);
    copy.set(stored);
    return copy;
  }
  const streams = readStreams(bytes, header);
  const decoder = decoders.streams[header.format];
  if (!decoder && header.format !== 'lz4') return decodeWhole(bytes, header, decoders);
  const { blockBytes, decodedBytes } = header;
  const wanted = Math.min(wantedBytes, decodedBytes);
  const blocks = blockBytes === 0 ? 0 : Math.ceil(wanted / blockBytes);
  const length = Math.min(decodedBytes, blocks * blockBytes);
  const out = allocate(length);
  const decodeBlock = decoder ? blockByStreams(bytes, header, decoder) : blockOfLz4(bytes, header, bloscKernel());
  for (const [index, block] of streams.slice(0, blocks).entries()) {
    await decodeBlock(block, out.subarray(index * blockBytes, Math.min(length, (index + 1) * blockBytes)), index);
  }
  return out.subarray(0, wanted);
}

/** Lists the streams of each block. */
function readStreams(bytes: Uint8Array, header: BloscHeader): Span[][] {
  const { decodedBytes, blockBytes } = header;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = decodedBytes === 0 ? 0 : Math.ceil(decodedBytes / blockBytes);
  const tableEnd = HEADER_BYTES + 4 * count;
  if (tableEnd > bytes.length) failBlosc(`${bytes.length} bytes, too few for a table of ${count} blosc blocks`);
  const blocks: Span[][] = [];
  for (let b = 0; b < count; b++) {
    const isRest = b === count - 1 && decodedBytes % blockBytes !== 0;
    const parts = header.isSplit && !isRest ? header.typeSize : 1;
    const size = isRest ? decodedBytes % blockBytes : blockBytes;
    if (size % parts !== 0) failBlosc(`blosc blocks of ${size} bytes do not split into ${parts} streams`);
    blocks.push(readBlock(view, view.getUint32(HEADER_BYTES + 4 * b, true), parts, b, size / parts));
  }
  let end = tableEnd;
  for (const block of [...blocks].sort((a, b) => a[0]!.start - b[0]!.start)) {
    if (block[0]!.start - 4 !== end) failBlosc(`a blosc block at byte ${block[0]!.start - 4}, expected at ${end}`);
    end = block.at(-1)!.end;
  }
  if (end !== bytes.length) failBlosc(`its blosc blocks end at byte ${end} of ${bytes.length}`);
  return blocks;
}

function readBlock(view: DataView, at: number, parts: number, block: number, partBytes: number): Span[] {
  const spans: Span[] = [];
  let start = at + 4;
  for (let n = 0; n < parts; n++) {
    const length = start <= view.byteLength ? view.getUint32(start - 4, true) : 0;
    if (length === 0 || length > partBytes || start + length > view.byteLength) {
      failBlosc(
        `stream ${n} of blosc block ${block}, at byte ${start - 4}, does not lie within its ${view.byteLength} bytes`,
      );
    }
    spans.push({ start, end: start + length });
    start += length + 4;
  }
  return spans;
}

async function decodeWhole(bytes: Uint8Array, header: BloscHeader, { whole }: BloscDecoders): Promise<Uint8Array> {
  const decoded = await whole(bytes);
  if (decoded.length !== header.decodedBytes) {
    failBlosc(`its ${header.format} streams decode to ${decoded.length} bytes, expected ${header.decodedBytes}`);
  }
  return decoded;
}

/** The codecs of blosc, in the order of their numbers in the header. */
const FORMATS = ['blosclz', 'lz4', 'snappy', 'zlib', 'zstd'] as const;

/** A compression format inside a blosc buffer; lz4hc writes lz4. */
export type BloscFormat = (typeof FORMATS)[number];

/** How a blosc buffer is shuffled. */
export type BloscShuffle = 'none' | 'bytes' | 'bits';

/** The header of a blosc buffer: its first 16 bytes. */
export interface BloscHeader {
  readonly format: BloscFormat;
  readonly shuffle: BloscShuffle;
  /** True if the bytes are stored unchanged, neither shuffled nor compressed. */
  readonly isCopy: boolean;
  /** True if a block has a separate stream per byte of an element. */
  readonly isSplit: boolean;
  readonly typeSize: number;
  readonly decodedBytes: number;
  readonly blockBytes: number;
}

/** What the metadata of an array say about its blosc buffers. Absent fields are not checked. */
export interface BloscPromise {
  readonly decodedBytes?: number | undefined;
  readonly shuffle?: BloscShuffle | undefined;
  readonly format?: BloscFormat | undefined;
  readonly typeSizes?: readonly number[] | undefined;
  /** Maximum number of bytes that a buffer may decode to if `decodedBytes` is unknown. */
  readonly maxBytes?: number | undefined;
}

/** Length of the header. */
const HEADER_BYTES: number = 16;
const MAX_SPLITS = 16;
const MIN_SPLIT_BYTES = 128;

/**
 * Reads the header of a blosc buffer, and checks it against the length of the buffer and the metadata of the array.
 *
 * Blosc has no checksum: a flipped bit in a compressed stream is noticed only if the stream no longer decodes.
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

/** @throws {@link CryoetPicksError} `corrupt-data`, always. */
function failBlosc(what: string): never {
  throw new CryoetPicksError('corrupt-data', what);
}

/** Decodes one compressed stream to exactly `decodedBytes` bytes. */
type StreamDecoder = (stream: Uint8Array, decodedBytes: number) => Promise<Uint8Array>;

/** Decodes block `index` of a blosc buffer into `target`, which is as long as the block. */
export type BlockDecoder = (streams: readonly Span[], target: Uint8Array, index: number) => Promise<void> | void;

/** Decodes lz4 blocks by the WebAssembly kernel, or in plain loops if there is no kernel or it does not support the block. */
export function blockOfLz4(bytes: Uint8Array, header: BloscHeader, kernel: BloscKernel | undefined): BlockDecoder {
  const typeSize = header.shuffle === 'none' ? 1 : header.typeSize;
  const isKnown = header.shuffle !== 'bits' && (typeSize === 1 || typeSize === 2 || typeSize === 4);
  if (kernel && isKnown) {
    return (streams, target, index) => {
      if (!kernel.decodeInto({ bytes, streams, typeSize }, target)) failLz4(index);
    };
  }
  const scratch = scratchFor(header);
  return (streams, target, index) => {
    const plain = scratch?.subarray(0, target.length) ?? target;
    const part = target.length / streams.length;
    for (const [n, { start, end }] of streams.entries()) {
      if (end - start === part) plain.set(bytes.subarray(start, end), n * part);
      else if (!decodeLz4Into(bytes, start, end, plain, n * part, part)) failLz4(index);
    }
    unshuffleBlock(plain, target, header);
  };
}

/** Decodes blocks of other formats stream by stream. */
function blockByStreams(bytes: Uint8Array, header: BloscHeader, decode: StreamDecoder): BlockDecoder {
  const scratch = scratchFor(header);
  return async (streams, target, index) => {
    const plain = scratch?.subarray(0, target.length) ?? target;
    const part = target.length / streams.length;
    for (const [n, { start, end }] of streams.entries()) {
      const stream = bytes.subarray(start, end);
      const decoded = stream.length === part ? stream : await decode(stream, part);
      if (decoded.length !== part) {
        failBlosc(`a stream of blosc block ${index} decodes to ${decoded.length} bytes, expected ${part}`);
      }
      plain.set(decoded, n * part);
    }
    unshuffleBlock(plain, target, header);
  };
}

function scratchFor({ shuffle, blockBytes }: BloscHeader): Uint8Array | undefined {
  return shuffle === 'none' ? undefined : new Uint8Array(blockBytes);
}

function unshuffleBlock(plain: Uint8Array, target: Uint8Array, { shuffle, typeSize }: BloscHeader): void {
  if (shuffle === 'bytes') unshuffleInto(plain, target, typeSize);
  if (shuffle === 'bits') unshuffleBitsInto(plain, target, typeSize);
}

function failLz4(index: number): never {
  failBlosc(`an lz4 stream of blosc block ${index} does not decode to its size`);
}

/** The range of a stream in a blosc buffer. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** One block of a blosc buffer. */
export interface LzBlock {
  /** The whole buffer. */
  readonly bytes: Uint8Array;
  /** Its streams, one after the other; each decodes to an equal part of the block. */
  readonly streams: readonly Span[];
  /** Bytes of an element if its bytes are shuffled; 1 if they are not. */
  readonly typeSize: 1 | 2 | 4;
}

/** Decodes lz4 blocks, 16 bytes at a time. */
export interface BloscKernel {
  /** Decodes a block into `target`, which has the length of the block; returns false if the block is damaged. */
  decodeInto(block: LzBlock, target: Uint8Array): boolean;
}

/** The functions of the compiled module; all arguments are addresses in its memory. */
interface KernelExports {
  decodeLz4(s: number, sEnd: number, t: number, tEnd: number): number;
  unshuffle2(s: number, t: number, count: number): void;
  unshuffle4(s: number, t: number, count: number): void;
}

/** The kernel may read and write this many bytes beyond the end of its data. */
const SLACK = 64;

/**
 * Returns the WebAssembly kernel, created on the first call; `undefined` if the platform has no SIMD, or the page's
 * Content-Security-Policy forbids WebAssembly.
 *
 * All callers share it: a block is decoded synchronously, and the kernel keeps no data between calls.
 */
export const bloscKernel: () => BloscKernel | undefined = madeOnce(makeKernel);

function makeKernel(): BloscKernel | undefined {
  const module = startWasm<KernelExports>(BLOSC_KERNEL);
  return module && { decodeInto: (block, target) => decodeInto(module, block, target) };
}

function decodeInto(
  { memory, exports: { decodeLz4, unshuffle2, unshuffle4 } }: WasmModule<KernelExports>,
  { bytes, streams, typeSize }: LzBlock,
  target: Uint8Array,
): boolean {
  const first = streams[0]!.start;
  const source = bytes.subarray(first, streams.at(-1)!.end);
  const plain = roundUp(source.length);
  const out = plain + roundUp(target.length);
  growTo(memory, out + roundUp(target.length));
  const heap = new Uint8Array(memory.buffer);
  heap.set(source);
  const part = target.length / streams.length;
  for (const [n, { start, end }] of streams.entries()) {
    const to = plain + n * part;
    // A stream that did not compress is stored uncompressed.
    if (end - start === part) heap.copyWithin(to, start - first, end - first);
    else if (!decodeLz4(start - first, end - first, to, to + part)) return false;
  }
  const count = Math.floor(target.length / typeSize);
  if (typeSize === 4) unshuffle4(plain, out, count);
  if (typeSize === 2) unshuffle2(plain, out, count);
  const done = typeSize === 1 ? 0 : count * typeSize;
  target.set(heap.subarray(out, out + done));
  target.set(heap.subarray(plain + done, plain + target.length), done);
  return true;
}

/** Grows a memory to at least this length. Existing views of it may become empty. */
function growTo(memory: WebAssembly.Memory, bytes: number): void {
  const missing = bytes - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
}

function roundUp(bytes: number): number {
  return Math.ceil((bytes + SLACK) / 64) * 64;
}
