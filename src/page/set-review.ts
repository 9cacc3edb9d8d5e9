import type { Provenance } from '../entry/copick.ts';
import { type Candidates, isCryoetPicksError } from '../entry/index.ts';
import {
  labelOf,
  type OpenRun,
  type ReadFile,
  type ReadSet,
  readCandidates,
  readSet,
  type SetChoice,
} from './collection.ts';
import { interruption, settled } from './interrupted.ts';
import { distance } from './planes.ts';
import { candidatePicks, hasScore, type ReviewInput, reviewOf } from './review.ts';
import { holdsRejects, isReviewRecord, type PickedRecord, REJECTED, rejectsOf, type SetName } from './review-record.ts';
import { type Edit, type LoadedPick, named, ownOf, type Picking, type State } from './state.ts';
import type { Told } from './told.ts';
import { truthUsers } from './truth-users.ts';

/** A set as it goes on to be reviewed. */
export interface SetReview extends Required<Pick<ReviewInput, 'loaded' | 'edits' | 'thresholds' | 'minDistances'>> {
  readonly candidates: Candidates | undefined;
  readonly picking: Picking | undefined;
  readonly picks: ReadSet;
  readonly rejects: ReadSet;
  /** True if the person made the set, so that it may be replaced: one of kept picks, never what was rejected of another. */
  readonly isOwn: boolean;
  /** What to tell. */
  readonly problems: readonly unknown[];
}

/** Options of {@link readReview}. */
export interface ReadReviewOptions {
  /** Who looks. */
  readonly person: string;
  readonly signal: AbortSignal;
}

/**
 * Reads a set: its picks, what was rejected of it, and the decisions that its files hold.
 *
 * Its kept picks are those of its files, always. Where the record beside a file says how its picks were made of candidates that are
 * still there, they are made of these again, so that the threshold can go down; where that does not give the picks of the files, the
 * threshold only filters them, and `problems` says why.
 */
export async function readReview(
  { run, sets }: OpenRun,
  label: string | undefined,
  { person, signal }: ReadReviewOptions,
): Promise<SetReview> {
  const none: ReadSet = { picks: [], files: [], errors: [] };
  const set = sets.find((one) => one.label === label);
  const others = set && sets.find((one) => one.label === labelOf(rejectsOf(set)));
  const [picks, rejects] = await Promise.all([
    set ? readSet(set, signal) : none,
    others ? readSet(others, signal) : none,
  ]);
  const isKept = set !== undefined && !holdsRejects(set);
  const read: ReadFiles = { picks, rejects, isOwn: isKept && isOwn(picks, person) && isOwn(rejects, person) };
  const interrupted = interruption(read);
  const problems = [...picks.errors, ...rejects.errors, ...(interrupted ? [`${label} ${interrupted}`] : [])];
  const filed = asFiled(read);
  if (set === undefined) return { ...filed, problems };
  try {
    return { ...((await asPicked(read, { run, set, signal })) ?? filed), problems };
  } catch (error) {
    signal.throwIfAborted();
    if (isCryoetPicksError(error)) return { ...filed, problems: [...problems, error] };
    const { message } = error as Error;
    return { ...filed, problems: [...problems, `The threshold only filters the picks of ${label}: ${message}`] };
  }
}

/** Candidates that the network has just found, as they are reviewed, with what was told before: in no file yet. */
export function reviewOfCandidates(candidates: Candidates, told: Told = { kept: [], rejected: [] }): SetReview {
  const none: ReadSet = { picks: [], files: [], errors: [] };
  const { thresholds, minDistances } = candidates;
  const found = candidatePicks(candidates);
  const foundIds = new Set(found.map(({ id }) => id));
  const all = named([...told.kept, ...told.rejected]);
  const isAgain = new Set(candidates.objects);
  const others = all
    .filter(({ id }) => !foundIds.has(id))
    .map((pick) => (isAgain.has(pick.object) ? { ...pick, isFixed: true } : pick));
  const [kept, rejected] = [all.slice(0, told.kept.length), all.slice(told.kept.length)];
  return {
    ...{ candidates, thresholds, minDistances, picks: none, rejects: none },
    loaded: [...found, ...others],
    edits: new Map<string, Edit>([
      ...found.filter(bestNear(rejected, found, minDistances)).map(({ id }) => [id, { decision: 'deleted' }] as const),
      ...kept.map(({ id }) => [id, { decision: 'accepted' }] as const),
      ...rejected.map(asRejected),
    ]),
    picking: { madeBy: {} },
    isOwn: false,
    problems: [],
  };
}

