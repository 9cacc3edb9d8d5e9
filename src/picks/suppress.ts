import { checkRankable, ranked } from './best-first.ts';
import { type LengthPerObject, lengthPerObject } from './per-object.ts';
import type { Pick } from './pick.ts';
import { thinOut } from './thin-out.ts';

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
  checkRankable(picks);
  const survives = new Uint8Array(picks.length);
  for (const [object, members] of membersByObject(picks)) thinOut(picks, members, distanceOf(object), survives);
  return ranked(marked(picks, survives));
}

function marked(picks: readonly Pick[], marks: Uint8Array): Pick[] {
  const found: Pick[] = [];
  for (let i = 0; i < marks.length; i++) if (marks[i] === 1) found.push(picks[i]);
  return found;
}

/** Indices of the picks of each object. */
function membersByObject(picks: readonly Pick[]): Map<string, Uint32Array> {
  const left = new Map<string, number>();
  // Picks of an object tend to come together.
  forEachStretch(picks, (object, from, to) => left.set(object, (left.get(object) ?? 0) + to - from));
  const members = new Map([...left].map(([object, count]) => [object, new Uint32Array(count)]));
  forEachStretch(picks, (object, from, to) => {
    const own = members.get(object) as Uint32Array;
    const missing = left.get(object) as number;
    for (let i = from, at = own.length - missing; i < to; i++, at++) own[at] = i;
    left.set(object, missing - (to - from));
  });
  return members;
}

/** Visits picks of one object that follow each other, `from` … `to`. */
function forEachStretch(picks: readonly Pick[], visit: (object: string, from: number, to: number) => void): void {
  for (let from = 0, to = 0; from < picks.length; from = to) {
    const { object } = picks[from];
    for (to = from + 1; to < picks.length && picks[to].object === object; ) to++;
    visit(object, from, to);
  }
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
  checkRankable(picks);
  const survives = new Uint8Array(picks.length);
  thinOut(picks, Uint32Array.from(picks.keys()), distance, survives);
  return ranked(marked(picks, survives));
}
