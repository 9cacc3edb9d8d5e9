import { memoryStore, type Point, type Store, subStore, writeTomogram, type Zyx } from '../../src/entry/index.ts';
import { createRandom } from '../../src/entry/simulate.ts';
import { sourceOf } from './volumes.ts';

/** Voxels of the tomograms. */
export const randomShape = [8, 12, 16] as const;

interface RandomTomogram {
  readonly seed: number;
  readonly chunkShape?: Zyx | undefined;
  readonly origin?: Point;
}

/** Writes a tomogram of random voxels, in place of the one that the run has. */
export async function writeRandom(
  store: Store,
  run: string,
  { seed, chunkShape, ...geometry }: RandomTomogram,
): Promise<void> {
  const random = createRandom(seed);
  const data = Float32Array.from({ length: 8 * 12 * 16 }, () => random.normal());
  const folder = subStore(store, `/ExperimentRuns/${run}/VoxelSpacing10.000/denoised.zarr`);
  const source = sourceOf(data, randomShape, { voxelSize: [10.012, 10.012, 10.012], ...geometry });
  await writeTomogram(folder, source, { levels: 1, chunkShape, overwrite: true });
}

/** A static tree with a random tomogram in each run. */
export async function tomograms(runs: readonly string[], chunkShape?: Zyx): Promise<Store> {
  const store = memoryStore();
  for (const [seed, run] of runs.entries()) await writeRandom(store, run, { seed, chunkShape });
  return store;
}

/** Cuts off the end of a chunk of a run; the function that it gives mends it. */
export async function damageRun(store: Store, run: string): Promise<() => Promise<void>> {
  const chunk = `/ExperimentRuns/${run}/VoxelSpacing10.000/denoised.zarr/0/0/0/0` as const;
  const bytes = (await store.get(chunk))!;
  await store.set(chunk, bytes.subarray(0, bytes.length - 9));
  return () => store.set(chunk, bytes);
}
