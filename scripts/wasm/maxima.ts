// The first look for local maxima, in AssemblyScript with sixteen voxels at a time.
// `bash scripts/wasm/build.sh` compiles it into src/wasm/modules.ts.

/**
 * Of float32 scores `[line, column]` at `at`, finds those that reach a threshold and that no neighbour exceeds: on the left,
 * on the right, on the line before or after, nor at the same place of the scores at `above` and at `below`, which are `at`
 * again where there are none. NaN exceeds nothing and reaches nothing.
 *
 * Writes their places, rising, as uint32 to `out`, and returns how many there are.
 */
export function candidates(
  at: u32,
  above: u32,
  below: u32,
  lines: u32,
  columns: u32,
  threshold: f32,
  out: u32,
): u32 {
  const least = f32x4.splat(threshold);
  const width = 4 * columns;
  const end = at + lines * width;
  const toAbove = above - at;
  const toBelow = below - at;
  let next = out;
  for (let line = at; line < end; line += width) {
    // Beside themselves, scores of the first and last line have nobody to exceed them there.
    const before = line > at ? width : 0;
    const after = line + width < end ? width : 0;
    const last = line + width - 4;
    // The first and the last score of a line have nobody on one side.
    if (isCandidate(line, line, last, before, after, toAbove, toBelow, threshold)) next = put(line - at, next);
    let i = line + 4;
    for (; i + 60 < last; i += 64) {
      const any = v128.or(
        v128.or(f32x4.ge(v128.load(i), least), f32x4.ge(v128.load(i, 16), least)),
        v128.or(f32x4.ge(v128.load(i, 32), least), f32x4.ge(v128.load(i, 48), least)),
      );
      if (!v128.any_true(any)) continue;
      for (let j = i; j < i + 64; j += 16) {
        const scores = v128.load(j);
        const exceeded = v128.or(
          v128.or(f32x4.gt(v128.load(j - 4), scores), f32x4.gt(v128.load(j + 4), scores)),
          v128.or(
            v128.or(f32x4.gt(v128.load(j - before), scores), f32x4.gt(v128.load(j + after), scores)),
            v128.or(f32x4.gt(v128.load(j + toAbove), scores), f32x4.gt(v128.load(j + toBelow), scores)),
          ),
        );
        let found = i32x4.bitmask(v128.andnot(f32x4.ge(scores, least), exceeded));
        for (; found !== 0; found &= found - 1) next = put(j - at + 4 * ctz(found), next);
      }
    }
    for (; i <= last; i += 4) {
      if (isCandidate(i, line, last, before, after, toAbove, toBelow, threshold)) next = put(i - at, next);
    }
  }
  return (next - out) >> 2;
}

// @ts-expect-error: decorator
@inline
function isCandidate(i: u32, first: u32, last: u32, before: u32, after: u32, toAbove: u32, toBelow: u32, threshold: f32): bool {
  const score = load<f32>(i);
  return (
    score >= threshold &&
    !(i > first && load<f32>(i - 4) > score) &&
    !(i < last && load<f32>(i + 4) > score) &&
    !(load<f32>(i - before) > score) &&
    !(load<f32>(i + after) > score) &&
    !(load<f32>(i + toAbove) > score) &&
    !(load<f32>(i + toBelow) > score)
  );
}

// @ts-expect-error: decorator
@inline
function put(place: u32, next: u32): u32 {
  store<u32>(next, place >> 2);
  return next + 4;
}
