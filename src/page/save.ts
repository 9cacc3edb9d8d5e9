import type { PicksFile, Run } from '../entry/copick.ts';
import { CryoetPicksError, isCryoetPicksError, type ParticlePick } from '../entry/index.ts';
import { labelOf, type ReadSet } from './collection.ts';
import type { Page } from './page.ts';
import type { ReviewedPick } from './review.ts';
import {
  lineageOf,
  PROGRAM,
  pickedRecord,
  type ReviewRecord,
  rejectsOf,
  type SetName,
  savedIds,
} from './set-review.ts';
import type { Workspace } from './workspace.ts';

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
 * Writes the kept picks as a set of a person's own, and what was rejected as another; the page goes on with the set that was written.
 * What the network has just found is written before them, as a set of the network.
 *
 * Only the set under review is replaced, if the person made it and nobody has changed it since it was read. All files are checked
 * before one is written.
 *
 * @throws `conflict` for any other set that is there, which says what was written before it was noticed; what writing throws.
 */
export async function savePicks(page: Page, workspace: Workspace, name: SetName): Promise<Saved> {
  const { run, known, review } = target(workspace);
  const isKnown = ({ object }: ParticlePick) => known.has(object);
  const isOwn = review?.isOwn ?? false;
  const rejects = { author: rejectsOf(name), read: review?.rejects };
  const picks = { author: name, read: review?.picks };
  const versions = [await replaceableVersions(run, rejects, isOwn), await replaceableVersions(run, picks, isOwn)];
  const network = await workspace.saveDetection();
  const { state } = page.live;
  const { kept, rejected } = page.review();
  const candidatesOf = state.picking?.candidatesOf;
  const recordOf = (object: string): ReviewRecord => {
    const picked = candidatesOf && pickedRecord(object, state);
    return {
      program: PROGRAM,
      person: state.person,
      reviewed: lineageOf(review) ?? state.set ?? null,
      thresholds: state.thresholds,
      tomogram: state.tomogram ?? null,
      ...(picked && { picked: { ...picked, candidatesOf } }),
    };
  };
  const written = network ? [network.label] : [];
  // First: if the picks cannot be written after all, these do no harm.
  const rejectsToWrite = { ...rejects, versions: versions[0]!, picks: rejected.filter(isKnown), reviewed: [] };
  await afterWriting(written, () => writeSet(run, rejectsToWrite, recordOf));
  if (rejectsToWrite.picks.length > 0) written.push(labelOf(rejects.author));
  const reviewed = state.loaded.filter(isKnown);
  const picksToWrite = { ...picks, versions: versions[1]!, picks: kept.filter(isKnown), reviewed };
  await afterWriting(written, () => writeSet(run, picksToWrite, recordOf));
  const [saved] = await run.pickSets({ ...name });
  const label = labelOf(saved ?? name);
  const all = [...kept.filter(isKnown), ...rejected.filter(isKnown)];
  await workspace.showSaved(label, { state, ids: savedIds(all) });
  return {
    label,
    network: network?.label,
    kept: kept.filter(isKnown).length,
    rejected: rejected.filter(isKnown).length,
    unknown: kept.length + rejected.length - all.length,
  };
}

/** The run to save into. @throws An error if there is none. */
function target({ run, collection, review }: Workspace) {
  if (collection?.project === undefined) {
    throw new Error('There is no project to save into; export the picks instead.');
  }
  if (run?.run === undefined) throw new Error('This run is not open: nothing was saved.');
  return { run: run.run, known: new Set(collection.project.objects.map(({ name }) => name)), review };
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
  readonly picks: readonly ReviewedPick[];
  /** Picks whose objects get a file even if none of them is kept. */
  readonly reviewed: readonly ParticlePick[];
}

type Versions = ReadonlyMap<string, string | null | undefined>;

/**
 * The versions of the files of a set that may be replaced, by object.
 *
 * @throws `conflict` for a file that the person did not make, or that is not the one that was read.
 */
async function replaceableVersions(run: Run, { author, read }: SetToCheck, isOwn: boolean): Promise<Versions> {
  const known = new Map(read?.files.map(({ path, file }) => [path, file.version]));
  const versions = new Map<string, string | null | undefined>();
  for (const set of await run.pickSets({ ...author })) {
    const label = labelOf(set);
    if (!known.has(set.path)) throw conflict(`${label} holds other picks than those under review.`);
    if (!isOwn) throw conflict(`${label} is not yours to replace.`);
    const version = known.get(set.path);
    if ((await set.origin())?.version !== version) throw conflict(`${label} has changed since it was read.`);
    versions.set(set.object, version);
  }
  return versions;
}

function conflict(message: string): CryoetPicksError {
  return new CryoetPicksError('conflict', `${message} Nothing was written.`);
}

/** Writes; if somebody else has written meanwhile, the conflict says what was written before. */
async function afterWriting(written: readonly string[], write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (!isConflict(error) || written.length === 0) throw error;
    const message = `${(error as Error).message} Written before that: ${written.join(', ')}.`;
    throw new CryoetPicksError('conflict', message, { cause: error });
  }
}

async function writeSet(
  run: Run,
  { author, picks, read, reviewed, versions }: SetToWrite,
  recordOf: (object: string) => ReviewRecord,
): Promise<void> {
  const objects = [...new Set([...versions.keys(), ...[...reviewed, ...picks].map(({ object }) => object)])];
  if (objects.length === 0) return;
  const files = new Map<string, PicksFile>(read?.files.map(({ file }) => [file.object, file]));
  await run.writePicks(picks.map(toSave), {
    ...author,
    objects,
    // What they say beside their picks goes along.
    files: [...files.values()].filter(({ object }) => objects.includes(object)),
    ifVersion: Object.fromEntries(
      objects.map((object) => [object, versions.has(object) ? versions.get(object) : null]),
    ),
    provenance: Object.fromEntries(objects.map((object) => [object, recordOf(object)])),
  });
}

/** A pick as it is written: what a person did to it stands beside what else its file said. */
function toSave({ id: _, isFixed: __, source, decision, ...pick }: ReviewedPick): ParticlePick {
  const reviewed = source === 'found' ? decision : source;
  const { reviewed: ___, ...unknown } = pick.unknown ?? {};
  if (reviewed === undefined && Object.keys(unknown).length === 0) return { ...pick, unknown: undefined };
  return { ...pick, unknown: { ...unknown, ...(reviewed && { reviewed }) } };
}

/** The next session that nobody has used, neither for picks nor for what was rejected: after `1` comes `2`. */
export async function freeSession(run: Run, name: SetName): Promise<string> {
  let number = Number.parseInt(name.sessionId, 10) || 1;
  for (; ; number++) {
    const next = { userId: name.userId, sessionId: String(number) };
    const found = await Promise.all([run.pickSets({ ...next }), run.pickSets({ ...rejectsOf(next) })]);
    if (found.every((sets) => sets.length === 0)) return next.sessionId;
  }
}

/** True if saving failed because it would have replaced a set that it must not. */
export function isConflict(error: unknown): boolean {
  return isCryoetPicksError(error, 'conflict');
}
