import type { PicksFile, Run } from '../entry/copick.ts';
import { CryoetPicksError, isCryoetPicksError, type ParticlePick } from '../entry/index.ts';
import { labelOf, type ReadFile, type ReadSet, readSet, setsOf } from './collection.ts';
import { firstFreeSession } from './free-session.ts';
import { asTakenBack, holdsAll, leaving, missingObjects, withBefore } from './interrupted.ts';
import { type Review, type ReviewedPick, toSave } from './review.ts';
import {
  holdsRejects,
  isReviewRecord,
  PROGRAM,
  REJECTED,
  type ReviewRecord,
  rejectsOf,
  type SetName,
} from './review-record.ts';
import { lineageOf, pickedRecord, savedIds } from './set-review.ts';
import type { Saving, Workspace } from './workspace.ts';

/** What saving did. */
export interface Saved {
  readonly label: string;
  /** The set of the network, if what it found was written too. */
  readonly network?: string | undefined;
  readonly kept: number;
  readonly rejected: number;
  /** Picks of objects that the project does not know: they cannot be written. */
  readonly unknown: number;
}

/**
 * Writes the kept picks as a set of a person's own, and what was rejected as another: those that show when it is called, whatever
 * happens before it has ended. The page goes on with the set that was written.
 * What the network has just found is written before them, as a set of the network.
 *
 * Only the set under review is replaced, if the person made it and nobody has changed it since it was read, and one that a save of
 * these picks has not finished. All files are checked before one is written; interrupted.ts says in which order they are, and why.
 *
 * @throws An error without picks, and for a name of rejected ones; `conflict` for any other set that is there, which says what was
 *   written before it was noticed; what `save` of the workspace and what writing throw.
 */
export function savePicks(workspace: Workspace, name: SetName): Promise<Saved> {
  return workspace.save((saving) => write(saving, name));
}

async function write({ run, known, state, review, read, ...saving }: Saving, name: SetName): Promise<Saved> {
  const { person, tomogram, thresholds } = state;
  const isKnown = ({ object }: ParticlePick) => known.has(object);
  const [kept, rejected] = [review.kept.filter(isKnown), review.rejected.filter(isKnown)];
  const loaded = new Map(state.loaded.map((pick) => [pick.id, pick]));
  const asPick = (pick: ReviewedPick) => withBefore(toSave(pick), loaded.get(pick.id));
  if (holdsRejects(name)) {
    throw new Error(`A user whose name ends in "${REJECTED}" holds what was rejected: choose another name.`);
  }
  if (read === undefined && review.all.length === 0 && state.loaded.length === 0) {
    throw new Error('There are no picks to save.');
  }
  const reason = whyNone(review, known);
  if (reason !== undefined) throw new Error(reason);
  const isOwn = read?.isOwn ?? false;
  const sets = {
    picks: { author: name, read: read?.picks },
    rejects: { author: rejectsOf(name), read: read?.rejects },
  };
  const interrupted = await unfinished(run, name, { person, kept, rejected });
  const versions = {
    rejects: await replaceableVersions(run, sets.rejects, { isOwn, left: interrupted }),
    picks: await replaceableVersions(run, sets.picks, { isOwn, left: interrupted }),
  };
  const network = await saving.saveDetection();
  const { picking = state.picking, label: reviewedSet = state.set ?? null } = network ?? {};
  const unknown = review.all.length - kept.length - rejected.length;
  const reviewed = state.loaded.filter(isKnown);
  const candidatesOf = picking?.candidatesOf;
  const shared = {
    program: PROGRAM,
    person,
    reviewed: lineageOf(read) ?? reviewedSet,
    saved: new Date().toISOString(),
    objects: objectsOf([...reviewed, ...kept], versions.picks),
    thresholds,
    tomogram: tomogram ?? null,
  } as const;
  const recordOf = (object: string): ReviewRecord => {
    const picked = candidatesOf && pickedRecord(object, { ...state, picking });
    return { ...shared, ...(picked && { picked: { ...picked, candidatesOf } }) };
  };
  const written = network ? [network.label] : [];
  const takenBack = kept.filter(({ id }) => read?.edits.get(id)?.decision === 'rejected');
  const rejects = { ...sets.rejects, picks: rejected.map(asPick), versions: versions.rejects, reviewed: [] };
  const isSuperset = takenBack.length > 0 && versions.rejects.size > 0;
  const first = isSuperset ? [...rejects.picks, ...takenBack.map(asPick).map(asTakenBack)] : rejects.picks;
  await writeSet(run, { ...rejects, picks: first }, { recordOf, written });
  const picks = { ...sets.picks, picks: kept.map(asPick), versions: versions.picks, reviewed };
  const left = leaving(read?.picks.picks ?? [], picks.picks).filter(({ object }) => versions.picks.has(object));
  await writeSet(run, { ...picks, picks: [...picks.picks, ...left] }, { recordOf, written });
  if (left.length > 0) await writeAgain(run, picks, { recordOf, written });
  if (isSuperset) await writeAgain(run, rejects, { recordOf, written });
  const [saved] = await run.pickSets({ ...name });
  const label = labelOf(saved ?? name);
  await saving.goOn(label, savedIds([...kept, ...rejected]));
  return {
    label,
    network: network?.label,
    kept: kept.length,
    rejected: rejected.length,
    unknown,
  };
}

