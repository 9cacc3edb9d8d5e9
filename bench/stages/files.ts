import { readFileSync } from 'node:fs';
import { openTomogram, type ReadableStore, type ScoreSlab, type StoreKey, type Tomogram } from 'cryoet-picks';
import { directoryStore } from 'cryoet-picks/node';

export const SHAPE = [184, 630, 630] as const;

const data = new URL('../data/', import.meta.url);

/** The path of a file that `bench/make_data.py` made. */
export function dataPath(name: string): string {
  return new URL(name, data).pathname;
}

export function floats(name: string): Float32Array {
  const { buffer, byteOffset, byteLength } = readFileSync(dataPath(name));
  return new Float32Array(buffer, byteOffset, byteLength / 4);
}

export function doubles(name: string): Float64Array {
  return new Float64Array(new Uint8Array(readFileSync(dataPath(name))).buffer);
}

/** Thresholds of the score map by the percentage of voxels that reach them. */
export function thresholds(): Readonly<Record<string, number>> {
  return JSON.parse(readFileSync(dataPath('thresholds.json'), 'utf8')) as Record<string, number>;
}

/** The tomogram in chunks of 128³, or one so many times as long along y, of the same chunks. */
export function openLong(times: number): Promise<Tomogram> {
  const store = directoryStore(dataPath('lz4-128.zarr'), { readOnly: true });
  return openTomogram(times === 1 ? store : repeated(store, times));
}

function repeated(store: ReadableStore, times: number): ReadableStore {
  const fullChunks = Math.floor(SHAPE[1] / 128);
  const stored = (key: StoreKey) =>
    key.replace(/^(.*\/\d+)\/(\d+)\/(\d+)$/, (_, z, y, x) => `${z}/${Number(y) % fullChunks}/${x}`) as StoreKey;
  return {
    location: `${store.location}, ${times} times`,
    getRange: (key, range, options) => store.getRange(stored(key), range, options),
    async get(key, options) {
      const value = await store.get(stored(key), options);
      if (key !== '/0/.zarray' || value === undefined) return value;
      const metadata = JSON.parse(new TextDecoder().decode(value));
      const shape = [SHAPE[0], SHAPE[1] * times, SHAPE[2]];
      return new TextEncoder().encode(JSON.stringify({ ...metadata, shape }));
    },
  };
}

/** How {@link slabsOf} multiplies a score map. */
export interface SlabsOptions {
  /** How often it is repeated along y. @defaultValue 1 */
  readonly times?: number | undefined;
  /** Classes, all with the same scores. @defaultValue 1 */
  readonly classes?: number | undefined;
}

/** A score map as slabs of 32 planes along y, as the runner gives them for a tomogram of this shape (its longest axis). */
export function* slabsOf(scores: Float32Array, { times = 1, classes = 1 }: SlabsOptions = {}): Generator<ScoreSlab> {
  const [depth, height, width] = SHAPE;
  const grid = {
    shape: [depth, times * height, width],
    voxelSize: [10, 10, 10],
    origin: { x: 0, y: 0, z: 0 },
  } as const;
  const indices = Array.from({ length: classes }, (_, index) => index);
  for (let first = 0; first < times * height; first += height) {
    for (let start = 0; start < height; start += 32) {
      const planes = Math.min(32, height - start);
      const shape = [classes, depth, planes, width] as const;
      const stride = [0, height * width, width, 1] as const;
      const volume = { data: scores, shape, stride, offset: start * width };
      yield { grid, axis: 1, start: first + start, classes: indices, scores: volume };
    }
  }
}
