import type { Provenance } from '../entry/copick.ts';

/** Whose picks they are. */
export interface SetName {
  readonly userId: string;
  readonly sessionId: string;
}

/** The name of the set that holds what a person rejected. */
export function rejectsOf({ userId, sessionId }: SetName): SetName {
  return { userId: `${userId}${REJECTED}`, sessionId };
}

/** What the name of a user ends in whose picks are those that a person rejected. */
export const REJECTED = '-rejected';

/** True for a set that holds what a person rejected. */
export function holdsRejects({ userId }: SetName): boolean {
  return userId.endsWith(REJECTED);
}

/** What made the picks of an object, as this page records it beside them. */
export interface ReviewRecord extends Provenance {
  readonly program: typeof PROGRAM;
  /** Who looked at them. */
  readonly person: string;
  /** The set that they were made of, if it was one. */
  readonly reviewed: string | null;
  /** When they were saved: the same in all files of a save. Absent in files of before it was recorded. */
  readonly saved?: string | undefined;
  /** The objects of the kept picks that the save was to write. */
  readonly objects?: readonly string[] | undefined;
  /** How those were picked that nobody has decided about: as a detection records it, and of whose candidates. Absent without. */
  readonly picked?: (PickedRecord & { readonly candidatesOf: SetName }) | undefined;
}

/** The name of this page in records. */
export const PROGRAM = 'cryoet-picks view';

/** How an object was picked, as `detectProject` records it; what is absent was not recorded. */
export interface PickedRecord extends Provenance {
  readonly threshold?: unknown;
  readonly competitionThreshold?: unknown;
  readonly minDistance?: unknown;
  readonly mask?: unknown;
  readonly max?: unknown;
  readonly acrossObjects?: unknown;
}

/** True for a record of this page. */
export function isReviewRecord(record: Provenance | undefined): record is ReviewRecord {
  return record?.program === PROGRAM;
}
