// The softmax over the classes of a score map, in AssemblyScript with four voxels at a time.
// `bash scripts/wasm/build.sh` compiles it into src/wasm/modules.ts.

/**
 * In place, on float32 scores `[class, voxel]` at `at`: `classes` channels of `size` voxels, `size` a multiple of 4.
 *
 * As the loop of src/inference/activation.ts; exp is right to 3e-7, by a polynomial of degree 6 on −0.35 … 0.35.
 */
export function softmax(at: u32, size: u32, classes: u32): void {
  const channel = 4 * size;
  const end = at + channel * classes;
  for (let i = at; i < at + channel; i += 16) {
    let greatest = v128.load(i);
    for (let k = i + channel; k < end; k += channel) greatest = f32x4.max(greatest, v128.load(k));
    let sum = f32x4.splat(0);
    for (let k = i; k < end; k += channel) {
      const value = exp(f32x4.sub(v128.load(k), greatest));
      v128.store(k, value);
      sum = f32x4.add(sum, value);
    }
    const share = f32x4.div(f32x4.splat(1), sum);
    for (let k = i; k < end; k += channel) v128.store(k, f32x4.mul(v128.load(k), share));
  }
}

/** exp of numbers of at most 0; below −88 it is 0. NaN stays. */
// @ts-expect-error: decorator
@inline
function exp(number: v128): v128 {
  const x = f32x4.max(number, f32x4.splat(-88.5));
  const whole = f32x4.nearest(f32x4.mul(x, f32x4.splat(1.44269504088896341)));
  // x less so many times log 2, which is cut in two, so that the first product is exact.
  const above = f32x4.sub(x, f32x4.mul(whole, f32x4.splat(0.693359375)));
  const rest = f32x4.sub(above, f32x4.mul(whole, f32x4.splat(-2.12194440e-4)));
  // Taylor's series of exp.
  let value = f32x4.splat(1.3888888888888889e-3);
  value = f32x4.add(f32x4.mul(value, rest), f32x4.splat(8.3333333333333333e-3));
  value = f32x4.add(f32x4.mul(value, rest), f32x4.splat(4.1666666666666667e-2));
  value = f32x4.add(f32x4.mul(value, rest), f32x4.splat(0.16666666666666667));
  value = f32x4.add(f32x4.mul(value, rest), f32x4.splat(0.5));
  value = f32x4.add(f32x4.mul(value, rest), f32x4.splat(1));
  value = f32x4.add(f32x4.mul(value, rest), f32x4.splat(1));
  // A float32 of 2^n is n + 127 in the bits of its exponent; that of −127 and less is 0.
  const exponent = i32x4.max_s(i32x4.add(i32x4.trunc_sat_f32x4_s(whole), i32x4.splat(127)), i32x4.splat(0));
  return f32x4.mul(value, i32x4.shl(exponent, 23));
}