/** Whether a candidate is the best within half the minimum distance of a rejected pick of its object: the same thing, found again. */
function bestNear(
  rejected: readonly LoadedPick[],
  found: readonly LoadedPick[],
  minDistances: State['minDistances'],
): (candidate: LoadedPick) => boolean {
  const best = rejected.map(({ object, position }) => {
    const reach = (ownOf(minDistances, object) ?? 0) / 2;
    const near = found.filter((one) => one.object === object && distance(one.position, position) <= reach);
    return near.reduce<LoadedPick | undefined>((a, b) => (a && a.score >= b.score ? a : b), undefined);
  });
  const ids = new Set(best.map((one) => one?.id));
  return ({ id }) => ids.has(id);
}

type ReadFiles = Pick<SetReview, 'picks' | 'rejects' | 'isOwn'>;

/** True if a person made all files of a set: with this page, or with another program under the person's own name. */
function isOwn({ files, errors }: ReadSet, person: string): boolean {
  return errors.length === 0 && files.every(({ record, file }) => isOwnFile(record, file, person));
}

function isOwnFile(record: Provenance | undefined, { userId }: SetName, person: string): boolean {
  if (record === undefined) return !truthUsers.includes(userId) && [person, `${person}${REJECTED}`].includes(userId);
  return isReviewRecord(record) && record.person === person;
}

/** A set as its files are, whose picks a threshold filters. */
function asFiled(read: ReadFiles): Omit<SetReview, 'problems'> {
  const { kept, rejected } = namedPicks(read);
  const thresholds: Record<string, number> = {};
  for (const { object, score } of kept.filter(hasScore))
    thresholds[object] = Math.min(ownOf(thresholds, object) ?? score, score);
  return {
    ...read,
    loaded: [...kept, ...rejected],
    edits: new Map([...decisionsOf(kept), ...rejected.map(asRejected)]),
    thresholds,
    minDistances: {},
    candidates: undefined,
    picking: undefined,
  };
}

function namedPicks(read: ReadFiles): Readonly<Record<'kept' | 'rejected', LoadedPick[]>> {
  const { kept, rejected } = settled(read);
  const all = named([...kept, ...rejected]);
  return { kept: all.slice(0, kept.length), rejected: all.slice(kept.length) };
}

/** What a person did to picks, as this page has written it beside each. */
function decisionsOf(kept: readonly LoadedPick[]): (readonly [string, Edit])[] {
  return kept.filter(({ unknown }) => isMark(unknown?.reviewed)).map(({ id }) => [id, { decision: 'accepted' }]);
}

function isMark(reviewed: unknown): boolean {
  return reviewed === 'accepted' || reviewed === 'edited' || reviewed === 'added';
}

function asRejected({ id }: LoadedPick): readonly [string, Edit] {
  return [id, { decision: 'rejected' }];
}

interface PickedFrom {
  readonly run: OpenRun['run'];
  readonly set: SetChoice;
  readonly signal: AbortSignal;
}

/**
 * A set made of its candidates again; undefined if none are kept.
 *
 * @throws An error that says why its picks cannot be made of them.
 */
