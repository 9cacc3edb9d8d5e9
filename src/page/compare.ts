import { matchPicks, type ParticlePick } from '../entry/index.ts';
import type { Review, ReviewedPick } from './review.ts';
import type { Comparison } from './scoring.ts';
import type { State } from './state.ts';

/** How the kept picks and another set differ. */
export interface Difference {
  /** Ids of kept picks with a partner in the other set. */
  readonly both: ReadonlySet<string>;
  readonly onlyHere: readonly ReviewedPick[];
  readonly onlyThere: readonly ParticlePick[];
}

/**
 * Pairs the kept picks with those of another set, one to one: partners are of one object and at most half its radius apart. Undefined
 * without another set.
 */
export function differenceFrom(
  { others, otherSet, objects }: Pick<State, 'others' | 'otherSet' | 'objects'>,
  { kept }: Review,
): Difference | undefined {
  if (otherSet === undefined) return undefined;
  const both = new Set<string>();
  const onlyThere: ParticlePick[] = [];
  for (const { name, radius } of objects) {
    const here = kept.filter(({ object }) => object === name);
    const there = others.filter(({ object }) => object === name);
    const { pairs } = matchPicks(
      there.map(({ position }) => position),
      here.map(({ position }) => position),
      { radius: radius / 2, matching: 'hungarian' },
    );
    const paired = new Set(pairs.map(({ truth }) => truth));
    for (const { candidate } of pairs) both.add((here[candidate] as (typeof here)[number]).id);
    onlyThere.push(...there.filter((_, index) => !paired.has(index)));
  }
  return { both, onlyHere: kept.filter(({ id }) => !both.has(id)), onlyThere };
}

/** What the rings tell beside the picks: how they compare with another set, else with the truth. */
export interface Marks {
  /** Ids of kept picks with a partner; undefined where nothing is compared. */
  readonly partners: { has(id: string): boolean } | undefined;
  /** Particles of the truth that no kept pick is near. */
  readonly missed: readonly ParticlePick[];
  /** Picks of the other set without a partner. */
  readonly onlyThere: readonly ParticlePick[];
}

/** The marks of a comparison. That with another set counts: a person has chosen it, while a truth is chosen automatically. */
export function marksOf(
  difference: Pick<Difference, 'both' | 'onlyThere'> | undefined,
  comparison: Pick<Comparison, 'hits' | 'missed'> | undefined,
): Marks {
  if (difference) return { partners: difference.both, missed: [], onlyThere: difference.onlyThere };
  return { partners: comparison?.hits, missed: comparison?.missed ?? [], onlyThere: [] };
}
