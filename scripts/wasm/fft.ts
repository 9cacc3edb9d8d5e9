// Fourier transforms of many lines at once, in AssemblyScript: four complex lines at a time, one in each lane of a vector, so that no
// pass moves numbers between lanes. `bash scripts/wasm/build.sh` compiles it into src/wasm/modules.ts; src/match/fft.ts calls it.
//
// Method: Stockham's self-sorting algorithm with factors 2, 3, 4 and 5 (C. Van Loan, Computational Frameworks for the Fast Fourier
// Transform, 1992, 1.7). Numbers are float32, spectra interleaved (re, im). `stages` points at four u32 a stage: the factor; the length
// that is left after it; the product of the factors before it; and where its twiddles lie, for each place but the first of the
// factor's outputs (re, im). `work` has 64 · (length + 2) bytes.

/** Bytes of a place of four lines: four real parts, four imaginary parts. */
const PLACE: u32 = 32;

/**
 * In place, the columns of a plane of `length` rows of `width` complex numbers, of which rows from `filled` on count as 0. Reads up to
 * 24 bytes beyond the plane.
 */
export function columns(
  at: u32,
  width: u32,
  length: u32,
  filled: u32,
  stages: u32,
  count: u32,
  work: u32,
  inverse: u32,
): void {
  const row = 8 * width;
  // Back and forth are the same but for the roles of the two parts.
  const re: u32 = inverse ? 16 : 0;
  const im: u32 = 16 - re;
  for (let first: u32 = 0; first < width; first += 4) {
    let from = at + 8 * first;
    let to = work;
    for (const end = work + PLACE * filled; to < end; to += PLACE, from += row) {
      const a = v128.load(from);
      const b = v128.load(from, 16);
      v128.store(to + re, v128.shuffle<f32>(a, b, 0, 2, 4, 6));
      v128.store(to + im, v128.shuffle<f32>(a, b, 1, 3, 5, 7));
    }
    memory.fill(to, 0, PLACE * (length - filled));
    let done = transform(work, work + PLACE * (length + 2), stages, count);
    from = at + 8 * first;
    const left = width - first;
    for (const end = done + PLACE * length; done < end; done += PLACE, from += row) {
      const a = v128.load(done + re);
      const b = v128.load(done + im);
      const low = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
      const high = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
      if (left >= 4) {
        v128.store(from, low);
        v128.store(from, high, 16);
      } else {
        v128.store64_lane(from, low, 0);
        if (left > 1) v128.store64_lane(from, low, 1, 8);
        if (left > 2) v128.store64_lane(from, high, 0, 16);
      }
    }
  }
}

/**
 * Rows of `length` real numbers, a multiple of 4, to rows of length / 2 + 1 complex ones. Works on eight rows at a time, and so reads and
 * writes up to seven more than `rows`.
 */
export function forwardRows(at: u32, to: u32, rows: u32, length: u32, stages: u32, count: u32, work: u32): void {
  const half = length >> 1;
  const row = 4 * length;
  const out = 8 * (half + 1);
  const other = work + PLACE * (length + 2);
  for (let first: u32 = 0; first < rows; first += 8, at += 8 * row, to += 8 * out) {
    // Four rows as real parts, four as imaginary ones.
    for (let x: u32 = 0; x < length; x += 4) {
      transpose(at + 4 * x, row, work + PLACE * x, PLACE);
      transpose(at + 4 * row + 4 * x, row, work + PLACE * x + 16, PLACE);
    }
    const z = transform(work, other, stages, count);
    const a = z == work ? other : work;
    const b = a + PLACE * (half + 1);
    for (let k: u32 = 0; k <= half; k++) {
      const mirror = z + PLACE * (k == 0 ? 0 : length - k);
      const re = v128.load(z + PLACE * k);
      const im = v128.load(z + PLACE * k, 16);
      const mirrorRe = v128.load(mirror);
      const mirrorIm = v128.load(mirror, 16);
      const share = f32x4.splat(0.5);
      v128.store(a + PLACE * k, f32x4.mul(share, f32x4.add(re, mirrorRe)));
      v128.store(a + PLACE * k, f32x4.mul(share, f32x4.sub(im, mirrorIm)), 16);
      v128.store(b + PLACE * k, f32x4.mul(share, f32x4.add(im, mirrorIm)));
      v128.store(b + PLACE * k, f32x4.mul(share, f32x4.sub(mirrorRe, re)), 16);
    }
    for (let k: u32 = 0; k < half; k += 2) {
      transpose(a + PLACE * k, 16, to + 8 * k, out);
      transpose(b + PLACE * k, 16, to + 4 * out + 8 * k, out);
    }
    for (let i: u32 = 0; i < 8; i++) {
      const last = (i < 4 ? a : b) + PLACE * half + 4 * (i & 3);
      store<f32>(to + i * out + 8 * half, load<f32>(last));
      store<f32>(to + i * out + 8 * half, load<f32>(last, 16), 4);
    }
  }
}

