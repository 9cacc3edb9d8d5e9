import { cpSync, existsSync, linkSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { openTomogram, type ScoreSlab, type Tomogram } from 'cryoet-picks';
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

/** The tomogram in chunks of 128³, repeated `times` along y: a folder of links to the same chunks. */
export function openLong(times: number): Promise<Tomogram> {
  const once = dataPath('lz4-128.zarr');
  const path = times === 1 ? once : dataPath(`lz4-128-times-${times}.zarr`);
  if (!existsSync(path)) linkTimes(once, path, times);
  return openTomogram(directoryStore(path, { readOnly: true }));
}

function linkTimes(once: string, path: string, times: number): void {
  const unfinished = `${path}.${process.pid}`;
  cpSync(once, unfinished, { recursive: true, filter: (from) => !/\/\d+\/\d+$/.test(from) });
  const { shape, chunks, ...rest } = JSON.parse(readFileSync(`${once}/0/.zarray`, 'utf8'));
  const longer = [shape[0], shape[1] * times, shape[2]];
  writeFileSync(`${unfinished}/0/.zarray`, JSON.stringify({ shape: longer, chunks, ...rest }));
  const [depth, height, width] = longer.map((extent, axis) => Math.ceil(extent / chunks[axis]));
  const whole = Math.floor(shape[1] / chunks[1]);
  for (let z = 0; z < depth!; z++) {
    for (let y = 0; y < height!; y++) {
      mkdirSync(`${unfinished}/0/${z}/${y}`, { recursive: true });
      for (let x = 0; x < width!; x++) {
        linkSync(`${once}/0/${z}/${y % whole}/${x}`, `${unfinished}/0/${z}/${y}/${x}`);
      }
    }
  }
  renameSync(unfinished, path);
}

/** Options of {@link slabsOf}. */
export interface SlabsOptions {
  /** Number of repetitions along y. @defaultValue 1 */
  readonly times?: number | undefined;
  /** Number of classes, all with the same scores. @defaultValue 1 */
  readonly classes?: number | undefined;
}

/** A score map as slabs of 32 planes along y, as `scoreSlabs` yields them for a tomogram of this shape. */
export function* slabsOf(scores: Float32Array, { times = 1, classes = 1 }: SlabsOptions = {}): Generator<ScoreSlab> {
  const [depth, height, width] = SHAPE;
  const grid = {
    shape: [depth, times * height, width],
    voxelSize: [10, 10, 10],
    origin: { x: 0, y: 0, z: 0 },
  } as const;
  const names = Array.from({ length: classes }, (_, index) => `class ${index}`);
  for (let first = 0; first < times * height; first += height) {
    for (let start = 0; start < height; start += 32) {
      const planes = Math.min(32, height - start);
      const shape = [classes, depth, planes, width] as const;
      const stride = [0, height * width, width, 1] as const;
      const volume = { data: scores, shape, stride, offset: start * width };
      yield { grid, axis: 1, start: first + start, classes: names, scores: volume };
    }
  }
}
