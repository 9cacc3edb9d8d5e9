import { readFileSync } from 'node:fs';
import type { ScoreSlab } from 'cryoet-picks';

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

/** A score map as slabs of 32 planes along y, as the runner gives them for a tomogram of this shape (its longest axis). */
export function* slabsOf(scores: Float32Array): Generator<ScoreSlab> {
  const [depth, height, width] = SHAPE;
  const grid = { shape: SHAPE, voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } } as const;
  for (let start = 0; start < height; start += 32) {
    const planes = Math.min(32, height - start);
    const shape = [1, depth, planes, width] as const;
    const stride = [depth * height * width, height * width, width, 1] as const;
    yield { grid, axis: 1, start, classes: [0], scores: { data: scores, shape, stride, offset: start * width } };
  }
}
