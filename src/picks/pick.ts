import { CryoetPicksError } from '../core/errors.ts';
import { showJson } from '../core/json.ts';
import type { Peak } from '../peaks/planes.ts';
import { type CellGrid, cellGridOf, forEachWithin, pointsOf } from '../space/cell-grid.ts';
import { type Point, toPhysical } from '../space/grid.ts';

/** A 4×4 matrix, row by row, that maps object space to tomogram space; its last row is 0, 0, 0, 1. Translation in Å. */
export type Transform = readonly (readonly number[])[];

/** One particle found, or known: the sparse stage works on these alone. */
export interface ParticlePick {
  /** Name of the pickable object. */
  readonly object: string;
  /** Centre of the particle, in Å. */
  readonly position: Point;
  /** Higher is surer; the scale is the finder's. */
  readonly score: number;
  /** A whole number; a `bigint` only where a `number` would not hold all of its digits, beyond 2⁵³. */
  readonly instanceId?: number | bigint | undefined;
  /** Orientation, and a shift that `position` already includes. */
  readonly transform?: Transform | undefined;
  /** Keys of its point in a picks file of copick that this library does not know; written back with it. */
  readonly unknown?: Readonly<Record<string, unknown>> | undefined;
}

/** Makes a pick of a peak: its voxel becomes a position in Å. */
export function toPick({ grid, voxel, object, score }: Peak): ParticlePick {
  return { object, position: toPhysical(grid, voxel), score };
}

/** The picks of one run. */
export interface RunPicks {
  readonly run: string;
  readonly picks: readonly ParticlePick[];
}

/** Picks run by run, as a list. @throws {@link CryoetPicksError} `invalid-option` for anything else, such as bare picks. */
export function runsOf(runs: Iterable<RunPicks>): RunPicks[] {
  const all = [...runs];
  const wrong = all.find((one) => typeof one?.run !== 'string' || !one.picks);
  if (wrong === undefined) return all;
  throw new CryoetPicksError('invalid-option', `expected runs, [{ run: 'TS_1', picks }], found ${showJson(wrong)}`);
}

/** Collects rows of a table run by run, runs in order of first appearance, picks in the order of the rows. */
export function groupByRun(rows: Iterable<{ readonly run: string; readonly pick: ParticlePick }>): RunPicks[] {
  const runs = new Map<string, ParticlePick[]>();
  for (const { run, pick } of rows) {
    const picks = runs.get(run);
    if (picks === undefined) runs.set(run, [pick]);
    else picks.push(pick);
  }
  return [...runs].map(([run, picks]) => ({ run, picks }));
}

/**
 * Picks by falling score; equal scores keep their order.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` if a score is NaN or a position is not finite.
 */
export function bestFirst(picks: readonly ParticlePick[]): ParticlePick[] {
  checkRankable(picks);
  return ranked(picks);
}

/** @throws {@link CryoetPicksError} `invalid-picks`, naming the pick, if a position is not finite. */
export function checkPositions(picks: readonly ParticlePick[]): void {
  for (let index = 0; index < picks.length; index++) checkPosition(picks[index], index);
}

/** @throws {@link CryoetPicksError} `invalid-picks`, naming the pick, if a position is not finite or else a score NaN. */
export function checkRankable(picks: readonly ParticlePick[]): void {
  let unranked = -1;
  for (let index = 0; index < picks.length; index++) {
    checkPosition(picks[index], index);
    if (unranked < 0 && Number.isNaN(picks[index].score)) unranked = index;
  }
  if (unranked < 0) return;
  const name = picks[unranked].object;
  throw new CryoetPicksError('invalid-picks', `pick ${unranked} ("${name}") has the score NaN and cannot be ranked`);
}

function checkPosition({ object, position: { x, y, z } }: ParticlePick, index: number): void {
  if (Number.isFinite(x) && Number.isFinite(y) && Number.isFinite(z)) return;
  throw new CryoetPicksError(
    'invalid-picks',
    `pick ${index} ("${object}") is at x ${x}, y ${y}, z ${z} Å; expected finite coordinates`,
  );
}

/**
 * As {@link bestFirst}, of picks that were checked: a radix sort of the scores' bits, some at a time, which is stable
 * and takes the same time per pick however many there are.
 */
export function ranked(picks: readonly ParticlePick[]): ParticlePick[] {
  const count = picks.length;
  const keys = new Float64Array(count);
  let order = new Uint32Array(count);
  let next = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    // Not a sign change: −0 and 0 are equal scores, and must be one key.
    keys[i] = 0 - picks[i].score;
    order[i] = i;
  }
  const words = sortableWords(keys);
  const bits = count < 65536 ? 8 : 16;
  const places = new Uint32Array(1 << bits);
  const mask = places.length - 1;
  for (let bit = 0; bit < 64; bit += bits) {
    const word = bit >> 5;
    const shift = bit & 31;
    places.fill(0);
    for (let i = word; i < words.length; i += 2) places[(words[i] >>> shift) & mask]++;
    if (places[(words[word] >>> shift) & mask] === count) continue;
    for (let value = 0, place = 0; value <= mask; value++) {
      const here = places[value];
      places[value] = place;
      place += here;
    }
    for (let i = 0; i < count; i++) next[places[(words[2 * order[i] + word] >>> shift) & mask]++] = order[i];
    [order, next] = [next, order];
  }
  const sorted: ParticlePick[] = [];
  for (let i = 0; i < count; i++) sorted.push(picks[order[i]]);
  return sorted;
}

/** The bits of numbers, low word first as all engines keep them, so that they sort as whole numbers do. */
function sortableWords(numbers: Float64Array): Uint32Array {
  const words = new Uint32Array(numbers.buffer);
  for (let i = 0; i < words.length; i += 2) {
    const sign = words[i + 1] >> 31;
    words[i] ^= sign;
    words[i + 1] ^= sign | 0x80000000;
  }
  return words;
}

/**
 * Finds the picks of the same object that are at most its radius away, itself included: their indices in the list, in no particular
 * order, in an array that the next call overwrites.
 *
 * @param radiusOf - In Å.
 */
export function neighbourFinder(
  picks: readonly ParticlePick[],
  radiusOf: (object: string) => number,
): (index: number) => number[] {
  const members = new Map<string, number[]>();
  picks.forEach(({ object }, index) => {
    const own = members.get(object);
    if (own) own.push(index);
    else members.set(object, [index]);
  });
  const searches = new Map<string, { readonly grid: CellGrid; readonly radius: number }>();
  for (const [object, own] of members) {
    const radius = radiusOf(object);
    searches.set(object, { grid: cellGridOf(pointsOf(picks, Uint32Array.from(own)), radius), radius });
  }
  const near: number[] = [];
  const add = (index: number) => near.push(index);
  return (index) => {
    const { object, position } = picks[index];
    const { grid, radius } = searches.get(object)!;
    near.length = 0;
    forEachWithin(grid, position, radius, add);
    return near;
  };
}