/** The inverse of {@link forwardRows}, not scaled: rows of complex numbers to rows of real ones. */
export function inverseRows(at: u32, to: u32, rows: u32, length: u32, stages: u32, count: u32, work: u32): void {
  const half = length >> 1;
  const row = 8 * (half + 1);
  const out = 4 * length;
  const z = work + PLACE * (length + 2);
  const a = work;
  const b = a + PLACE * (half + 1);
  for (let first: u32 = 0; first < rows; first += 8, at += 8 * row, to += 8 * out) {
    for (let k: u32 = 0; k < half; k += 2) {
      transpose(at + 8 * k, row, a + PLACE * k, 16);
      transpose(at + 4 * row + 8 * k, row, b + PLACE * k, 16);
    }
    for (let i: u32 = 0; i < 8; i++) {
      const last = (i < 4 ? a : b) + PLACE * half + 4 * (i & 3);
      store<f32>(last, load<f32>(at + i * row + 8 * half));
    }
    // The lowest and the highest frequency of real numbers are real. Parts change their roles, since it goes back.
    v128.store(z, v128.load(a), 16);
    v128.store(z, v128.load(b));
    v128.store(z + PLACE * half, v128.load(a + PLACE * half), 16);
    v128.store(z + PLACE * half, v128.load(b + PLACE * half));
    for (let k: u32 = 1; k < half; k++) {
      const aRe = v128.load(a + PLACE * k);
      const aIm = v128.load(a + PLACE * k, 16);
      const bRe = v128.load(b + PLACE * k);
      const bIm = v128.load(b + PLACE * k, 16);
      v128.store(z + PLACE * k, f32x4.sub(aRe, bIm), 16);
      v128.store(z + PLACE * k, f32x4.add(aIm, bRe));
      v128.store(z + PLACE * (length - k), f32x4.add(aRe, bIm), 16);
      v128.store(z + PLACE * (length - k), f32x4.sub(bRe, aIm));
    }
    const done = transform(z, work, stages, count);
    for (let x: u32 = 0; x < length; x += 4) {
      transpose(done + PLACE * x + 16, PLACE, to + 4 * x, out);
      transpose(done + PLACE * x, PLACE, to + 4 * out + 4 * x, out);
    }
  }
}

/** Multiplies `count` complex numbers, an even number, conjugated, by others. */
export function multiplyConjugate(at: u32, by: u32, count: u32): void {
  const signs = f32x4(1, -1, 1, -1);
  for (const end = at + 8 * count; at < end; at += 16, by += 16) {
    const a = f32x4.mul(v128.load(at), signs);
    const b = v128.load(by);
    // (re · b.re − im · b.im, re · b.im + im · b.re)
    const straight = f32x4.mul(v128.shuffle<f32>(a, a, 0, 0, 2, 2), b);
    const crossed = f32x4.mul(v128.shuffle<f32>(a, a, 1, 1, 3, 3), v128.shuffle<f32>(b, b, 1, 0, 3, 2));
    v128.store(at, f32x4.sub(straight, f32x4.mul(crossed, signs)));
  }
}

/** Four vectors, `fromStep` bytes apart, to four that hold their first, second … numbers. */
// @ts-expect-error: decorator
@inline
function transpose(from: u32, fromStep: u32, to: u32, toStep: u32): void {
  const a = v128.load(from);
  const b = v128.load(from + fromStep);
  const c = v128.load(from + 2 * fromStep);
  const d = v128.load(from + 3 * fromStep);
  const abLow = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const cdLow = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const abHigh = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cdHigh = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<i64>(abLow, cdLow, 0, 2));
  v128.store(to + toStep, v128.shuffle<i64>(abLow, cdLow, 1, 3));
  v128.store(to + 2 * toStep, v128.shuffle<i64>(abHigh, cdHigh, 0, 2));
  v128.store(to + 3 * toStep, v128.shuffle<i64>(abHigh, cdHigh, 1, 3));
}

/** Transforms four lines, forth and back between two buffers; returns the one with the result. */
function transform(from: u32, to: u32, stages: u32, count: u32): u32 {
  for (let i: u32 = 0; i < count; i++, stages += 16) {
    const factor = load<u32>(stages);
    const left = load<u32>(stages, 4);
    const before = load<u32>(stages, 8);
    const twiddles = load<u32>(stages, 12);
    if (factor == 4) pass4(from, to, left, before, twiddles);
    else if (factor == 2) pass2(from, to, left, before, twiddles);
    else if (factor == 3) pass3(from, to, left, before, twiddles);
    else pass5(from, to, left, before, twiddles);
    const swap = from;
    from = to;
    to = swap;
  }
  return from;
}