/** Why none of the picks can be saved; undefined if one can, and without picks. */
export function whyNone({ all }: Pick<Review, 'all'>, known: ReadonlySet<string>): string | undefined {
  if (all.length === 0 || all.some(({ object }) => known.has(object))) return undefined;
  const names = [...new Set(all.map(({ object }) => `"${object}"`))].join(', ');
  return `The project does not have ${names}: add it to the pickable_objects of its config to save picks of it, or export them.`;
}

/** A set that is to be written. */
interface SetToCheck {
  readonly author: SetName;
  /** The set that it goes on from. */
  readonly read: ReadSet | undefined;
}

/** A set to write, in place of files that were checked. */
interface SetToWrite extends SetToCheck {
  readonly versions: Versions;
  readonly picks: readonly ParticlePick[];
  /** Picks whose objects get a file even if none of them is kept. */
  readonly reviewed: readonly ParticlePick[];
}

type Versions = ReadonlyMap<string, string | null | undefined>;

/** What a save of these picks has not finished. */
interface Unfinished {
  readonly person: string;
  readonly kept: readonly ReviewedPick[];
  readonly rejected: readonly ReviewedPick[];
}

/**
 * The versions of files, by path, that a save of a person was killed after, before it had written all: to be written again, since
 * whatever they hold is among the picks that are saved now.
 */
async function unfinished(run: Run, name: SetName, { person, kept, rejected }: Unfinished): Promise<Versions> {
  const { signal } = new AbortController();
  const read = async (author: SetName) => {
    const [set] = setsOf(await run.pickSets({ ...author }));
    return set === undefined ? [] : (await readSet(set, signal)).files;
  };
  const [picks, rejects] = [await read(name), await read(rejectsOf(name))];
  const all = [...picks, ...rejects];
  const isOwn = all.every(({ record }) => isReviewRecord(record) && record.person === person);
  const isLeft = picks.length === 0 || missingObjects(picks).length > 0;
  const picksOf = (files: readonly ReadFile[]) => files.flatMap(({ file }) => file.picks);
  const isHeld = holdsAll(kept, picksOf(picks)) && holdsAll(rejected, picksOf(rejects));
  return new Map(isOwn && isLeft && isHeld ? all.map(({ path, file }) => [path, file.version]) : []);
}

/** What is known of the files of a set. */
interface Known {
  /** Whether those that were read are the person's own. */
  readonly isOwn: boolean;
  /** Those that a save has not finished. */
  readonly left: Versions;
}

