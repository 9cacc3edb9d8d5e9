import {
  describeValue,
  indexRule,
  isFields,
  isIndex,
  isPlacement,
  isPoint,
  iterable,
  picks as picksRule,
  placement,
  type Rule,
  requireArgument,
  runPicks,
  someNumber,
  text,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { showJson } from '../core/json.ts';
import type { Peak } from '../peaks/planes.ts';
import { type CellGrid, cellGridOf, forEachWithin, pointsOf } from '../space/cell-grid.ts';
import { type Point, positionOf, type Transform } from '../space/grid.ts';

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

/**
 * Makes a pick of a peak: its voxel becomes a position in Å. A peak of a search that knows orientations keeps its own.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for anything but a peak, such as a promise of one.
 */
export function toPick(peak: Peak): ParticlePick {
  const { grid, voxel, object, score, transform } = peak ?? {};
  if (!isPlacement(grid) || !isIndex(voxel) || typeof object !== 'string' || typeof score !== 'number') {
    requireArgument('toPick', 'peak', peak, peakRule);
  }
  const pick = { object, position: positionOf(grid, voxel), score };
  return transform === undefined ? pick : { ...pick, transform };
}

const peakRule: Rule = {
  expected: 'a peak { grid, voxel, object, score }',
  isValid: isFields,
  fields: { grid: placement, voxel: indexRule, object: text, score: someNumber },
};

/** What a person did to a pick: `edited` in place or object, `added` where nothing was found. */
export type ReviewMark = 'accepted' | 'edited' | 'added';

const marks: readonly unknown[] = ['accepted', 'edited', 'added'] satisfies ReviewMark[];

/** True for what the page of `view` writes into the key `reviewed` of a point that a person has looked at. */
export function isReviewMark(mark: unknown): mark is ReviewMark {
  return marks.includes(mark);
}

/** What a person did to a pick, as the page of `view` recorded it; undefined of any other pick. The score of an added one is copick's 1. */
export function reviewMarkOf({ unknown }: ParticlePick): ReviewMark | undefined {
  const { reviewed } = isFields(unknown) ? unknown : {};
  return isReviewMark(reviewed) ? reviewed : undefined;
}

/** The picks of one run. */
export interface RunPicks {
  readonly run: string;
  readonly picks: readonly ParticlePick[];
}

/** Picks run by run, as a list. @throws {@link CryoetPicksError} `invalid-option` for anything else, such as bare picks. */
export function runsOf(runs: Iterable<RunPicks>, call: string): RunPicks[] {
  requireArgument(call, 'runs', runs, runsRule);
  const all = [...runs];
  requireArgument(call, 'runs', all, runPicks);
  return all;
}

const runsRule: Rule = { ...iterable, expected: runPicks.expected };

/** @throws {@link CryoetPicksError} `invalid-picks`, naming the first item that is no pick. */
export function checkPicks(
  picks: readonly ParticlePick[],
  run: string,
  { from = 0, to = picks.length }: { readonly from?: number; readonly to?: number } = {},
): void {
  for (let index = from; index < Math.min(to, picks.length); index++) {
    const pick = picks[index];
    if (!isPlaced(pick) || typeof pick.score !== 'number') throw notPick(pick, `pick ${index} of run ${showJson(run)}`);
  }
}

/**
 * A copy of a pick, each of whose values is read once: what is checked of it cannot change before it is used. Undefined for what has no
 * object or no position. Its transform, if any, is that of the pick.
 */
export function pickCopy(pick: ParticlePick | undefined): ParticlePick | undefined {
  const { object, position, score, instanceId, transform, unknown } = (pick ?? {}) as ParticlePick;
  if (typeof object !== 'string' || typeof position !== 'object' || position === null) return undefined;
  const { x, y, z } = position;
  if (typeof x !== 'number' || typeof y !== 'number' || typeof z !== 'number') return undefined;
  return { object, position: { x, y, z }, score, instanceId, transform, unknown };
}

/** True for a pick with an object and a position, whatever its score. */
export function isPlaced(pick: ParticlePick | undefined): boolean {
  return typeof pick?.object === 'string' && isPoint(pick.position);
}

/** Says what is wrong with an item of a list of picks. */
export function notPick(pick: unknown, name: string): CryoetPicksError {
  const { object, position, score } = (pick ?? {}) as Partial<ParticlePick>;
  const wrong = !isFields(pick)
    ? `is ${describeValue(pick)}`
    : typeof object !== 'string'
      ? `has the object ${describeValue(object)}`
      : isPoint(position)
        ? `has the score ${describeValue(score)}`
        : `has the position ${describeValue(position)}`;
  const expected = 'expected { object, position: { x, y, z } in Å, score }';
  return new CryoetPicksError('invalid-picks', `${name} ${wrong}; ${expected}`);
}

/** Picks that come one by one, of runs in any order. */
export interface PicksByRun {
  add(run: string, pick: ParticlePick): void;
  /** Runs in order of first appearance, picks in the order in which they came. */
  all(): RunPicks[];
}

/** Collects picks run by run. */
export function picksByRun(): PicksByRun {
  const runs = new Map<string, ParticlePick[]>();
  return {
    add(run, pick) {
      const picks = runs.get(run);
      if (picks === undefined) runs.set(run, [pick]);
      else picks.push(pick);
    },
    all: () => [...runs].map(([run, picks]) => ({ run, picks })),
  };
}

/** Collects rows of a table run by run, runs in order of first appearance, picks in the order of the rows. */
export function groupByRun(rows: Iterable<{ readonly run: string; readonly pick: ParticlePick }>): RunPicks[] {
  const runs = picksByRun();
  for (const { run, pick } of rows) runs.add(run, pick);
  return runs.all();
}

/**
 * Picks by falling score; equal scores keep their order.
 *
 * @param call - The function whose argument `picks` is.
 * @throws {@link CryoetPicksError} `invalid-picks` if a score is NaN or a position is not finite; `invalid-option` for anything
 *   but a list.
 */
export function bestFirst(picks: readonly ParticlePick[], call: string): ParticlePick[] {
  return inOrder(picks, orderOf(rankable(picks, call).scores));
}

/**
 * As {@link bestFirst}, as copies whose object, position and score are what was checked: those of the picks themselves may be
 * computed anew each time they are read.
 */
export function bestCopiesFirst(picks: readonly ParticlePick[], call: string): ParticlePick[] {
  const values = rankable(picks, call);
  return copiesInOrder(picks, values, orderOf(values.scores));
}

/** Copies of picks, by their indices, with the values that were read. */
export function copiesInOrder(
  picks: readonly ParticlePick[],
  { objects, places, scores }: PickValues,
  order: Uint32Array,
): ParticlePick[] {
  return Array.from(order, (i) => {
    const position = { x: places[3 * i], y: places[3 * i + 1], z: places[3 * i + 2] };
    return { ...picks[i], object: objects[i], position, score: scores[i] };
  });
}

/** What picks hold, an array per property; each value was read once and checked, so that none can change before it is used. */
export interface PickValues {
  readonly objects: readonly string[];
  /** x, y, z of each pick, one after the other, in Å; finite. */
  readonly places: Float64Array;
  readonly scores: Float64Array;
}

/**
 * Reads picks of which only the positions matter; scores are NaN where they are not numbers.
 *
 * @throws {@link CryoetPicksError} `invalid-picks`, naming the pick, if a position is not finite; `invalid-option` for anything but
 *   a list.
 */
export function placed(picks: readonly ParticlePick[], call: string): PickValues {
  requireArgument(call, 'picks', picks, picksRule);
  const count = picks.length;
  const objects = new Array<string>(count);
  const places = new Float64Array(3 * count);
  const scores = new Float64Array(count);
  for (let index = 0; index < count; index++) {
    const pick = picks[index];
    const { object, position, score } = pick ?? nothing;
    if (typeof position !== 'object' || position === null || typeof object !== 'string') {
      throw notPick(pick, `pick ${index}`);
    }
    const { x, y, z } = position;
    if (!Number.isFinite(x) || !Number.isFinite(y) || !Number.isFinite(z)) {
      if (!isPoint({ x, y, z })) throw notPick(pick, `pick ${index}`);
      throw new CryoetPicksError(
        'invalid-picks',
        `pick ${index} ("${object}") is at x ${x}, y ${y}, z ${z} Å; expected finite coordinates`,
      );
    }
    objects[index] = object;
    places[3 * index] = x;
    places[3 * index + 1] = y;
    places[3 * index + 2] = z;
    scores[index] = typeof score === 'number' ? score : Number.NaN;
  }
  return { objects, places, scores };
}

const nothing: Partial<ParticlePick> = {};

/**
 * As {@link placed}, of picks that have scores.
 *
 * @throws {@link CryoetPicksError} `invalid-picks`, naming the pick, if a position is not finite or else a score NaN;
 *   `invalid-option` for anything but a list.
 */
export function rankable(picks: readonly ParticlePick[], call: string): PickValues {
  const values = placed(picks, call);
  const { objects, scores } = values;
  for (let index = 0; index < scores.length; index++) {
    if (!Number.isNaN(scores[index])) continue;
    const { score } = picks[index];
    if (typeof score !== 'number') throw notPick(picks[index], `pick ${index}`);
    throw new CryoetPicksError(
      'invalid-picks',
      `pick ${index} ("${objects[index]}") has the score NaN and cannot be ranked`,
    );
  }
  return values;
}

/** Items of a list, by their indices. */
export function inOrder<T>(list: readonly T[], order: Uint32Array): T[] {
  const ordered: T[] = [];
  for (let i = 0; i < order.length; i++) ordered.push(list[order[i]]);
  return ordered;
}

/**
 * The indices of scores from the highest down, equal ones in their order: a radix sort of the scores' bits, some at a time, which is
 * stable and takes the same time per score however many there are.
 */
export function orderOf(scores: Float64Array): Uint32Array {
  const count = scores.length;
  const keys = new Float64Array(count);
  let order = new Uint32Array(count);
  let next = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    // Not a sign change: −0 and 0 are equal scores, and must be one key.
    keys[i] = 0 - scores[i];
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
  return order;
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
