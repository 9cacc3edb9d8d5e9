import { expect } from 'vitest';
import type { ScoreSlab } from '../../src/entry/index.ts';

/** A whole score map `[class, z, y, x]`, put together from slabs whose order and fit are checked. */
export interface ScoreMap {
  readonly data: Float32Array;
  readonly shape: readonly [number, number, number, number];
  readonly classes: readonly string[];
}

/** Joins slabs; fails the test if they leave a gap, overlap, change their grid or stop early. */
export async function joinSlabs(slabs: AsyncIterable<ScoreSlab> | Iterable<ScoreSlab>): Promise<ScoreMap> {
  let map: { data: Float32Array; shape: [number, number, number, number]; classes: readonly string[] } | undefined;
  let next = 0;
  let length = 0;
  for await (const { grid, axis, start, classes, scores } of slabs) {
    const shape: [number, number, number, number] = [classes.length, ...grid.shape];
    map ??= { data: new Float32Array(shape[0] * shape[1] * shape[2] * shape[3]).fill(Number.NaN), shape, classes };
    expect(map.shape).toEqual(shape);
    expect(start).toBe(next);
    const expected = [...shape];
    expected[axis + 1] = scores.shape[axis + 1];
    expect(scores.shape).toEqual(expected);
    next += scores.shape[axis + 1];
    length = grid.shape[axis];
    const at = [0, 0, 0, 0];
    at[axis + 1] = start;
    copyInto(scores, map, at);
  }
  if (map === undefined) throw new Error('no slab');
  expect(next).toBe(length);
  return map;
}

function copyInto(
  { data, shape, stride, offset }: ScoreSlab['scores'],
  map: { data: Float32Array; shape: readonly number[] },
  at: readonly number[],
): void {
  const [, depth, height, width] = map.shape;
  for (let k = 0; k < shape[0]; k++)
    for (let z = 0; z < shape[1]; z++)
      for (let y = 0; y < shape[2]; y++)
        for (let x = 0; x < shape[3]; x++) {
          const to = ((k * depth + z + at[1]) * height + y + at[2]) * width + x + at[3];
          if (!Number.isNaN(map.data[to])) throw new Error('a score comes twice');
          map.data[to] = data[offset + k * stride[0] + z * stride[1] + y * stride[2] + x * stride[3]];
        }
}