/**
 * The versions of the files of a set that may be replaced, by object.
 *
 * @throws `conflict` for a file that the person did not make, or that is not the one that was read.
 */
async function replaceableVersions(run: Run, { author, read }: SetToCheck, { isOwn, left }: Known): Promise<Versions> {
  const known = new Map(read?.files.map(({ path, file }) => [path, file.version]));
  const versions = new Map<string, string | null | undefined>();
  for (const set of await run.pickSets({ ...author })) {
    const label = labelOf(set);
    if (left.has(set.path)) {
      versions.set(set.object, left.get(set.path));
      continue;
    }
    if (!known.has(set.path)) throw conflict(`${label} holds other picks than those under review.`);
    if (!isOwn) throw conflict(`${label} is not yours to replace.`);
    const version = known.get(set.path);
    if ((await set.origin())?.version !== version) throw conflict(`${label} has changed since it was read.`);
    versions.set(set.object, version);
  }
  return versions;
}

/** The versions of the files of a set as they are, by object. */
async function versionsNow(run: Run, author: SetName): Promise<Versions> {
  const sets = await run.pickSets({ ...author });
  const version = async (set: (typeof sets)[number]) => [set.object, (await set.origin())?.version] as const;
  return new Map(await Promise.all(sets.map(version)));
}

function conflict(message: string): CryoetPicksError {
  return new CryoetPicksError('conflict', `${message} Nothing was written.`);
}

/** What each set of a save is written with. */
interface Writing {
  readonly recordOf: (object: string) => ReviewRecord;
  /** Labels of the sets that it has written; the next one is added. */
  readonly written: string[];
}

/**
 * Writes a set, unless it has nothing to write.
 *
 * @throws `conflict` if somebody else has written it since it was checked, which says what was written before.
 */
async function writeSet(
  run: Run,
  { author, picks, read, reviewed, versions }: SetToWrite,
  { recordOf, written }: Writing,
): Promise<void> {
  const objects = objectsOf([...reviewed, ...picks], versions);
  if (objects.length === 0) return;
  const files = new Map<string, PicksFile>(read?.files.map(({ file }) => [file.object, file]));
  const label = labelOf(author);
  try {
    await run.writePicks(picks, {
      ...author,
      objects,
      // What they say beside their picks goes along.
      files: [...files.values()].filter(({ object }) => objects.includes(object)),
      ifVersion: Object.fromEntries(
        objects.map((object) => [object, versions.has(object) ? versions.get(object) : null]),
      ),
      provenance: Object.fromEntries(objects.map((object) => [object, recordOf(object)])),
    });
  } catch (error) {
    if (!isConflict(error)) throw error;
    const before = written.length === 0 ? '' : ` Written before that: ${written.join(', ')}.`;
    const message = `${label} was written by another program or page during this save.${before}`;
    throw new CryoetPicksError('conflict', message, { cause: error });
  }
  if (!written.includes(label)) written.push(label);
}

/** Writes a set again that this save has just written, now without what stood in it for the time being. */
async function writeAgain(run: Run, set: SetToWrite, writing: Writing): Promise<void> {
  await writeSet(run, { ...set, versions: await versionsNow(run, set.author) }, writing);
}

/** The objects that get a file: those of picks, and those that have one. */
function objectsOf(picks: readonly ParticlePick[], versions: Versions): string[] {
  return [...new Set([...versions.keys(), ...picks.map(({ object }) => object)])];
}

/** The next session that a person has not used, neither for picks nor for what was rejected: after `1` comes `2`. */
export function freeSession(run: Run, name: SetName): Promise<string> {
  return firstFreeSession(run, [name.userId, rejectsOf(name).userId], Number.parseInt(name.sessionId, 10) || 1);
}

/** True if saving failed because it would have replaced a set that it must not. */
export function isConflict(error: unknown): boolean {
  return isCryoetPicksError(error, 'conflict');
}