/** Stores a number, times a twiddle. */
// @ts-expect-error: decorator
@inline
function put(to: u32, re: v128, im: v128, wRe: v128, wIm: v128): void {
  v128.store(to, f32x4.sub(f32x4.mul(re, wRe), f32x4.mul(im, wIm)));
  v128.store(to, f32x4.add(f32x4.mul(re, wIm), f32x4.mul(im, wRe)), 16);
}

function pass2(from: u32, to: u32, left: u32, before: u32, twiddles: u32): void {
  const near = PLACE * before;
  const far = near * left;
  for (let p: u32 = 0; p < left; p++, twiddles += 8, to += near) {
    const re = v128.load32_splat(twiddles);
    const im = v128.load32_splat(twiddles, 4);
    for (const end = from + near; from < end; from += PLACE, to += PLACE) {
      const aRe = v128.load(from);
      const aIm = v128.load(from, 16);
      const bRe = v128.load(from + far);
      const bIm = v128.load(from + far, 16);
      v128.store(to, f32x4.add(aRe, bRe));
      v128.store(to, f32x4.add(aIm, bIm), 16);
      put(to + near, f32x4.sub(aRe, bRe), f32x4.sub(aIm, bIm), re, im);
    }
  }
}

function pass3(from: u32, to: u32, left: u32, before: u32, twiddles: u32): void {
  const near = PLACE * before;
  const far = near * left;
  const half = f32x4.splat(0.5);
  const sine = f32x4.splat(0.86602540378443865);
  for (let p: u32 = 0; p < left; p++, twiddles += 16, to += 2 * near) {
    const re1 = v128.load32_splat(twiddles);
    const im1 = v128.load32_splat(twiddles, 4);
    const re2 = v128.load32_splat(twiddles, 8);
    const im2 = v128.load32_splat(twiddles, 12);
    for (const end = from + near; from < end; from += PLACE, to += PLACE) {
      const aRe = v128.load(from);
      const aIm = v128.load(from, 16);
      const bRe = v128.load(from + far);
      const bIm = v128.load(from + far, 16);
      const cRe = v128.load(from + 2 * far);
      const cIm = v128.load(from + 2 * far, 16);
      const sumRe = f32x4.add(bRe, cRe);
      const sumIm = f32x4.add(bIm, cIm);
      const midRe = f32x4.sub(aRe, f32x4.mul(half, sumRe));
      const midIm = f32x4.sub(aIm, f32x4.mul(half, sumIm));
      const turnRe = f32x4.mul(sine, f32x4.sub(bRe, cRe));
      const turnIm = f32x4.mul(sine, f32x4.sub(bIm, cIm));
      v128.store(to, f32x4.add(aRe, sumRe));
      v128.store(to, f32x4.add(aIm, sumIm), 16);
      put(to + near, f32x4.add(midRe, turnIm), f32x4.sub(midIm, turnRe), re1, im1);
      put(to + 2 * near, f32x4.sub(midRe, turnIm), f32x4.add(midIm, turnRe), re2, im2);
    }
  }
}

function pass4(from: u32, to: u32, left: u32, before: u32, twiddles: u32): void {
  const near = PLACE * before;
  const far = near * left;
  for (let p: u32 = 0; p < left; p++, twiddles += 24, to += 3 * near) {
    const re1 = v128.load32_splat(twiddles);
    const im1 = v128.load32_splat(twiddles, 4);
    const re2 = v128.load32_splat(twiddles, 8);
    const im2 = v128.load32_splat(twiddles, 12);
    const re3 = v128.load32_splat(twiddles, 16);
    const im3 = v128.load32_splat(twiddles, 20);
    for (const end = from + near; from < end; from += PLACE, to += PLACE) {
      const aRe = v128.load(from);
      const aIm = v128.load(from, 16);
      const bRe = v128.load(from + far);
      const bIm = v128.load(from + far, 16);
      const cRe = v128.load(from + 2 * far);
      const cIm = v128.load(from + 2 * far, 16);
      const dRe = v128.load(from + 3 * far);
      const dIm = v128.load(from + 3 * far, 16);
      const evenRe = f32x4.add(aRe, cRe);
      const evenIm = f32x4.add(aIm, cIm);
      const awayRe = f32x4.sub(aRe, cRe);
      const awayIm = f32x4.sub(aIm, cIm);
      const oddRe = f32x4.add(bRe, dRe);
      const oddIm = f32x4.add(bIm, dIm);
      const turnRe = f32x4.sub(bRe, dRe);
      const turnIm = f32x4.sub(bIm, dIm);
      v128.store(to, f32x4.add(evenRe, oddRe));
      v128.store(to, f32x4.add(evenIm, oddIm), 16);
      put(to + near, f32x4.add(awayRe, turnIm), f32x4.sub(awayIm, turnRe), re1, im1);
      put(to + 2 * near, f32x4.sub(evenRe, oddRe), f32x4.sub(evenIm, oddIm), re2, im2);
      put(to + 3 * near, f32x4.sub(awayRe, turnIm), f32x4.add(awayIm, turnRe), re3, im3);
    }
  }
}

