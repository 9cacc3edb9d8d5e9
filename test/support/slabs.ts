import fc from 'fast-check';
import type { Axis, ScoreSlab, ScoreVolume, VoxelGrid, Zyx } from '../../src/entry/index.ts';
import { voxelCount } from '../../src/space/grid.ts';

/** Scores of several classes in C-order `[class, z, y, x]`, and how to cut them. */
export interface Scores {
  readonly shape: Zyx;
  readonly classes: readonly string[];
  readonly values: Float32Array;
  /** Offsets `[3, z, y, x]`, for slabs that have them. */
  readonly offsets?: Float32Array | undefined;
}

export function gridOf(shape: Zyx): VoxelGrid {
  return { shape, voxelSize: [3, 2, 5], origin: { x: -7, y: 11, z: 0.5 } };
}

/** One class of scores from nested arrays `[z][y][x]`. */
export function scoresOf(nested: readonly (readonly (readonly number[])[])[]): Scores {
  const shape = [nested.length, nested[0].length, nested[0][0].length] as const;
  return { shape, classes: ['a'], values: Float32Array.from(nested.flat(2)) };
}

/** A volume of one class, all of one score. */
export function flatScores(shape: Zyx, score: number): Scores {
  return { shape, classes: ['a'], values: new Float32Array(voxelCount(shape)).fill(score) };
}

/**
 * Slabs along an axis, cut before the given planes. Each is a copy in an order and with an offset of its own, so that
 * nothing that reads them can lean on C-order.
 */
export function* slabsOf(
  { shape, classes, values, offsets }: Scores,
  axis: Axis,
  cuts: readonly number[] = [],
): Generator<ScoreSlab> {
  const edges = [0, ...[...new Set(cuts)].filter((c) => c > 0 && c < shape[axis]).sort((a, b) => a - b), shape[axis]];
  for (let n = 0; n + 1 < edges.length; n++) {
    const [start, end] = [edges[n], edges[n + 1]];
    const cut = (data: Float32Array, channels: number, reversed: boolean) =>
      cutVolume({ shape, channels, data }, axis, start, end, reversed);
    yield {
      grid: gridOf(shape),
      axis,
      start,
      classes,
      scores: cut(values, classes.length, n % 2 === 0),
      ...(offsets && { offsets: cut(offsets, 3, n % 3 === 0) }),
    };
  }
}

function cutVolume(
  { shape, channels, data: values }: { readonly shape: Zyx; readonly channels: number; readonly data: Float32Array },
  axis: Axis,
  start: number,
  end: number,
  reversed: boolean,
): ScoreVolume {
  const part: [number, number, number, number] = [channels, ...shape];
  part[axis + 1] = end - start;
  const [c, d, h, w] = part;
  const stride = reversed ? ([1, c, c * d, c * d * h] as const) : ([d * h * w, h * w, w, 1] as const);
  const offset = 3;
  const data = new Float32Array(offset + c * d * h * w).fill(1e9, 0, offset);
  const first: [number, number, number] = [0, 0, 0];
  first[axis] = start;
  for (let k = 0; k < c; k++) {
    for (let z = 0; z < d; z++) {
      for (let y = 0; y < h; y++) {
        for (let x = 0; x < w; x++) {
          data[offset + k * stride[0] + z * stride[1] + y * stride[2] + x * stride[3]] =
            values[((k * shape[0] + z + first[0]) * shape[1] + y + first[1]) * shape[2] + x + first[2]];
        }
      }
    }
  }
  return { data, shape: part, stride, offset };
}

/** Random scores of one or two classes, drawn from few values so that ties abound, with a random sweep and cuts. */
export function arbitrarySweep(
  levels: readonly number[],
): fc.Arbitrary<{ scores: Scores; axis: Axis; cuts: number[] }> {
  const side = fc.integer({ min: 1, max: 6 });
  return fc
    .record({ shape: fc.tuple(side, side, side), classes: fc.constantFrom(['a'], ['d', 'b']) })
    .chain(({ shape, classes }) => {
      const count = voxelCount(shape) * classes.length;
      return fc.record({
        scores: fc
          .array(fc.constantFrom(...levels), { minLength: count, maxLength: count })
          .map((values) => ({ shape, classes, values: Float32Array.from(values) }) as Scores),
        axis: fc.constantFrom<Axis>(0, 1, 2),
        cuts: fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 6 }),
      });
    });
}

export async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}
