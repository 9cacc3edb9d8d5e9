import type { ParticlePick } from '../entry/index.ts';
import type { Draft } from './drafts.ts';
import { pickBefore } from './interrupted.ts';
import type { SetReview } from './set-review.ts';
import { type Edit, edited, editsSince, ownOf, type State } from './state.ts';

/** A review that goes on where its draft says. */
export interface Resumed {
  readonly edits: State['edits'];
  /** The thresholds that were moved. */
  readonly moved: State['thresholds'];
  /** Decisions about picks that the set no longer has. */
  readonly lost: number;
  /** When it stopped, in milliseconds since 1970; undefined if nothing of it was kept. */
  readonly since: number | undefined;
}

/** The review that a draft goes on. */
export function resumed({ loaded, edits }: SetReview, draft: Draft | undefined): Resumed {
  const ids = new Set(loaded.map(({ id }) => id));
  // What was added is in the file already if the page was killed right after a save.
  const added = new Set(loaded.filter(({ unknown }) => unknown?.reviewed === 'added').map(placeOf));
  const isFiled = ({ isAdded, object = '', position }: Edit) =>
    isAdded && position !== undefined && added.has(placeOf({ object, position }));
  const changes = [...(draft?.changes ?? [])]
    .filter(([, edit]) => edit === undefined || !isFiled(edit))
    .flatMap(afterMoves(loaded));
  const there = changes.filter(([id, edit]) => ids.has(id) || edit?.isAdded);
  return {
    edits: there.length === 0 ? edits : edited(edits, new Map(there)).edits,
    moved: draft?.thresholds ?? {},
    since: there.length === 0 && Object.keys(draft?.thresholds ?? {}).length === 0 ? undefined : draft?.time,
    lost: changes.filter(([id, edit]) => edit !== undefined && !ids.has(id) && !edit.isAdded).length,
  };
}

type Change = readonly [id: string, edit: Edit | undefined];

/** Changes of picks that the files hold as moved or renamed already: what is left of them, under the ids that these have now. */
function afterMoves(loaded: SetReview['loaded']): (change: Change) => readonly Change[] {
  const moves = new Map(
    loaded.flatMap((pick) => {
      const read = pickBefore(pick);
      return read === undefined ? [] : [[placeOf(read), { read, pick }] as const];
    }),
  );
  return (change) => {
    const [id, edit] = change;
    const move = moves.get(id);
    if (move === undefined || edit === undefined || edit.isAdded) return [change];
    const { read, pick } = move;
    const { object = read.object, position = read.position, decision } = edit;
    if (placeOf({ object, position }) !== placeOf(pick)) return [[pick.id, { object, position, decision }]];
    return decision === undefined ? [] : [[pick.id, { decision }]];
  };
}

function placeOf({ object, position: { x, y, z } }: Pick<ParticlePick, 'object' | 'position'>): string {
  return `${object}@${x},${y},${z}`;
}

/** A review that was saved. */
export interface SavedReview {
  /** As it was when the save began; later edits go on. */
  readonly state: State;
  /** By the id that a pick had before, the one that it has in its file. */
  readonly ids: ReadonlyMap<string, string>;
}

/** What was changed while a review was being saved, over what its files hold now; picks may have other ids there. */
export function goneOn(
  { state: before, ids }: SavedReview,
  review: SetReview,
  now: State,
): Pick<State, 'edits' | 'thresholds' | 'selected'> {
  const filed = new Set(review.loaded.map(({ id }) => id));
  const changes = [...editsSince(before.edits, now.edits)].map(([id, edit]): [string, Edit | undefined] => {
    const newId = ids.get(id) ?? id;
    if (!filed.has(newId)) return [id, edit];
    // One that was added and taken back is in the file by now.
    if (edit === undefined) return [newId, before.edits.get(id)?.isAdded ? { decision: 'deleted' } : undefined];
    return [newId, { ...edit, isAdded: undefined }];
  });
  const moved = Object.entries(now.thresholds).filter(([name, value]) => ownOf(before.thresholds, name) !== value);
  return {
    edits: changes.length === 0 ? review.edits : edited(review.edits, new Map(changes)).edits,
    thresholds: { ...review.thresholds, ...Object.fromEntries(moved) },
    selected: now.selected === undefined ? undefined : (ids.get(now.selected) ?? now.selected),
  };
}
