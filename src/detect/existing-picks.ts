import type { PickSet, WritePicksOptions } from '../copick/pick-sets.ts';
import { differences, type PicksOrigin, type Provenance } from '../copick/provenance.ts';
import type { Run } from '../copick/run.ts';
import { quotedNames } from '../core/arguments.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { showJson } from '../core/json.ts';
import type { ParticlePick } from '../picks/pick.ts';
import { recordDifferences } from './picks-record.ts';

/** Whose picks of which objects a run shall get. */
export interface Wanted {
  readonly userId: string;
  readonly sessionId: string;
  /** Names of the objects. */
  readonly classes: readonly string[];
  /** Whether only the picks of these objects count. */
  readonly isRestricted: boolean;
  readonly overwrite?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Picks that a run has of this user and session, and what made them. */
export interface ExistingPicks {
  readonly set: PickSet;
  readonly origin: PicksOrigin;
}

/** The picks that a run has of a user and session. */
export async function existingPicks(
  run: Run,
  { userId, sessionId, classes, isRestricted, signal }: Wanted,
): Promise<ExistingPicks[]> {
  const object = isRestricted ? classes : undefined;
  const found: ExistingPicks[] = [];
  for (const set of await run.pickSets({ userId, sessionId, object, signal })) {
    const origin = await set.origin({ signal });
    if (origin !== undefined) found.push({ set, origin });
  }
  return found;
}

interface Replacing extends Wanted {
  /** The record of the model that finds the new picks. */
  readonly model: Provenance;
}

/** @throws {@link CryoetPicksError} `conflict` for picks that another model or somebody else made. */
export function requireReplaceable(run: Run, found: readonly ExistingPicks[], wanted: Replacing): void {
  const { model, classes, overwrite } = wanted;
  if (overwrite) return;
  const wantedClasses = new Set(classes);
  for (const { set, origin } of found) {
    const reason = whoseElse(origin, wanted);
    if (reason === undefined) continue;
    if (wantedClasses.has(set.object)) throw refusalOf(run, set, reason);
    const objects = quotedNames(classes);
    throw refusalOf(
      run,
      set,
      reason,
      `${nameOf(model)} does not look for them, and would add its own picks to theirs: choose another user or session, ` +
        `or restrict the objects to ${objects}; overwrite does the same, and leaves these picks as they are`,
    );
  }
}

/** The name of a model; candidates that were written without a record say nothing of theirs. */
function nameOf({ name }: Provenance): string {
  return name === undefined ? 'the model of the candidates, of which nothing is recorded' : `"${name}"`;
}

/** Whose picks they are, if not those of this model and author. */
function whoseElse({ provenance }: PicksOrigin, { model, userId, sessionId }: Replacing): string | undefined {
  if (provenance === undefined) return 'were not written by a detection of this program, or were changed since';
  const others = differences(provenance.model, model, 'model');
  if (others.length > 0) {
    const { name } = (provenance.model ?? {}) as { readonly name?: unknown };
    return name === model.name
      ? `were found by another model of the name "${name}": ${others.join(', ')}`
      : `were found by the model ${showJson(name)}, not by ${nameOf(model)}`;
  }
  if (provenance.userId === userId && provenance.sessionId === sessionId) return undefined;
  const author = `user ${showJson(provenance.userId)}, session ${showJson(provenance.sessionId)}`;
  return `were written as those of ${author}, whose files have the same names`;
}

function refusalOf(
  { name }: Run,
  { object, userId, sessionId, path }: PickSet,
  reason: string,
  remedy = 'set overwrite to replace them, or choose another user or session',
): CryoetPicksError {
  return new CryoetPicksError(
    'conflict',
    `picks of "${object}" by user "${userId}", session "${sessionId}" in run "${name}" ${reason}: ${path}; ${remedy}`,
    { path, option: 'overwrite' },
  );
}

/** The objects that a run has no picks of: it is not done while there are any. */
export function lackedObjects(objects: readonly string[], found: ReadonlySet<string>): string[] {
  return objects.filter((object) => !found.has(object));
}

/**
 * Whether a run has picks of every object, made just so.
 *
 * @throws {@link CryoetPicksError} `conflict` for picks that were made otherwise, unless they may be replaced.
 */
export function isDone(
  run: Run,
  before: readonly ExistingPicks[],
  { classes, overwrite, provenance }: Wanted & { readonly provenance: Readonly<Record<string, Provenance>> },
): boolean {
  let done = 0;
  for (const { set, origin } of before) {
    if (!Object.hasOwn(provenance, set.object)) continue;
    const others = recordDifferences(origin.provenance, provenance[set.object]!);
    if (others.length === 0) done++;
    else if (!overwrite) throw refusalOf(run, set, `were made otherwise: ${others.join(', ')}`);
  }
  return done === classes.length;
}

/**
 * The versions of picks files, by object, which another process must not have replaced when they are written.
 *
 * @throws {@link CryoetPicksError} `conflict` if picks were written while the run was searched.
 */
export async function unchangedVersions(
  run: Run,
  before: readonly ExistingPicks[],
  wanted: Wanted,
): Promise<Readonly<Record<string, string | null | undefined>>> {
  const now = await existingPicks(run, wanted);
  const known = new Map(before.map(({ set, origin }) => [set.path, origin.sha256]));
  const changed = now.find(({ set, origin }) => known.get(set.path) !== origin.sha256);
  if (changed !== undefined) throw writtenMeanwhile(run, changed.set.path);
  const versions = new Map(now.map(({ set, origin }) => [set.object, origin.version] as const).reverse());
  const versionOf = (object: string) => (versions.has(object) ? versions.get(object) : null);
  return Object.fromEntries(wanted.classes.map((object) => [object, versionOf(object)]));
}

/**
 * Writes picks, if no others were written since the versions in `ifVersion`.
 *
 * @throws {@link CryoetPicksError} `conflict` if picks were written meanwhile; nothing was replaced then.
 */
export async function writeUnlessWritten(
  run: Run,
  picks: readonly ParticlePick[],
  options: WritePicksOptions,
): Promise<void> {
  try {
    await run.writePicks(picks, options);
  } catch (error) {
    if (isCryoetPicksError(error, 'conflict')) throw writtenMeanwhile(run, error.path, error);
    throw error;
  }
}

function writtenMeanwhile({ name }: Run, path: string | undefined, cause?: unknown): CryoetPicksError {
  return new CryoetPicksError(
    'conflict',
    `another process has written picks of run "${name}" while this one searched it: ${path}; nothing was replaced: ` +
      'take them by the option resume, or share the runs by the option claim',
    { path, option: 'resume', cause },
  );
}
