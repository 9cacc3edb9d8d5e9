import { growTo, madeOnce, startWasm, type WasmModule } from '../wasm.ts';
import { BLOSC_KERNEL } from './blosc-kernel-bytes.ts';

/** Where a stream lies in a blosc buffer. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** One block of a blosc buffer. */
export interface LzBlock {
  /** The whole buffer. */
  readonly bytes: Uint8Array;
  /** Its streams, one after the other; each decodes to an equal part of the block. */
  readonly streams: readonly Span[];
  /** Bytes of an element if its bytes are shuffled; 1 if they are not. */
  readonly typeSize: 1 | 2 | 4;
}

/** Decodes lz4 blocks with 16 bytes at a time. */
export interface BloscKernel {
  /** Decodes a block into `target`, which is as long as the block; false if the block is damaged. */
  decodeInto(block: LzBlock, target: Uint8Array): boolean;
}

/** What the compiled module offers; all arguments are places in its memory. */
interface KernelExports {
  decodeLz4(s: number, sEnd: number, t: number, tEnd: number): number;
  unshuffle2(s: number, t: number, count: number): void;
  unshuffle4(s: number, t: number, count: number): void;
}

/** The kernel may read and write this far beyond the end of what it works on. */
const SLACK = 64;

/**
 * The kernel in WebAssembly, made when first asked for; nothing where the platform has no SIMD, or where the page's
 * Content-Security-Policy refuses WebAssembly.
 *
 * One serves all: a block is decoded without waiting, and nothing is left in its memory.
 */
export const bloscKernel: () => BloscKernel | undefined = madeOnce(makeKernel);

function makeKernel(): BloscKernel | undefined {
  const module = startWasm<KernelExports>(BLOSC_KERNEL);
  return module && { decodeInto: (block, target) => decodeInto(module, block, target) };
}

function decodeInto(
  { memory, exports: { decodeLz4, unshuffle2, unshuffle4 } }: WasmModule<KernelExports>,
  { bytes, streams, typeSize }: LzBlock,
  target: Uint8Array,
): boolean {
  const first = streams[0]!.start;
  const source = bytes.subarray(first, streams.at(-1)!.end);
  const plain = roundUp(source.length);
  const out = plain + roundUp(target.length);
  growTo(memory, out + roundUp(target.length));
  const heap = new Uint8Array(memory.buffer);
  heap.set(source);
  const part = target.length / streams.length;
  for (const [n, { start, end }] of streams.entries()) {
    const to = plain + n * part;
    // What did not compress is stored as it is.
    if (end - start === part) heap.copyWithin(to, start - first, end - first);
    else if (!decodeLz4(start - first, end - first, to, to + part)) return false;
  }
  const count = Math.floor(target.length / typeSize);
  if (typeSize === 4) unshuffle4(plain, out, count);
  if (typeSize === 2) unshuffle2(plain, out, count);
  const done = typeSize === 1 ? 0 : count * typeSize;
  target.set(heap.subarray(out, out + done));
  target.set(heap.subarray(plain + done, plain + target.length), done);
  return true;
}

function roundUp(bytes: number): number {
  return Math.ceil((bytes + SLACK) / 64) * 64;
}
