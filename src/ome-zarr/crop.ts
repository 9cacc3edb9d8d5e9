import type { ChunkData, DecodedChunk } from './array.ts';

type ChunkDataConstructor = new (memory: number | ArrayBufferLike, offset?: number, length?: number) => ChunkData;

/** Shape of the part of a chunk that lies inside its array. */
export function extentsInside(
  at: readonly number[],
  { shape, chunkShape }: { readonly shape: readonly number[]; readonly chunkShape: readonly number[] },
): number[] {
  return shape.map((extent, axis) => Math.min(chunkShape[axis]!, extent - at[axis]! * chunkShape[axis]!));
}

/** Part of a chunk that is kept though it lies outside the array: cutting it off takes a copy. */
export const KEPT_WASTE: number = 0.25;

/**
 * A copy of the first `extents` values of a chunk along each dimension, in the chunk's own memory order. Chunks at the end of
 * an array keep no memory for what lies beyond it: a 4×4×4 array in a chunk of 256³ is 256 bytes, not 64 MiB.
 *
 * @param into - Memory for the copy, used if it has its length.
 */
export function cropChunk(
  { data, stride }: DecodedChunk,
  extents: readonly number[],
  into?: Uint8Array | undefined,
): DecodedChunk {
  const axes = extents.map((_, axis) => axis).sort((a, b) => stride[b]! - stride[a]!);
  const outer = [...axes];
  // Axes that are taken whole are one run together with the next one out.
  let run = 1;
  while (outer.length > 0 && stride[outer.at(-1)!]! === run) run *= extents[outer.pop()!]!;
  const length = extents.reduce((product, extent) => product * extent, 1);
  const Data = data.constructor as ChunkDataConstructor;
  const isFit = into?.byteLength === length * data.BYTES_PER_ELEMENT;
  const out = isFit ? new Data(into.buffer, into.byteOffset, length) : new Data(length);
  const index = outer.map(() => 0);
  for (let to = 0; to < length; to += run) {
    const from = outer.reduce((sum, axis, i) => sum + index[i]! * stride[axis]!, 0);
    (out as Uint8Array).set((data as Uint8Array).subarray(from, from + run), to);
    for (let i = outer.length - 1; i >= 0; i--) {
      index[i]!++;
      if (index[i]! < extents[outer[i]!]!) break;
      index[i] = 0;
    }
  }
  return { data: out, stride: packedStride(axes, extents) };
}

function packedStride(axes: readonly number[], extents: readonly number[]): number[] {
  const stride = extents.map(() => 1);
  for (let i = axes.length - 2; i >= 0; i--) stride[axes[i]!] = stride[axes[i + 1]!]! * extents[axes[i + 1]!]!;
  return stride;
}

/** Strides, in elements, of an array in C order. */
export function contiguousStrides(shape: readonly number[]): number[] {
  return packedStride(
    shape.map((_, axis) => axis),
    shape,
  );
}
