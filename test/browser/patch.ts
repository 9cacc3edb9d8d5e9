import type { TileBatch } from '../../src/entry/index.ts';
import { createRandom } from '../../src/entry/simulate.ts';

/** Noise of mean 0, deviation 1 and fixed seed, 16×32×24 voxels. */
export function patch(): TileBatch {
  const shape = [1, 16, 32, 24] as const;
  const random = createRandom(5);
  return { data: Float32Array.from({ length: 16 * 32 * 24 }, () => random.normal()), shape };
}
