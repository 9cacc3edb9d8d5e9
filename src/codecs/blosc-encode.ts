import { encodeLz4Into } from './lz4.ts';
import { shuffleInto } from './shuffle.ts';

/** Options of {@link encodeBlosc}. */
export interface EncodeBloscOptions {
  /** Bytes of an element, which the shuffle regroups. */
  readonly typeSize: number;
}

const HEADER_BYTES = 16;
const BLOCK_BYTES = 1 << 18;
const HASH_SLOTS = 1 << 14;
const MAX_PARTS = 16;
const MIN_PART_BYTES = 128;
const FLAG_SHUFFLE = 0x01;
const FLAG_COPY = 0x02;
const FLAG_NO_SPLIT = 0x10;
const FORMAT_LZ4 = 1 << 5;

/**
 * Compresses bytes as a blosc buffer (c-blosc 1): byte shuffle, then LZ4 per element byte, blocks of 256 KiB.
 *
 * Data that do not compress are stored uncompressed. Every reader of c-blosc 1 buffers can read the result.
 *
 * Source: c-blosc `README_CHUNK_FORMAT.rst`.
 */
export function encodeBlosc(bytes: Uint8Array, { typeSize }: EncodeBloscOptions): Uint8Array {
  const blockBytes = Math.min(bytes.length, BLOCK_BYTES - (BLOCK_BYTES % typeSize));
  if (blockBytes === 0) return storedBlosc(bytes, { typeSize });
  const isSplit = typeSize <= MAX_PARTS && blockBytes % typeSize === 0 && blockBytes / typeSize >= MIN_PART_BYTES;
  const blocks = Math.ceil(bytes.length / blockBytes);
  const out = new Uint8Array(HEADER_BYTES + 4 * blocks + bytes.length + 4 * blocks * MAX_PARTS);
  const view = new DataView(out.buffer);
  const shuffled = new Uint8Array(blockBytes);
  const table = new Int32Array(HASH_SLOTS);
  let end = HEADER_BYTES + 4 * blocks;
  for (let b = 0; b < blocks; b++) {
    const block = bytes.subarray(b * blockBytes, (b + 1) * blockBytes);
    view.setUint32(HEADER_BYTES + 4 * b, end, true);
    const plain = shuffled.subarray(0, block.length);
    shuffleInto(block, plain, typeSize);
    // The format does not split a last block that is shorter than the others.
    const parts = isSplit && block.length === blockBytes ? typeSize : 1;
    end = encodeBlock(plain, parts, out, end, table);
  }
  if (end >= HEADER_BYTES + bytes.length) return storedBlosc(bytes, { typeSize });
  const flags = FLAG_SHUFFLE | FORMAT_LZ4 | (isSplit ? 0 : FLAG_NO_SPLIT);
  writeHeader(out, { flags, typeSize, decodedBytes: bytes.length, blockBytes, storedBytes: end });
  return out.slice(0, end);
}

/** Writes the streams of a block and returns their end. */
function encodeBlock(plain: Uint8Array, parts: number, out: Uint8Array, at: number, table: Int32Array): number {
  const size = plain.length / parts;
  const view = new DataView(out.buffer);
  let end = at;
  for (let part = 0; part < parts; part++) {
    const start = end + 4;
    const from = part * size;
    const limit = start + size;
    const stop = encodeLz4Into(plain, from, from + size, out, start, limit, table);
    if (stop < 0) out.set(plain.subarray(from, from + size), start);
    end = stop < 0 ? limit : stop;
    view.setUint32(start - 4, end - start, true);
  }
  return end;
}

function storedBlosc(bytes: Uint8Array, { typeSize }: EncodeBloscOptions): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES + bytes.length);
  out.set(bytes, HEADER_BYTES);
  const blockBytes = bytes.length;
  const flags = FLAG_SHUFFLE | FLAG_COPY | FORMAT_LZ4;
  writeHeader(out, { flags, typeSize, decodedBytes: bytes.length, blockBytes, storedBytes: out.length });
  return out;
}

interface HeaderFields {
  readonly flags: number;
  readonly typeSize: number;
  readonly decodedBytes: number;
  readonly blockBytes: number;
  readonly storedBytes: number;
}

function writeHeader(out: Uint8Array, { flags, typeSize, decodedBytes, blockBytes, storedBytes }: HeaderFields): void {
  const view = new DataView(out.buffer);
  out.set([2, 1, flags, typeSize]);
  view.setUint32(4, decodedBytes, true);
  view.setUint32(8, blockBytes, true);
  view.setUint32(12, storedBytes, true);
}
