import { quotedNames } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { showJson } from '../core/json.ts';
import { checkPicks, type ParticlePick, type RunPicks, runsOf } from '../picks/pick.ts';
import { facesOf, formatZyx, type Point, squaredDistance, toVoxel, type Zyx } from '../space/grid.ts';
import type { TomogramFeatures } from './feature-map.ts';

/** A place that a person has told something about. */
export interface Place {
  /** The features of its run, among those that were given. */
  readonly map: TomogramFeatures;
  readonly position: Point;
  readonly cell: Zyx;
}

/** What is told about one object. */
export interface Lesson {
  readonly object: string;
  /** In Å. */
  readonly radius: number;
  readonly picks: readonly Place[];
  readonly rejects: readonly Place[];
}

/** Fewer picks teach nothing: one to leave out, and two to learn from. */
export const MIN_PICKS = 3;

/** Options of {@link lessonsOf}. */
export interface LessonOptions {
  readonly rejects: readonly RunPicks[];
  /** The radius of an object, in Å. */
  readonly radiusOf: (object: string) => number;
}

/**
 * Sorts picks and rejects by object and finds their cells.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for picks of a run without features, outside of its tomogram, fewer than three of an
 *   object, all at one place, or at the place of a reject.
 */
export function lessonsOf(
  features: readonly TomogramFeatures[],
  picks: readonly RunPicks[],
  { rejects, radiusOf }: LessonOptions,
): Lesson[] {
  const maps = new Map(features.map((map) => [map.run, map]));
  const told = placesByObject(maps, picks, 'pick');
  const refused = placesByObject(maps, rejects, 'reject');
  const unknown = [...refused.keys()].find((object) => !told.has(object));
  if (unknown !== undefined) {
    refuse(
      `there are rejects of ${showJson(unknown)}, but no picks of it; there are picks of ${quotedNames([...told.keys()])}`,
    );
  }
  if (told.size === 0) refuse(`there is no pick to learn from; expected at least ${MIN_PICKS} of an object`);
  return [...told].map(([object, all]) => {
    const own = withoutRepeats(all);
    requireEnough(object, all, own);
    const lesson = { object, radius: radiusOf(object), picks: own, rejects: withoutRepeats(refused.get(object) ?? []) };
    requireApart(lesson);
    return lesson;
  });
}

function placesByObject(
  maps: ReadonlyMap<string, TomogramFeatures>,
  runs: readonly RunPicks[],
  what: 'pick' | 'reject',
): Map<string, Place[]> {
  const places = new Map<string, Place[]>();
  for (const { run, picks } of runsOf(runs, 'teach')) {
    const map = maps.get(run);
    if (map === undefined && picks.length > 0) {
      refuse(
        `there are ${what}s of run ${showJson(run)}, but no features of it; there are features of ${quotedNames([...maps.keys()])}`,
      );
    }
    checkPicks(picks, run);
    picks.forEach((pick, i) => {
      const place = placeOf(map!, pick, `${what} ${i} of run ${showJson(run)}`);
      places.set(pick.object, [...(places.get(pick.object) ?? []), place]);
    });
  }
  return places;
}

function placeOf(map: TomogramFeatures, { position }: ParticlePick, what: string): Place {
  const { lowest, highest } = facesOf(map.grid);
  const axes = ['x', 'y', 'z'] as const;
  const wrong = axes.find((axis) => !(position[axis] >= lowest[axis] && position[axis] <= highest[axis]));
  if (wrong !== undefined) {
    const [low, high] = [lowest[wrong], highest[wrong]].map((length) => Math.round(length));
    refuse(
      `${what} lies outside of the tomogram: ${wrong} is ${Math.round(position[wrong])} Å, the tomogram has ${low} to ${high} Å; ` +
        'is it of another tomogram, or in voxels?',
    );
  }
  const [z, y, x] = toVoxel(map.grid, position).map((index, axis) =>
    Math.min(map.grid.shape[axis] - 1, Math.max(0, Math.round(index))),
  );
  return { map, position, cell: [z, y, x] };
}

/** Places of which no two are in one cell. */
function withoutRepeats(places: readonly Place[]): Place[] {
  return [...new Map(places.map((place) => [`${formatZyx(place.cell)} ${place.map.run}`, place])).values()];
}

function requireEnough(object: string, all: readonly Place[], own: readonly Place[]): void {
  if (own.length >= MIN_PICKS) return;
  if (all.length >= MIN_PICKS && own.length === 1) {
    refuse(`all ${all.length} picks of ${showJson(object)} lie at one place; expected at least ${MIN_PICKS} particles`);
  }
  const found = own.length === 1 ? '1 pick' : `${own.length} picks`;
  refuse(
    `${found} of ${showJson(object)} ${own.length === 1 ? 'is' : 'are'} too few to learn from; pick at least ${MIN_PICKS}, better 10`,
  );
}

/** No reject may lie where a pick is: within half the radius, both would be about one particle. */
function requireApart({ object, radius, picks, rejects }: Lesson): void {
  const contradicting = rejects.filter((reject) => picks.some((pick) => isWithin(pick, reject, radius / 2)));
  const [first] = contradicting;
  if (first === undefined) return;
  const { x, y, z } = first.position;
  const at = `x ${Math.round(x)}, y ${Math.round(y)}, z ${Math.round(z)} Å of run ${showJson(first.map.run)}`;
  refuse(
    `${contradicting.length} of ${rejects.length} rejects of ${showJson(object)} lie where a pick is, the first at ${at}; ` +
      'a place is a pick or a reject, not both',
  );
}

/** True if two places of one run are no farther from each other than a distance in Å. */
export function isWithin(
  a: Pick<Place, 'map' | 'position'>,
  b: Pick<Place, 'map' | 'position'>,
  distance: number,
): boolean {
  return a.map === b.map && squaredDistance(a.position, b.position) <= distance ** 2;
}

function refuse(message: string): never {
  throw new CryoetPicksError('invalid-picks', `cannot learn: ${message}`);
}
