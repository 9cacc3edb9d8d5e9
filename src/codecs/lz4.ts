/**
 * Decodes one LZ4 block, `source[from … to)`, into `target[at … at + size)`.
 *
 * Never reads or writes outside the two ranges, and must use both exactly.
 *
 * @returns False if the block is damaged; the target then holds part of the data.
 * Source: the LZ4 block format description, lz4/lz4 `doc/lz4_Block_format.md`.
 */
export function decodeLz4Into(
  source: Uint8Array,
  from: number,
  to: number,
  target: Uint8Array,
  at: number,
  size: number,
): boolean {
  const end = at + size;
  let s = from;
  let t = at;
  while (s < to) {
    const token = source[s++]!;
    let literals = token >> 4;
    if (literals === 15) {
      let more = 255;
      while (more === 255) {
        if (s >= to) return false;
        more = source[s++]!;
        literals += more;
      }
    }
    if (literals > to - s || literals > end - t) return false;
    if (literals > 24) {
      target.set(source.subarray(s, s + literals), t);
      s += literals;
      t += literals;
    } else {
      for (const stop = s + literals; s < stop; ) target[t++] = source[s++]!;
    }
    if (s === to) return t === end;

    if (to - s < 2) return false;
    const distance = source[s]! | (source[s + 1]! << 8);
    s += 2;
    let length = (token & 15) + 4;
    if (length === 19) {
      let more = 255;
      while (more === 255) {
        if (s >= to) return false;
        more = source[s++]!;
        length += more;
      }
    }
    if (distance === 0 || distance > t - at || length > end - t) return false;
    if (distance === 1) {
      target.fill(target[t - 1]!, t, t + length);
      t += length;
    } else if (length > 32 && distance >= length) {
      target.copyWithin(t, t - distance, t - distance + length);
      t += length;
    } else {
      for (const stop = t + length; t < stop; t++) target[t] = target[t - distance]!;
    }
  }
  return false;
}

const HASH_BITS = 14;
const MIN_MATCH = 4;
/** The format ends a block with at least 5 literals, and starts no match within its last 12 bytes. */
const LAST_LITERALS = 5;
const MATCH_LIMIT = 12;

/**
 * Encodes `source[from … to)` as one LZ4 block into `target` from `at`.
 *
 * @param table - Scratch memory of 16384 numbers.
 * @returns The end of the block in `target`, or −1 if it would exceed `limit`.
 */
export function encodeLz4Into(
  source: Uint8Array,
  from: number,
  to: number,
  target: Uint8Array,
  at: number,
  limit: number,
  table: Int32Array,
): number {
  table.fill(-1);
  const lastMatch = to - MATCH_LIMIT;
  const matchEnd = to - LAST_LITERALS;
  let anchor = from;
  let s = from;
  let t = at;
  let misses = 0;
  while (s <= lastMatch) {
    const word = source[s]! | (source[s + 1]! << 8) | (source[s + 2]! << 16) | (source[s + 3]! << 24);
    const slot = Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS);
    const candidate = table[slot]!;
    table[slot] = s;
    if (candidate < 0 || s - candidate > 0xffff || !sameWord(source, candidate, s)) {
      s += 1 + (misses++ >> 6);
      continue;
    }
    misses = 0;
    let length = MIN_MATCH;
    while (s + length < matchEnd && source[candidate + length] === source[s + length]) length++;
    const distance = s - candidate;
    t = writeSequence(source, anchor, s, target, t, limit, distance, length);
    if (t < 0) return -1;
    s += length;
    anchor = s;
  }
  return writeSequence(source, anchor, to, target, t, limit, 0, MIN_MATCH);
}

function sameWord(data: Uint8Array, a: number, b: number): boolean {
  return (
    data[a] === data[b] && data[a + 1] === data[b + 1] && data[a + 2] === data[b + 2] && data[a + 3] === data[b + 3]
  );
}

/** Writes literals `source[from … to)` and, if `distance` is not 0, a match; returns the new end, or −1 if there is no room. */
function writeSequence(
  source: Uint8Array,
  from: number,
  to: number,
  target: Uint8Array,
  at: number,
  limit: number,
  distance: number,
  length: number,
): number {
  const literals = to - from;
  const extra = length - MIN_MATCH;
  const room = 1 + literals + Math.ceil((literals + 1) / 255) + 2 + Math.ceil((extra + 1) / 255);
  if (at + room > limit) return -1;
  let t = at;
  target[t++] = (Math.min(literals, 15) << 4) | Math.min(extra, 15);
  if (literals >= 15) t = writeLength(target, t, literals - 15);
  target.set(source.subarray(from, to), t);
  t += literals;
  if (distance === 0) return t;
  target[t++] = distance & 255;
  target[t++] = distance >> 8;
  return extra >= 15 ? writeLength(target, t, extra - 15) : t;
}

function writeLength(target: Uint8Array, at: number, rest: number): number {
  let t = at;
  let left = rest;
  for (; left >= 255; left -= 255) target[t++] = 255;
  target[t++] = left;
  return t;
}
