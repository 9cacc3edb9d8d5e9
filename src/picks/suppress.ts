import { finiteLength, numberPerObject, type PerObject, perObject, requireOptions } from '../core/arguments.ts';
import { greedyNms, type Points } from '../space/cell-grid.ts';
import { inOrder, orderOf, type ParticlePick, type PickValues, rankable } from './pick.ts';

/** Options of {@link suppressNearby}. */
export interface SuppressNearbyOptions {
  /** Minimum distance in Å between two picks of an object. */
  readonly minDistance: PerObject;
}

/**
 * Keeps the best of picks that lie too close together, object by object.
 *
 * Greedy non-maximum suppression: goes from the best pick to the worst and keeps a pick if no kept one of its object is closer
 * than `minDistance`; one at exactly that distance is kept. Equal scores go by their order in `picks`. Doing it again changes
 * nothing.
 *
 * @param picks - Picks of one tomogram, in any order; distances between different objects do not matter.
 * @returns The picks that were kept, unchanged, by falling score.
 * @throws {@link CryoetPicksError} `invalid-picks` if a score is NaN or a position is not finite; `invalid-option` if a
 *   distance is negative or not finite, or an object of the picks has none.
 *
 * @example
 * ```ts
 * const picks = suppressNearby(found, { minDistance: { ribosome: 150, 'apo-ferritin': 60 } });
 * ```
 */
export function suppressNearby(picks: readonly ParticlePick[], options: SuppressNearbyOptions): ParticlePick[] {
  const { minDistance } = requireOptions('suppressNearby', options, { minDistance: perObject });
  const distanceOf = numberPerObject('minDistance', minDistance, finiteLength, 'suppressNearby');
  const values = rankable(picks, 'suppressNearby');
  const { places, scores } = values;
  const isKept = new Uint8Array(picks.length);
  for (const [object, members] of membersByObject(values.objects)) {
    // Suppression sorts what it is given; the places of a single object are not needed after it.
    const isAll = members.length === picks.length;
    const points = isAll ? { places, values: scores.slice(), indices: members } : pointsAt(values, members);
    greedyNms(points, distanceOf(object), isKept);
  }
  return keptOf(picks, values, isKept);
}

/** The picks that are marked, by falling score. */
function keptOf(picks: readonly ParticlePick[], { scores }: PickValues, marks: Uint8Array): ParticlePick[] {
  const count = marks.reduce((sum, mark) => sum + mark, 0);
  const kept: ParticlePick[] = [];
  const keptScores = new Float64Array(count);
  for (let i = 0; i < marks.length; i++) if (marks[i] === 1) keptScores[kept.push(picks[i]) - 1] = scores[i];
  return inOrder(kept, orderOf(keptScores));
}

/** Positions, x, y, z one after the other, in Å, and a score for each. */
export interface Scored {
  readonly places: Float64Array;
  readonly scores: Float32Array | Float64Array;
}

/** Some of them as points, by their indices. */
export function pointsAt({ places, scores }: Scored, members: Uint32Array): Points {
  const own = new Float64Array(3 * members.length);
  const values = new Float64Array(members.length);
  for (let i = 0; i < members.length; i++) {
    const at = 3 * members[i];
    own[3 * i] = places[at];
    own[3 * i + 1] = places[at + 1];
    own[3 * i + 2] = places[at + 2];
    values[i] = scores[members[i]];
  }
  return { places: own, values, indices: members };
}

/** Indices of the picks of each object. */
function membersByObject(objects: readonly string[]): Map<string, Uint32Array> {
  const left = new Map<string, number>();
  // Picks of an object tend to come together.
  forEachStretch(objects, (object, from, to) => left.set(object, (left.get(object) ?? 0) + to - from));
  const members = new Map([...left].map(([object, count]) => [object, new Uint32Array(count)]));
  forEachStretch(objects, (object, from, to) => {
    const own = members.get(object) as Uint32Array;
    const missing = left.get(object) as number;
    for (let i = from, at = own.length - missing; i < to; i++, at++) own[at] = i;
    left.set(object, missing - (to - from));
  });
  return members;
}

/** Visits stretches of one object, `from` … `to`. */
function forEachStretch(objects: readonly string[], visit: (object: string, from: number, to: number) => void): void {
  for (let from = 0, to = 0; from < objects.length; from = to) {
    const object = objects[from];
    for (to = from + 1; to < objects.length && objects[to] === object; ) to++;
    visit(object, from, to);
  }
}

/** Options of {@link suppressAcrossObjects}. */
export interface SuppressAcrossObjectsOptions {
  /** Minimum distance in Å between two picks, whatever their objects. */
  readonly minDistance: number;
}

/**
 * Keeps the best of picks that lie too close together, whatever their objects: one place holds one particle.
 *
 * As {@link suppressNearby} otherwise. Scores of different objects are compared as they are, so they should share a scale.
 *
 * @throws {@link CryoetPicksError} As {@link suppressNearby}.
 *
 * @example
 * ```ts
 * const oneObjectPerPlace = suppressAcrossObjects(picks, { minDistance: 40 });
 * ```
 */
export function suppressAcrossObjects(
  picks: readonly ParticlePick[],
  options: SuppressAcrossObjectsOptions,
): ParticlePick[] {
  const { minDistance } = requireOptions('suppressAcrossObjects', options, { minDistance: finiteLength });
  const values = rankable(picks, 'suppressAcrossObjects');
  const isKept = new Uint8Array(picks.length);
  const { places, scores } = values;
  // Suppression sorts what it is given.
  greedyNms({ places, values: scores.slice(), indices: Uint32Array.from(scores.keys()) }, minDistance, isKept);
  return keptOf(picks, values, isKept);
}
