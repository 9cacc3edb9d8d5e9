import type { ParticlePick } from '../entry/index.ts';
import { counted } from './counted.ts';
import type { Page } from './page.ts';
import { isOpen, type ReviewedPick, toSave } from './review.ts';
import { ownOf } from './state.ts';

/** What a person has told about objects: what was kept is a particle, what was rejected is not. As files hold them. */
export interface Told {
  readonly kept: readonly ParticlePick[];
  readonly rejected: readonly ParticlePick[];
  /** The set whose draft keeps it until it is saved, and the ids that its picks have there. */
  readonly from?: { readonly set: string | undefined; readonly ids: ReadonlySet<string> } | undefined;
}

/** Fewer picks teach nothing. */
export const MIN_PICKS = 3;

/** Options of {@link toldOf}. */
export interface ToldOptions {
  /** Whether the person made the set that shows: picks of its files that were made of no candidates are then told, too. */
  readonly isOwn: boolean;
  /** Whether an object is wanted. */
  readonly isWanted: (object: string) => boolean;
}

/** What was told of the picks that show. */
export function toldOf({ live, review }: Page, { isOwn, isWanted }: ToldOptions): Told {
  const { candidates, set } = live.state;
  const again = new Set(candidates?.objects);
  const isTold = (pick: ReviewedPick) => !isOpen(pick) || (isOwn && !again.has(pick.object));
  const kept = review().kept.filter((pick) => isWanted(pick.object) && isTold(pick));
  const rejected = review().rejected.filter(({ object }) => isWanted(object));
  return {
    kept: kept.map(toSave),
    rejected: rejected.map(toSave),
    from: { set, ids: new Set([...kept, ...rejected].map(({ id }) => id)) },
  };
}

/** How many picks of each object there are, by name. */
export function countsOf(picks: readonly Pick<ParticlePick, 'object'>[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = Object.create(null);
  for (const { object } of picks) counts[object] = (counts[object] ?? 0) + 1;
  return counts;
}

/** The objects with picks enough to teach them. */
export function teachableObjects({ kept }: Told): string[] {
  return Object.entries(countsOf(kept))
    .filter(([, count]) => count >= MIN_PICKS)
    .map(([object]) => object);
}

/** What is missing until an object can be taught: `2 more picks of proteasome`; undefined if nothing is. */
export function missingFor(object: string, { kept }: Told): string | undefined {
  const missing = MIN_PICKS - (ownOf(countsOf(kept), object) ?? 0);
  return missing > 0 ? `${counted(missing, 'more pick')} of ${object}` : undefined;
}
