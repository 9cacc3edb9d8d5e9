import type { ParticlePick } from '../entry/index.ts';
import type { ReadFile, ReadSet } from './collection.ts';
import { isReviewRecord } from './review-record.ts';

/**
 * What a save leaves behind if it is killed between its files.
 *
 * A save writes the rejected picks first, then the kept ones, and each pick is in one of the two sets at every moment: one that was
 * rejected and is kept now stays among the rejects, with a mark, until the kept ones are written. One that was moved or renamed says
 * what it was, so that a file which holds it as such does not count; the file of the object that it was of holds it as such until
 * that of its new object is written. So the files say what was decided.
 *
 * @module
 */

/** The files of a set and of its rejects. */
export interface SavedFiles {
  readonly picks: ReadSet;
  readonly rejects: ReadSet;
}

/** The field of a point among the rejects that is kept once the kept picks are written. */
const TAKEN_BACK = 'takenBack';

/** The field of a point that says what the pick was before a person moved or renamed it. */
const BEFORE = 'movedFrom';

/** A pick with what it was when it was read, if it was moved or renamed since. */
export function withBefore(pick: ParticlePick, read: ParticlePick | undefined): ParticlePick {
  if (read === undefined || identityOf(read) === identityOf(pick)) return pick;
  return { ...pick, unknown: { ...pick.unknown, [BEFORE]: placeOf(read) } };
}

/** The picks of a file that are written under another object: they stay in it until they are. */
export function leaving(read: readonly ParticlePick[], written: readonly ParticlePick[]): ParticlePick[] {
  const renamed = written.filter((pick) => (pickBefore(pick)?.object ?? pick.object) !== pick.object);
  const gone = new Set(renamed.flatMap(identityBefore));
  return read.filter((pick) => gone.has(identityOf(pick)));
}

/** A pick that was rejected and is kept now, to be written among the rejects until the kept picks are. */
export function asTakenBack(pick: ParticlePick): ParticlePick {
  return { ...pick, unknown: { ...pick.unknown, [TAKEN_BACK]: true } };
}

/** The kept and the rejected picks that files hold, each pick in one of the two. */
export function settled({ picks, rejects }: SavedFiles): Readonly<Record<'kept' | 'rejected', ParticlePick[]>> {
  const isTakenBack = ({ unknown }: ParticlePick) => unknown?.[TAKEN_BACK] === true;
  const gone = new Set([...picks.picks, ...rejects.picks].flatMap(identityBefore));
  const rejected = rejects.picks.filter((pick) => !isTakenBack(pick) && !gone.has(identityOf(pick)));
  const out = new Set([...rejected.map(identityOf), ...gone]);
  const kept = picks.picks.filter((pick) => !out.has(identityOf(pick)));
  const there = new Set([...kept.map(identityOf), ...gone]);
  const back = rejects.picks.filter(isTakenBack).map(withoutMark);
  return { kept: [...kept, ...back.filter((pick) => !there.has(identityOf(pick)))], rejected };
}

function withoutMark({ unknown = {}, ...pick }: ParticlePick): ParticlePick {
  const { [TAKEN_BACK]: _, ...others } = unknown;
  return Object.keys(others).length === 0 ? pick : { ...pick, unknown: others };
}

/** What a pick is, as it is kept in a file. */
interface PickPlace {
  readonly object: string;
  readonly location: ParticlePick['position'];
  /** True for one that a person added: it may lie exactly where another one was rejected. */
  readonly isAdded: boolean;
}

function placeOf({ object, position: { x, y, z }, unknown }: ParticlePick): PickPlace {
  return { object, location: { x, y, z }, isAdded: unknown?.reviewed === 'added' };
}

function identityOf(pick: ParticlePick): string {
  return JSON.stringify(placeOf(pick));
}

/** What a pick was before it was moved or renamed; undefined for any other. */
export function pickBefore({ unknown }: ParticlePick): Pick<ParticlePick, 'object' | 'position'> | undefined {
  const { object, location } = (unknown?.[BEFORE] ?? {}) as Partial<PickPlace>;
  return object === undefined || location === undefined ? undefined : { object, position: location };
}

function identityBefore({ unknown }: ParticlePick): string[] {
  const place = unknown?.[BEFORE];
  return place === undefined ? [] : [JSON.stringify(place)];
}

/** What to say about a set whose last save was interrupted, after its name; undefined for any other. */
export function interruption(read: SavedFiles): string | undefined {
  const records = [...read.picks.files, ...read.rejects.files].map(({ record }) => record).filter(isReviewRecord);
  const missing = missingObjects(read.picks.files);
  const { reviewed } = records[0] ?? {};
  if (missing.length > 0) {
    const where = reviewed == null ? 'save again' : `choose ${reviewed}, where the review goes on, and save again`;
    return `was not saved to the end: nothing of ${missing.join(', ')} was written; ${where}.`;
  }
  const isOne = records.every(({ saved }) => saved === records[0]?.saved);
  return isOne ? undefined : 'was not saved to the end: some of its files are those of the save before; save again.';
}

/** The objects that a save was to write, and has not. */
export function missingObjects(files: readonly ReadFile[]): string[] {
  const there = new Set(files.map(({ file }) => file.object));
  const wanted = files.flatMap(({ record }) => (isReviewRecord(record) ? (record.objects ?? []) : []));
  return [...new Set(wanted)].filter((object) => !there.has(object));
}

/** True if no pick of some is lost where others are written in their place. */
export function holdsAll(others: readonly ParticlePick[], picks: readonly ParticlePick[]): boolean {
  const there = new Set(others.map(identityOf));
  return picks.every((pick) => there.has(identityOf(pick)));
}
