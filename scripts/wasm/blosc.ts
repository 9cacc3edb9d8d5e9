// The two loops that decoding a blosc-lz4 chunk spends its time in, in AssemblyScript with 16 bytes at a time.
// `bash scripts/wasm/build.sh` compiles it into src/wasm/modules.ts.
//
// Both may write up to 32 bytes beyond the end of the target, which the caller leaves free.

/**
 * Decodes one LZ4 block, bytes s … sEnd, into t … tEnd, and returns whether it used up both exactly.
 *
 * As decodeLz4Into of src/codecs/lz4.ts, check for check.
 */
export function decodeLz4(s: u32, sEnd: u32, t: u32, tEnd: u32): bool {
  const first = t;
  while (s < sEnd) {
    const token = <u32>load<u8>(s++);
    let literals = token >> 4;
    if (literals == 15) {
      let more: u32 = 255;
      while (more == 255) {
        if (s >= sEnd) return false;
        more = <u32>load<u8>(s++);
        literals += more;
      }
    }
    if (literals > sEnd - s || literals > tEnd - t) return false;
    for (let i: u32 = 0; i < literals; i += 16) v128.store(t + i, v128.load(s + i));
    s += literals;
    t += literals;
    if (s == sEnd) return t == tEnd;

    if (sEnd - s < 2) return false;
    const distance = <u32>load<u16>(s);
    s += 2;
    let length = (token & 15) + 4;
    if (length == 19) {
      let more: u32 = 255;
      while (more == 255) {
        if (s >= sEnd) return false;
        more = <u32>load<u8>(s++);
        length += more;
      }
    }
    if (distance == 0 || distance > t - first || length > tEnd - t) return false;
    copyMatch(t, distance, length);
    t += length;
  }
  return false;
}

/** Copies bytes from `distance` before t; where the two overlap, what was just written is copied again. */
// @ts-expect-error: decorator
@inline
function copyMatch(t: u32, distance: u32, length: u32): void {
  if (distance >= 16) {
    for (let i: u32 = 0; i < length; i += 16) v128.store(t + i, v128.load(t - distance + i));
  } else if (distance >= 8) {
    for (let i: u32 = 0; i < length; i += 8) store<u64>(t + i, load<u64>(t - distance + i));
  } else if (distance == 1) {
    const value = i8x16.splat(<i8>load<u8>(t - 1));
    for (let i: u32 = 0; i < length; i += 16) v128.store(t + i, value);
  } else {
    for (let i: u32 = 0; i < length; i++) store<u8>(t + i, load<u8>(t - distance + i));
  }
}

/** Interleaves four planes of `count` bytes at s into elements of four bytes at t. */
export function unshuffle4(s: u32, t: u32, count: u32): void {
  const whole = count & ~15;
  for (let i: u32 = 0; i < whole; i += 16) {
    const a = v128.load(s + i);
    const b = v128.load(s + count + i);
    const c = v128.load(s + 2 * count + i);
    const d = v128.load(s + 3 * count + i);
    const abLow = i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const abHigh = i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    const cdLow = i8x16.shuffle(c, d, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const cdHigh = i8x16.shuffle(c, d, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    const to = t + 4 * i;
    v128.store(to, i16x8.shuffle(abLow, cdLow, 0, 8, 1, 9, 2, 10, 3, 11));
    v128.store(to + 16, i16x8.shuffle(abLow, cdLow, 4, 12, 5, 13, 6, 14, 7, 15));
    v128.store(to + 32, i16x8.shuffle(abHigh, cdHigh, 0, 8, 1, 9, 2, 10, 3, 11));
    v128.store(to + 48, i16x8.shuffle(abHigh, cdHigh, 4, 12, 5, 13, 6, 14, 7, 15));
  }
  for (let i = whole; i < count; i++) {
    for (let byte: u32 = 0; byte < 4; byte++) store<u8>(t + 4 * i + byte, load<u8>(s + byte * count + i));
  }
}

/** Interleaves two planes of `count` bytes at s into elements of two bytes at t. */
export function unshuffle2(s: u32, t: u32, count: u32): void {
  const whole = count & ~15;
  for (let i: u32 = 0; i < whole; i += 16) {
    const a = v128.load(s + i);
    const b = v128.load(s + count + i);
    v128.store(t + 2 * i, i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
    v128.store(t + 2 * i + 16, i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31));
  }
  for (let i = whole; i < count; i++) {
    store<u8>(t + 2 * i, load<u8>(s + i));
    store<u8>(t + 2 * i + 1, load<u8>(s + count + i));
  }
}