function pass5(from: u32, to: u32, left: u32, before: u32, twiddles: u32): void {
  const near = PLACE * before;
  const far = near * left;
  const cos1 = f32x4.splat(0.30901699437494742);
  const cos2 = f32x4.splat(-0.80901699437494742);
  const sin1 = f32x4.splat(0.95105651629515357);
  const sin2 = f32x4.splat(0.58778525229247313);
  for (let p: u32 = 0; p < left; p++, twiddles += 32, to += 4 * near) {
    for (const end = from + near; from < end; from += PLACE, to += PLACE) {
      const aRe = v128.load(from);
      const aIm = v128.load(from, 16);
      const bRe = v128.load(from + far);
      const bIm = v128.load(from + far, 16);
      const cRe = v128.load(from + 2 * far);
      const cIm = v128.load(from + 2 * far, 16);
      const dRe = v128.load(from + 3 * far);
      const dIm = v128.load(from + 3 * far, 16);
      const eRe = v128.load(from + 4 * far);
      const eIm = v128.load(from + 4 * far, 16);
      const outRe = f32x4.add(bRe, eRe);
      const outIm = f32x4.add(bIm, eIm);
      const inRe = f32x4.add(cRe, dRe);
      const inIm = f32x4.add(cIm, dIm);
      const out2Re = f32x4.sub(bRe, eRe);
      const out2Im = f32x4.sub(bIm, eIm);
      const in2Re = f32x4.sub(cRe, dRe);
      const in2Im = f32x4.sub(cIm, dIm);
      v128.store(to, f32x4.add(aRe, f32x4.add(outRe, inRe)));
      v128.store(to, f32x4.add(aIm, f32x4.add(outIm, inIm)), 16);
      const mid1Re = f32x4.add(aRe, f32x4.add(f32x4.mul(cos1, outRe), f32x4.mul(cos2, inRe)));
      const mid1Im = f32x4.add(aIm, f32x4.add(f32x4.mul(cos1, outIm), f32x4.mul(cos2, inIm)));
      const turn1Re = f32x4.add(f32x4.mul(sin1, out2Re), f32x4.mul(sin2, in2Re));
      const turn1Im = f32x4.add(f32x4.mul(sin1, out2Im), f32x4.mul(sin2, in2Im));
      put(
        to + near,
        f32x4.add(mid1Re, turn1Im),
        f32x4.sub(mid1Im, turn1Re),
        v128.load32_splat(twiddles),
        v128.load32_splat(twiddles, 4),
      );
      put(
        to + 4 * near,
        f32x4.sub(mid1Re, turn1Im),
        f32x4.add(mid1Im, turn1Re),
        v128.load32_splat(twiddles, 24),
        v128.load32_splat(twiddles, 28),
      );
      const mid2Re = f32x4.add(aRe, f32x4.add(f32x4.mul(cos2, outRe), f32x4.mul(cos1, inRe)));
      const mid2Im = f32x4.add(aIm, f32x4.add(f32x4.mul(cos2, outIm), f32x4.mul(cos1, inIm)));
      const turn2Re = f32x4.sub(f32x4.mul(sin2, out2Re), f32x4.mul(sin1, in2Re));
      const turn2Im = f32x4.sub(f32x4.mul(sin2, out2Im), f32x4.mul(sin1, in2Im));
      put(
        to + 2 * near,
        f32x4.add(mid2Re, turn2Im),
        f32x4.sub(mid2Im, turn2Re),
        v128.load32_splat(twiddles, 8),
        v128.load32_splat(twiddles, 12),
      );
      put(
        to + 3 * near,
        f32x4.sub(mid2Re, turn2Im),
        f32x4.add(mid2Im, turn2Re),
        v128.load32_splat(twiddles, 16),
        v128.load32_splat(twiddles, 20),
      );
    }
  }
}
