import { finiteNumber, listOf, requireArgument, seedNumber } from '../core/arguments.ts';

/** A rotation as a 3×3 matrix, row by row, acting on column vectors (x, y, z). */
export type Rotation = readonly [number, number, number, number, number, number, number, number, number];

/** A stream of random numbers determined by its seed. */
export interface Random {
  /** The next 32 random bits, as an integer from 0 to 2³² − 1. */
  uint32(): number;
  /** Uniform over [0, 1), in steps of 2⁻³². */
  uniform(): number;
  /** Standard normal, by the polar method. */
  normal(): number;
  /** Uniform over the integers 0 … count − 1. */
  integer(count: number): number;
  /** Uniform over all rotations. */
  rotation(): Rotation;
  /** Returns the items in a random order, without changing the input. */
  shuffle<T>(items: readonly T[]): T[];
}

/**
 * Makes a seeded stream of random numbers: sfc32 of PractRand (C. Doty-Humphrey, public domain), seeded through
 * splitmix32, in 32-bit integer arithmetic, so it gives the same bits on every machine.
 *
 * Different values of `stream` give independent numbers for the same seed, so that a change in one part of a simulation does not
 * shift the numbers of another.
 *
 * @example
 * ```ts
 * const random = createRandom(7);
 * random.uniform(); // the same number, always
 * ```
 */
export function createRandom(seed: number, stream = 0): Random {
  requireArgument('createRandom', 'seed', seed, seedNumber);
  requireArgument('createRandom', 'stream', stream, seedNumber);
  const next32 = sfc32(seed, stream);
  let spare = Number.NaN;
  const uniform = (): number => next32() / 4294967296;
  const integer = (count: number): number => {
    if (!Number.isFinite(count)) requireArgument('random.integer', 'count', count, finiteNumber);
    return Math.floor(uniform() * count);
  };
  const normal = (): number => {
    if (!Number.isNaN(spare)) {
      const kept = spare;
      spare = Number.NaN;
      return kept;
    }
    for (;;) {
      const u = 2 * uniform() - 1;
      const v = 2 * uniform() - 1;
      const s = u * u + v * v;
      if (s >= 1 || s === 0) continue;
      const factor = Math.sqrt((-2 * Math.log(s)) / s);
      spare = v * factor;
      return u * factor;
    }
  };
  const shuffle = <T>(items: readonly T[]): T[] => {
    requireArgument('random.shuffle', 'items', items, listOf('items'));
    const result = [...items];
    for (let i = result.length - 1; i > 0; i--) {
      const j = integer(i + 1);
      [result[i], result[j]] = [result[j]!, result[i]!];
    }
    return result;
  };
  return { uint32: next32, uniform, normal, integer, shuffle, rotation: () => randomRotation(uniform) };
}

function sfc32(seed: number, stream: number): () => number {
  // Both halves of the seed's 53 bits are used, and its sign, so that −1 and 1 differ.
  const low = seed >>> 0;
  const high = Math.floor(seed / 4294967296) >>> 0;
  let state = (low ^ Math.imul(high, 0x85ebca6b) ^ Math.imul(stream, 0xc2b2ae35)) >>> 0;
  const splitmix32 = (): number => {
    state = (state + 0x9e3779b9) | 0;
    let t = state ^ (state >>> 16);
    t = Math.imul(t, 0x21f0aaad);
    t ^= t >>> 15;
    t = Math.imul(t, 0x735a2d97);
    return t ^ (t >>> 15);
  };
  let a = splitmix32();
  let b = splitmix32();
  let c = splitmix32();
  let counter = 1;
  const next = (): number => {
    const result = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + result) | 0;
    return result >>> 0;
  };
  for (let i = 0; i < 12; i++) next();
  return next;
}

/**
 * A uniformly random unit quaternion as a matrix: two points in the unit disc, the second scaled onto the 3-sphere. It has the
 * distribution of K. Shoemake's method, without sine and cosine, which engines round differently.
 *
 * Source: G. Marsaglia, Ann. Math. Stat. 43, 645, 1972.
 */
function randomRotation(uniform: () => number): Rotation {
  const [a, b, s] = pointInDisc(uniform);
  const [c, d, t] = pointInDisc(uniform);
  const scale = Math.sqrt((1 - s) / t);
  return quaternionRotation(a, b, c * scale, d * scale);
}

function pointInDisc(uniform: () => number): [number, number, number] {
  for (;;) {
    const u = 2 * uniform() - 1;
    const v = 2 * uniform() - 1;
    const s = u * u + v * v;
    if (s < 1 && s > 0) return [u, v, s];
  }
}

/** The matrix of the unit quaternion w + x·i + y·j + z·k. */
function quaternionRotation(w: number, x: number, y: number, z: number): Rotation {
  return [
    1 - 2 * (y * y + z * z),
    2 * (x * y - w * z),
    2 * (x * z + w * y),
    2 * (x * y + w * z),
    1 - 2 * (x * x + z * z),
    2 * (y * z - w * x),
    2 * (x * z - w * y),
    2 * (y * z + w * x),
    1 - 2 * (x * x + y * y),
  ];
}