async function asPicked(
  read: ReadFiles,
  { run, set, signal }: PickedFrom,
): Promise<Omit<SetReview, 'problems'> | undefined> {
  const { picks } = read;
  const own = picks.files.map(({ record }) => record).find(isReviewRecord)?.picked?.candidatesOf;
  const candidatesOf = own ?? { userId: set.userId, sessionId: set.sessionId };
  const stored = await readCandidates(run, candidatesOf, signal);
  if (stored === undefined) return undefined;
  const records = fittingRecords(picks.files, stored);
  const { candidates, picking } = picked(stored.candidates, records, { candidatesOf, madeBy: stored.provenance });
  const { kept, rejected } = namedPicks(read);
  const isAgain = new Set(candidates.objects);
  const found = candidatePicks(candidates);
  const foundIds = new Set(found.map(({ id }) => id));
  const others = [...kept, ...rejected]
    .filter(({ id }) => !foundIds.has(id))
    .map((pick) => (isAgain.has(pick.object) ? { ...pick, isFixed: true } : pick));
  const { thresholds: lowest } = asFiled(read);
  const input: ReviewInput = {
    loaded: [...found, ...others],
    candidates,
    picking,
    edits: new Map([...decisionsOf(kept), ...rejected.map(asRejected)]),
    thresholds: { ...lowest, ...candidates.thresholds },
    minDistances: candidates.minDistances,
  };
  const keptIds = new Set(kept.map(({ id }) => id));
  const surplus = reviewOf(input).kept.filter(({ id }) => !keptIds.has(id));
  const edits = new Map<string, Edit>([
    ...input.edits,
    // What a person deleted is in no file.
    ...surplus.map(({ id }): [string, Edit] => [id, { decision: 'deleted' }]),
  ]);
  const isReviewed = picks.files.some(({ record }) => isReviewRecord(record));
  const again = reviewOf({ ...input, edits }).kept;
  const isSame = again.length === kept.length && again.every(({ id }) => keptIds.has(id));
  const isChanged = surplus.length > 0 || others.some(({ isFixed }) => isFixed);
  if (!isSame || (isChanged && !isReviewed)) {
    throw new Error('its candidates do not give them; detect again.');
  }
  return { ...read, ...input, edits, candidates, picking };
}

/** The records of the objects that were picked from these candidates, by object. @throws An error if there are no records. */
function fittingRecords(
  files: readonly ReadFile[],
  { candidates, provenance }: { readonly candidates: Candidates; readonly provenance: Provenance },
): ReadonlyMap<string, PickedRecord> {
  const fitting = new Map<string, PickedRecord>();
  let reason = 'nothing is recorded of how they were made of its candidates.';
  for (const { file, record } of files) {
    const { object } = file;
    const how: PickedRecord | undefined = isReviewRecord(record) ? record.picked : record;
    const { threshold, minDistance, mask = null } = how ?? {};
    if (how === undefined || !candidates.objects.includes(object)) continue;
    if (mask !== null) reason = 'they were picked inside a mask, which this page does not apply.';
    else if (!isSameSearch(how, provenance)) reason = 'its candidates were found otherwise; detect again.';
    else if (typeof threshold === 'number' && typeof minDistance === 'number') {
      if (threshold < (candidates.lowestThresholds[object] as number)) reason = 'its candidates are too few.';
      else fitting.set(object, how);
    }
  }
  if (fitting.size > 0) return fitting;
  throw new Error(reason);
}

/** What decides the scores of candidates, in records of picks and of candidates alike. */
const SEARCH = ['model', 'overlap', 'memory', 'average', 'settings', 'tomogram'] as const;

/** The part of a record that says what decided the scores. */
export function searchOf(record: Provenance): Provenance {
  return Object.fromEntries(SEARCH.filter((field) => field in record).map((field) => [field, record[field]]));
}

/** Both records have the order of fields in which this library writes them; a setting that is false is as if it were not given. */
function isSameSearch(a: Provenance, b: Provenance): boolean {
  const withoutFalse = (_: string, value: unknown) => (value === false ? undefined : value);
  return JSON.stringify(searchOf(a), withoutFalse) === JSON.stringify(searchOf(b), withoutFalse);
}

