import { isCryoetPicksError, type ParticlePick } from '../entry/index.ts';
import { labelOf } from './collection.ts';
import type { Page } from './page.ts';
import type { ReviewedPick } from './review.ts';
import type { Workspace } from './workspace.ts';

/** Whose picks they are. */
export interface SetName {
  readonly userId: string;
  readonly sessionId: string;
}

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

/** The name of the set that holds what a person rejected. */
export function rejectsOf({ userId, sessionId }: SetName): SetName {
  return { userId: `${userId}-rejected`, sessionId };
}

/**
 * Writes the kept picks as a pick set of a person's own, and what was rejected as another; before them what the network has just
 * found, as a set of the network. A file that was not read by this page, or
 * has changed since, is not replaced.
 *
 * @throws `conflict` for such a file; what writing throws.
 */
export async function savePicks(page: Page, workspace: Workspace, name: SetName): Promise<Saved> {
  const { run } = workspace.run ?? {};
  const { project } = workspace.collection ?? {};
  if (run === undefined || project === undefined) {
    throw new Error('There is no project to save into; export the picks instead.');
  }
  const known = new Set(project.objects.map(({ name }) => name));
  const isKnown = ({ object }: ParticlePick) => known.has(object);
  const { kept, rejected } = page.review();
  const { state } = page.live;
  const network = await workspace.saveDetection();
  const provenance = {
    program: 'cryoet-picks view',
    reviewed: network ?? state.set ?? null,
    thresholds: state.thresholds,
    tomogram: state.tomogram ?? null,
  };
  const write = async (picks: readonly ReviewedPick[], { userId, sessionId }: SetName, isNeeded: boolean) => {
    const label = labelOf({ userId, sessionId });
    const versions = workspace.versionsOf(label);
    const before = workspace.run?.sets.find((set) => set.label === label)?.files.map(({ object }) => object) ?? [];
    const reviewed = isNeeded ? state.loaded.map(({ object }) => object) : [];
    const objects = [...new Set([...before, ...reviewed, ...picks.map(({ object }) => object)])].filter((one) =>
      known.has(one),
    );
    if (objects.length === 0) return;
    await run.writePicks(picks.filter(isKnown).map(toSave), {
      userId,
      sessionId,
      objects,
      ifVersion: Object.fromEntries(objects.map((object) => [object, versions[object] ?? null])),
      provenance: Object.fromEntries(objects.map((object) => [object, provenance])),
    });
  };
  await write(kept, name, true);
  await write(rejected, rejectsOf(name), false);
  await workspace.relist();
  for (const one of [name, rejectsOf(name)]) await workspace.learnVersions(labelOf(one));
  return {
    label: labelOf(name),
    network,
    kept: kept.filter(isKnown).length,
    rejected: rejected.filter(isKnown).length,
    unknown: [...kept, ...rejected].filter((pick) => !isKnown(pick)).length,
  };
}

/** A pick as it is written: what a person did to it stands beside what else its file said. */
function toSave({ id: _, source, decision, ...pick }: ReviewedPick): ParticlePick {
  const reviewed = source === 'found' ? decision : source;
  if (reviewed === undefined) return pick;
  return { ...pick, unknown: { ...pick.unknown, reviewed } };
}

/** The next session that nobody has used: after `1` comes `2`. */
export function freeSession({ userId, sessionId }: SetName, labels: readonly string[]): string {
  let number = Number.parseInt(sessionId, 10) || 1;
  while (labels.includes(labelOf({ userId, sessionId: String(number) }))) number++;
  return String(number);
}

/** True if saving failed because somebody else wrote the file. */
export function isConflict(error: unknown): boolean {
  return isCryoetPicksError(error, 'conflict');
}
