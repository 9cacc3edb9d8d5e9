import { blockByStreams, blockOfLz4, type StreamDecoder } from './blosc-block.ts';
import {
  type BloscFormat,
  type BloscHeader,
  type BloscPromise,
  failBlosc,
  HEADER_BYTES,
  readBloscHeader,
} from './blosc-header.ts';
import { bloscKernel, type Span } from './blosc-kernel.ts';

/** Decoders that {@link decodeBlosc} falls back on for formats other than lz4. */
export interface BloscDecoders {
  /** Formats whose streams can be decoded one by one, and so be checked one by one. */
  readonly streams: Partial<Readonly<Record<BloscFormat, StreamDecoder>>>;
  /** Decodes the whole buffer, for the other formats. */
  readonly whole: (bytes: Uint8Array) => Promise<Uint8Array>;
}

/** What of a blosc buffer to decode. */
export interface BloscWanted {
  /** The first bytes of it that are wanted; blocks behind them are checked, but not decoded. @defaultValue all */
  readonly wantedBytes?: number | undefined;
  /** Memory to decode into, at least as long as asked for. @defaultValue new memory */
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

async function decodeWhole(bytes: Uint8Array, header: BloscHeader, { whole }: BloscDecoders): Promise<Uint8Array> {
  const decoded = await whole(bytes);
  if (decoded.length !== header.decodedBytes) {
    failBlosc(`its ${header.format} streams decode to ${decoded.length} bytes, expected ${header.decodedBytes}`);
  }
  return decoded;
}
