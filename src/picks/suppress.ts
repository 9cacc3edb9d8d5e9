import { CellList } from '../space/cell-list.ts';
import { bestFirst } from './best-first.ts';
import { type LengthPerObject, lengthPerObject } from './per-object.ts';
import type { Pick } from './pick.ts';

/** Options of {@link suppressNearby}. */
export interface SuppressNearbyOptions {
  /** Least distance in Å between two picks of an object; one number, or a function of the object's name. */
  readonly minDistance: LengthPerObject;
}

/**
 * Keeps the best of picks that lie too close together, object by object.
 *
 * Goes from the best pick to the worst: a pick survives if no survivor of its object is closer than `minDistance`; one
 * at exactly that distance survives. Equal scores go by their order in `picks`. Doing it again changes nothing.
 *
 * @param picks - Picks of one tomogram, in any order; distances between different objects do not matter.
 * @returns The survivors, unchanged, by falling score.
 * @throws {@link CryoetPicksError} `invalid-picks` if a score is NaN or a position is not finite; `invalid-option` if a
 *   distance is negative or not finite.
 *
 * @example
 * ```ts
 * const picks = suppressNearby(found, { minDistance: (object) => competition[object].radius });
 * ```
 */
export function suppressNearby(picks: readonly Pick[], { minDistance }: SuppressNearbyOptions): Pick[] {
  const distanceOf = lengthPerObject(minDistance, 'minDistance');
  const survivorsOf = new Map<string, CellList>();
  return bestFirst(picks).filter(({ object, position }) => {
    const distance = distanceOf(object);
    if (distance === 0) return true;
    let survivors = survivorsOf.get(object);
    if (!survivors) {
      survivors = new CellList(distance);
      survivorsOf.set(object, survivors);
    }
    if (survivors.anyCloser(position, distance)) return false;
    survivors.add(position);
    return true;
  });
}

/** Options of {@link suppressAcrossObjects}. */
export interface SuppressAcrossObjectsOptions {
  /** Least distance in Å between two picks, whatever their objects. */
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
export function suppressAcrossObjects(picks: readonly Pick[], { minDistance }: SuppressAcrossObjectsOptions): Pick[] {
  const distance = lengthPerObject(minDistance, 'minDistance')('');
  if (distance === 0) return bestFirst(picks);
  const survivors = new CellList(distance);
  return bestFirst(picks).filter(({ position }) => {
    if (survivors.anyCloser(position, distance)) return false;
    survivors.add(position);
    return true;
  });
}