/** Candidates of the objects that have a record, with the thresholds and distances of it, and how they were picked. */
function picked(
  candidates: Candidates,
  records: ReadonlyMap<string, PickedRecord>,
  source: Pick<Picking, 'candidatesOf' | 'madeBy'>,
): { readonly candidates: Candidates; readonly picking: Picking } {
  const objects = candidates.objects.filter((object) => records.has(object));
  const numbers = (field: 'threshold' | 'competitionThreshold' | 'minDistance' | 'max') =>
    Object.fromEntries(
      objects.flatMap((object) => {
        const value = records.get(object)?.[field];
        return typeof value === 'number' ? [[object, value]] : [];
      }),
    );
  const thresholds = numbers('threshold');
  const [acrossObjects] = [...records.values()].map((record) => record.acrossObjects as Picking['acrossObjects']);
  return {
    candidates: {
      ...onlyOf(candidates, objects),
      thresholds,
      // A threshold that was given, or moved, is that of a submission too.
      ...(candidates.competitionThresholds && {
        competitionThresholds: { ...thresholds, ...numbers('competitionThreshold') },
      }),
      minDistances: numbers('minDistance'),
    },
    picking: { ...source, max: numbers('max'), acrossObjects },
  };
}

/** The candidates of some objects. */
export function onlyOf(candidates: Candidates, objects: readonly string[]): Candidates {
  if (objects.length === candidates.objects.length) return candidates;
  const { objectIndices, positions, scores } = candidates;
  const indexOf = candidates.objects.map((object) => objects.indexOf(object));
  const kept = [...objectIndices.keys()].filter((i) => indexOf[objectIndices[i] as number] !== -1);
  const place = (i: number) => [...positions.subarray(3 * i, 3 * i + 3)];
  const byName = <T>(values: Readonly<Record<string, T>>) =>
    Object.fromEntries(objects.map((object) => [object, values[object] as T]));
  return {
    ...candidates,
    objects,
    thresholds: byName(candidates.thresholds),
    ...(candidates.competitionThresholds && { competitionThresholds: byName(candidates.competitionThresholds) }),
    minDistances: byName(candidates.minDistances),
    floors: byName(candidates.floors),
    lowestThresholds: byName(candidates.lowestThresholds),
    objectIndices: Uint16Array.from(kept, (i) => indexOf[objectIndices[i] as number] as number),
    positions: Float64Array.from(kept.flatMap(place)),
    scores: Float32Array.from(kept, (i) => scores[i] as number),
  };
}

/** How an object was picked, as it is recorded beside picks that were made of candidates; undefined for one that has none. */
export function pickedRecord(
  object: string,
  { candidates, picking, thresholds }: Pick<ReviewInput, 'candidates' | 'picking' | 'thresholds'>,
): PickedRecord | undefined {
  if (!candidates?.objects.includes(object)) return undefined;
  const { competitionThresholds } = candidates;
  const { max = {}, acrossObjects = competitionThresholds !== undefined, madeBy = {} } = picking ?? {};
  const usual = candidates.thresholds[object] as number;
  const threshold = Math.max(ownOf(thresholds, object) ?? usual, candidates.lowestThresholds[object] as number);
  return {
    ...searchOf(madeBy),
    threshold,
    ...(competitionThresholds && {
      competitionThreshold: threshold === usual ? competitionThresholds[object] : threshold,
    }),
    minDistance: candidates.minDistances[object],
    mask: null,
    acrossObjects,
    max: (typeof max === 'number' ? max : ownOf(max, object)) ?? null,
  };
}

/** By the id of a pick under review, the one that it has once it is saved. */
export function savedIds(picks: readonly LoadedPick[]): ReadonlyMap<string, string> {
  const saved = named(picks);
  return new Map(picks.map(({ id }, i) => [id, (saved[i] as LoadedPick).id]));
}

/** The set that a review of this page was first made of. */
export function lineageOf(review: Pick<SetReview, 'picks'> | undefined): string | undefined {
  const record = review?.picks.files.map((file) => file.record).find(isReviewRecord);
  return record?.reviewed ?? undefined;
}
