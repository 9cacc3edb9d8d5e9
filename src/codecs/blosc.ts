import {
  type BloscFormat,
  type BloscHeader,
  type BloscPromise,
  failBlosc,
  HEADER_BYTES,
  readBloscHeader,
} from './blosc-header.ts';
import { decodeLz4Into } from './lz4.ts';
import { unshuffleBitsInto, unshuffleInto } from './shuffle.ts';

/** Decodes one compressed stream that is known to decode to `decodedBytes`. */
export type StreamDecoder = (stream: Uint8Array, decodedBytes: number) => Promise<Uint8Array>;

/** Decoders that {@link decodeBlosc} falls back on for formats other than lz4. */
export interface BloscDecoders {
  /** Formats whose streams can be decoded one by one, and so be checked one by one. */
  readonly streams: Partial<Readonly<Record<BloscFormat, StreamDecoder>>>;
  /** Decodes the whole buffer, for the other formats. */
  readonly whole: (bytes: Uint8Array) => Promise<Uint8Array>;
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
    failBlosc(`the lz4 stream of blosc block ${block} does not decode to ${size} bytes`);
  }
}

async function decodeWhole(bytes: Uint8Array, header: BloscHeader, { whole }: BloscDecoders): Promise<Uint8Array> {
  const decoded = await whole(bytes);
  if (decoded.length !== header.decodedBytes) {
    failBlosc(`its ${header.format} streams decode to ${decoded.length} bytes, expected ${header.decodedBytes}`);
  }
  return decoded;
}

async function decodePart(decode: StreamDecoder, stream: Uint8Array, size: number, block: number): Promise<Uint8Array> {
  const part = await decode(stream, size);
  if (part.length !== size)
    failBlosc(`a stream of blosc block ${block} decodes to ${part.length} bytes, expected ${size}`);
  return part;
}
