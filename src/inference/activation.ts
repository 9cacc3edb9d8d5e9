import { forEachRange, madeOnce } from '../core/concurrency.ts';
import { startWasm } from '../wasm/instantiate.ts';
import { SOFTMAX_KERNEL } from '../wasm/modules.ts';
import type { Activation } from './model.ts';

/** Scores that are activated in one piece: some milliseconds, and the memory of the kernel. */
const PIECE = 2 ** 19;

/**
 * Applies an activation, in place, to scores `[class, …]` of several classes; every few milliseconds the event loop gets a turn.
 *
 * @param scores - C-order, `classes` channels of equal length.
 */
export async function activate(activation: Activation, scores: Float32Array, classes: number): Promise<void> {
  if (activation === 'none') return;
  const size = scores.length / classes;
  const softmax = softmaxKernel() ?? plainSoftmax;
  const apply = (from: number, to: number) => {
    if (activation === 'softmax') softmax(scores, size, from, to);
    else for (let k = 0; k < classes; k++) sigmoid(scores.subarray(k * size + from, k * size + to));
  };
  await forEachRange(size, apply, voxelsOfPiece(classes));
}

/** Voxels whose scores make up a piece: fours, which the kernel works on. */
function voxelsOfPiece(classes: number): number {
  return Math.max(4, 4 * Math.floor(PIECE / (4 * classes)));
}

function sigmoid(scores: Float32Array): void {
  for (let i = 0; i < scores.length; i++) scores[i] = 1 / (1 + Math.exp(-scores[i]));
}

/** exp(d) is 2^(q / FRACTIONS) · exp(r) for a whole number q and a small rest r: one table for each half of q's bits. */
const FRACTION_BITS = 10;
const FRACTIONS = 1 << FRACTION_BITS;
/** exp of a smaller number rounds to 0 in float32. */
const MIN_EXPONENT = -104;
const WHOLE = Math.ceil(-MIN_EXPONENT / Math.LN2);
const fractions = Float64Array.from({ length: FRACTIONS }, (_, i) => 2 ** (i / FRACTIONS));
const powers = Float64Array.from({ length: WHOLE + 1 }, (_, i) => 2 ** (i - WHOLE));
const perUnit = FRACTIONS / Math.LN2;
const unit = Math.LN2 / FRACTIONS;

/**
 * Applies softmax over the classes of each voxel. The maximum score is subtracted first, so that nothing overflows and every
 * exponent is 0 or less: tables of these are twice as fast as `Math.exp`, and right to 1e-9 before rounding to float32.
 */
export function plainSoftmax(scores: Float32Array, size: number, from: number, to: number): void {
  const end = scores.length;
  for (let i = from; i < to; i++) {
    let greatest = scores[i];
    for (let k = i + size; k < end; k += size) {
      const score = scores[k];
      // NaN stays: the blender reports it.
      if (!(score <= greatest)) greatest = score;
    }
    let sum = 0;
    for (let k = i; k < end; k += size) {
      let difference = scores[k] - greatest;
      if (difference < MIN_EXPONENT) difference = MIN_EXPONENT;
      const steps = difference * perUnit;
      const q = steps | 0;
      const rest = difference - q * unit;
      const value =
        powers[(q >> FRACTION_BITS) + WHOLE] * fractions[q & (FRACTIONS - 1)] * (1 + rest * (1 + 0.5 * rest));
      scores[k] = value;
      sum += value;
    }
    const share = 1 / sum;
    for (let k = i; k < end; k += size) scores[k] *= share;
  }
}

/** Softmax over the classes of voxels `from` … `to`, in place, of scores `[class, voxel]` with `size` voxels. */
export type Softmax = (scores: Float32Array, size: number, from: number, to: number) => void;

/** The function of the compiled module, which works on scores at a place in its memory. */
interface KernelExports {
  softmax(at: number, size: number, classes: number): void;
}

/**
 * Softmax of four voxels at a time in WebAssembly, six times as fast as the plain loop and equal to it within 1e-6; undefined
 * without WebAssembly with SIMD.
 */
export const softmaxKernel: () => Softmax | undefined = madeOnce(makeKernel);

function makeKernel(): Softmax | undefined {
  const module = startWasm<KernelExports>(SOFTMAX_KERNEL, 4 * PIECE);
  if (!module) return undefined;
  const { memory, exports } = module;
  return (scores, size, from, to) => {
    const classes = scores.length / size;
    const heap = new Float32Array(memory.buffer);
    const atOnce = voxelsOfPiece(classes);
    if (atOnce * classes > heap.length) return plainSoftmax(scores, size, from, to);
    for (let start = from; start < to; start += atOnce) {
      const end = Math.min(to, start + atOnce);
      // The voxels that fill up the last four may hold anything.
      const channel = 4 * Math.ceil((end - start) / 4);
      for (let k = 0; k < classes; k++) heap.set(scores.subarray(k * size + start, k * size + end), k * channel);
      exports.softmax(0, channel, classes);
      for (let k = 0; k < classes; k++) {
        scores.set(heap.subarray(k * channel, k * channel + end - start), k * size + start);
      }
    }
  };
}
