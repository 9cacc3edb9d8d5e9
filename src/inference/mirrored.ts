import type { SpareMemory } from '../spare-memory.ts';
import type { ModelSpec, ScoreBatch } from './model.ts';
import { inPieces, PIECE } from './pieces.ts';

/** Offsets along mirrored axes point the other way. */
export function turnOffsets({ data, shape }: ScoreBatch, { offsets }: ModelSpec, flipped: readonly boolean[]): void {
  const size = shape[2] * shape[3] * shape[4];
  for (let i = 0; i < shape[0]; i++) {
    offsets?.forEach((channel, axis) => {
      const from = (i * shape[1] + channel) * size;
      if (flipped[axis]) for (let j = from; j < from + size; j++) data[j] *= -1;
    });
  }
}

/** A copy of the batch with its last three axes mirrored as told, in spare memory where there is some. */
export async function mirrored<S extends readonly number[]>(
  { data, shape }: { readonly data: Float32Array; readonly shape: S },
  flipped: readonly boolean[],
  spare: SpareMemory,
): Promise<{ readonly data: Float32Array; readonly shape: S }> {
  const [depth, height, width] = shape.slice(-3);
  const [flipZ, flipY, flipX] = flipped;
  const copy = spare.take(data.length) ?? new Float32Array(data.length);
  const mirrorRows = (first: number, end: number) => {
    for (let row = first; row < end; row++) {
      const y = row % height;
      const z = Math.floor(row / height) % depth;
      const block = row - z * height - y;
      const from = block + (flipZ ? depth - 1 - z : z) * height + (flipY ? height - 1 - y : y);
      const line = data.subarray(from * width, (from + 1) * width);
      copy.set(line, row * width);
      if (flipX) copy.subarray(row * width, (row + 1) * width).reverse();
    }
  };
  await inPieces(data.length / width, mirrorRows, Math.ceil(PIECE / width));
  return { data: copy, shape };
}
