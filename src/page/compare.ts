import { matchPicks, type ParticlePick } from '../entry/index.ts';
import type { Review } from './review.ts';
import type { State } from './state.ts';

/** How the kept picks and another set differ. */
export interface Difference {
  /** Ids of kept picks with a partner in the other set. */
  readonly both: ReadonlySet<string>;
  readonly onlyHere: number;
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
  return { both, onlyHere: kept.length - both.size, onlyThere };
}
