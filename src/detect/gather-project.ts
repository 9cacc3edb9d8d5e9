import type { StoredCandidates } from '../copick/candidates-file.ts';
import { sanitizeName } from '../copick/layout.ts';
import type { PicksFilter } from '../copick/pick-sets.ts';
import { withoutUntrustedRotations } from '../copick/picks-file.ts';
import type { Project } from '../copick/project.ts';
import type { Provenance } from '../copick/provenance.ts';
import type { Run } from '../copick/run.ts';
import { unreadRuns, type WaitOptions } from '../copick/tree.ts';
import {
  callback,
  finiteScore,
  numberPerObject,
  optional,
  ownNumber,
  type PerObject,
  project as projectRule,
  quotedNames,
  type RulesFor,
  requireArgument,
  requireOptions,
} from '../core/arguments.ts';
import { mapOrdered, type Warning } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { acrossIn, givenNumbers, type ThresholdSet, type Thresholds, thresholdsRule } from '../inference/thresholds.ts';
import {
  type PicksFromCandidatesOptions,
  picksFromCandidates,
  requireKnown,
  usualThresholds,
} from '../picks/candidates.ts';
import type { ParticlePick, RunPicks } from '../picks/pick.ts';
import { readFailures } from './failures.ts';
import { byObject, chosenRuns, type ProjectRunsOptions, runsRules } from './project-runs.ts';
import {
  type Author,
  comparableOf,
  differencesOf,
  lookAtRun,
  originsOfRun,
  type PickedRecord,
  particlesOf,
  type Records,
  type Usual,
  Ways,
} from './run-ways.ts';

/** Options of {@link gatherProject}. */
export interface GatherProjectOptions extends Pick<ProjectRunsOptions, 'runs' | 'userId' | 'sessionId' | 'signal'> {
  /**
   * What picks are made from: the candidates that a detection has kept, or the picks files as they are. @defaultValue 'candidates'
   */
  readonly from?: 'candidates' | 'picks' | undefined;
  /**
   * Minimum scores of picks that are made from candidates: `'competition'` for a submission, in which objects do not affect each other; one
   * number for all objects, or a record of those that differ from the balanced ones. @defaultValue 'balanced', or the numbers that the
   * detection was given, whatever `maxFalse` chose
   */
  readonly thresholds?: Thresholds | undefined;
  /** Called for what looks wrong while picks are made. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

const gatherRules: RulesFor<GatherProjectOptions> = {
  runs: runsRules.runs,
  userId: runsRules.userId,
  sessionId: runsRules.sessionId,
  signal: runsRules.signal,
  from: {
    expected: "'candidates' or 'picks'",
    isValid: (value) => value === undefined || value === 'candidates' || value === 'picks',
  },
  thresholds: /* @__PURE__ */ optional(thresholdsRule),
  onWarning: /* @__PURE__ */ optional(callback),
};

/** A run that is not gathered, and why. */
export interface UngatheredRun {
  readonly run: string;
  readonly reason: string;
  /** The file or folder that it is about, if there is one. */
  readonly path?: string | undefined;
  /** Its picks are there, but not what they were made from: only a search without `resume` mends that. */
  readonly hasPicks?: true | undefined;
  /** Of a search that failed: the code of its error, and how many searches have failed so; see `readFailures`. */
  readonly code?: string | undefined;
  readonly attempt?: number | undefined;
}

/** The picks of a run that was gathered, in the order of the objects. */
export interface GatheredRun extends RunPicks {
  readonly from: 'candidates' | 'picks';
  /** Why they are those of the files, although candidates were asked for. */
  readonly reason?: string | undefined;
}

/** What a project has of a user and session; see {@link gatherProject}. */
export interface GatheredProject {
  /** How many runs were looked at. */
  readonly expected: number;
  /** Names of the runs with picks of every object. */
  readonly done: readonly string[];
  /** Runs whose last search failed, and those whose files cannot be read. */
  readonly failed: readonly UngatheredRun[];
  /**
   * Runs whose picks were made otherwise than those of most runs: by another model, with other thresholds or options, in tomograms of
   * another voxel spacing although they have that of the others, or by hand; and those whose picks are damaged. A search replaces their
   * picks only with `overwrite`.
   */
  readonly differing: readonly UngatheredRun[];
  /** Runs that were not searched, not for every object, or not to the end; and those that lack the candidates for other thresholds. */
  readonly missing: readonly UngatheredRun[];
  /** Names of the objects that were looked for in any run, sorted. */
  readonly objects: readonly string[];
  /** The minimum scores of picks that are made from candidates, by object; absent if picks are those of the files. */
  readonly thresholds?: Readonly<Record<string, number>> | undefined;
  /** What made the picks of each object, without what differs from tomogram to tomogram; of picks without a record, nothing. */
  readonly records: Readonly<Record<string, Provenance>>;
  /**
   * The picks of the runs that are done, in the order of the runs. A few runs are in memory at a time; each call reads them again.
   *
   * @throws {@link CryoetPicksError} `conflict` if picks were replaced by others since, or if a submission is asked for and there are no
   *   candidates to make it of; `corrupt-data`, `invalid-picks` or `unavailable`
   *   for a file that cannot be read; `invalid-option` for a threshold below the candidates. The abort reason of `signal`.
   */
  picks(options?: WaitOptions): AsyncGenerator<GatheredRun, void, undefined>;
}

/**
 * Collects what any number of processes have found in a project, for one user and session: which runs are done, and their picks.
 *
 * Picks are made again from the candidates that `detectProject` has kept, so that a submission has the thresholds of the competition,
 * whatever the picks files have. They are those of the files where a mask was used, which is not kept, and where there are no
 * candidates, if the files have the same thresholds; a run whose files have others counts as missing. Between two calls on an unchanged
 * project nothing differs. Memory grows with the names of the runs alone.
 *
 * What was looked for is known by the picks of all runs, and by the candidates of those that lack picks: a run that was searched without
 * candidates, and killed between two of its files, is known to lack one only if another run has it.
 *
 * @throws {@link CryoetPicksError} `not-found` if a named run is absent; `invalid-option` for thresholds where no run has candidates that
 *   can be used; what the list of runs of one of the roots fails with.
 *
 * @example
 * ```ts
 * const gathered = await gatherProject(project, { userId: 'cryoet-picks', sessionId: '0' });
 * console.log(gathered.done.length, 'of', gathered.expected, 'done');
 * for await (const { run, picks } of gathered.picks()) console.log(run, picks.length);
 * ```
 */
export async function gatherProject(project: Project, options: GatherProjectOptions = {}): Promise<GatheredProject> {
  return gatherSet(project, options);
}

/**
 * As {@link gatherProject}.
 *
 * @param wanted - The set of thresholds that holds where `thresholds` gives no numbers. @defaultValue the one that it names
 */
export async function gatherSet(
  project: Project,
  options: GatherProjectOptions,
  wanted?: ThresholdSet,
): Promise<GatheredProject> {
  const call = 'gatherProject';
  requireArgument(call, 'project', project, projectRule);
  const { thresholds: asked } = requireOptions(call, options, gatherRules);
  const given = givenNumbers(asked);
  const set = wanted ?? (asked === 'competition' ? asked : 'balanced');
  numberPerObject('thresholds', given, finiteScore, call);
  const author = { userId: options.userId ?? 'cryoet-picks', sessionId: options.sessionId ?? '0' };
  // Throws for names that no file has.
  for (const name of Object.values(author)) sanitizeName(name);
  if (options.from === 'picks' && options.thresholds !== undefined) {
    const message = "thresholds are of picks that are made from candidates; leave them out, or from: 'picks'";
    throw new CryoetPicksError('invalid-option', `gatherProject: ${message}`, { option: 'thresholds' });
  }
  const runs = await chosenRuns(project, options);
  const particles = particlesOf(project.objects);
  const ways = new Ways();
  const failed = new Map<string, Omit<UngatheredRun, 'run'>>();
  const damaged = new Map<string, Omit<UngatheredRun, 'run'>>();
  const look = (run: Run, signal: AbortSignal) => lookAtRun(run, { ...author, particles, signal });
  for await (const found of lookedAt(runs, look, options.signal)) {
    if ('error' in found) failed.set(found.run, found.error);
    else if (found.value.damaged !== undefined) damaged.set(found.run, found.value.damaged);
    else ways.add(found.run, found.value);
  }
  const unread = unreadRuns(project.problems);
  // Without its list of runs, a root may have more of them.
  if (unread.has(undefined)) throw unread.get(undefined);
  for (const { name } of runs)
    if (!failed.has(name) && unread.has(name)) failed.set(name, reasonOfError(unread.get(name)));

  const usual = ways.usual();
  const { objects, records } = usual;
  // Of these the voxel spacing may be another one.
  const apart = runs.filter(
    ({ name }) => !failed.has(name) && !damaged.has(name) && ways.voxelSizeOf(name) !== usual.voxelSize,
  );
  const another = new Map<string, string>();
  const spacing = (run: Run, signal: AbortSignal) =>
    otherSpacing(run, { ...usual, own: ways.voxelSizeOf(run.name), signal });
  for await (const found of lookedAt(apart, spacing, options.signal)) {
    if ('error' in found) failed.set(found.run, found.error);
    else if (found.value !== undefined) another.set(found.run, found.value);
  }
  const recorded = new Map(
    (await readFailures(project, { ...author, signal: options.signal })).map((one) => [one.run, one]),
  );
  const searched: Run[] = [];
  const missing = new Map<string, UngatheredRun>();
  const failures: UngatheredRun[] = [];
  const others: UngatheredRun[] = [];
  for (const run of runs) {
    const [unreadable, broken] = [failed.get(run.name), damaged.get(run.name)];
    if (unreadable !== undefined) failures.push({ run: run.name, ...unreadable });
    if (broken !== undefined) others.push({ run: run.name, ...broken });
    if (unreadable !== undefined || broken !== undefined) continue;
    const { lacks, differs, differingObject, looked } = ways.compare(run.name);
    const reasons = [...differs, ...(another.has(run.name) ? [another.get(run.name)!] : [])];
    const failure = recorded.get(run.name);
    if (reasons.length > 0) {
      const path = await pathOfPicks(run, { ...author, object: differingObject, signal: options.signal });
      others.push({ run: run.name, reason: reasons.join(', '), ...(path !== undefined && { path }) });
    } else if (lacks.length === 0) searched.push(run);
    else if (failure === undefined)
      missing.set(run.name, { run: run.name, reason: reasonOf(lacks, { objects, looked }) });
    else {
      const { message: reason, code, attempt, path } = failure;
      failures.push({ run: run.name, reason, code, attempt, ...(path !== undefined && { path }) });
    }
  }
  const reading = { ...options, ...author, given, set, objects, records };
  const thresholds = options.from === 'picks' ? undefined : await thresholdsOf(searched, reading);
  const other = thresholds && otherThresholds(thresholds, reading);
  const done = searched.filter(({ name }) => other === undefined || ways.hasCandidates(name));
  for (const { name } of searched) {
    if (other === undefined || ways.hasCandidates(name)) continue;
    missing.set(name, {
      run: name,
      reason: `there are no candidates, and its picks files have ${other}`,
      hasPicks: true,
    });
  }
  return {
    expected: runs.length,
    done: done.map(({ name }) => name),
    failed: failures,
    differing: others,
    missing: runs.flatMap(({ name }) => missing.get(name) ?? []),
    objects,
    ...(thresholds && { thresholds }),
    records: Object.fromEntries(objects.flatMap((object) => (records[object] ? [[object, records[object]]] : []))),
    picks({ signal = options.signal } = {}) {
      const read = (run: Run, stop: AbortSignal) => gatherRun(run, { ...reading, thresholds, signal: stop });
      return mapOrdered(done, read, { concurrency: 4, signal });
    },
  };
}

type Looked<T> = { readonly run: string } & ({ readonly value: T } | { readonly error: Omit<UngatheredRun, 'run'> });

/** Looks at runs; a run that cannot be read has an error, and the others are looked at. */
function lookedAt<T>(
  runs: readonly Run[],
  look: (run: Run, signal: AbortSignal) => Promise<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Looked<T>, void, undefined> {
  return mapOrdered(
    runs,
    async (run, stop): Promise<Looked<T>> => {
      try {
        return { run: run.name, value: await look(run, stop) };
      } catch (error) {
        stop.throwIfAborted();
        return { run: run.name, error: reasonOfError(error) };
      }
    },
    { concurrency: 8, signal },
  );
}

/** Why a run was searched in a tomogram of another voxel spacing than the others; undefined if it has no other, or that one. */
async function otherSpacing(
  run: Run,
  {
    own = '',
    voxelSize: usual = '',
    records,
    signal,
  }: Usual & { readonly own: string | undefined; readonly signal: AbortSignal },
): Promise<string | undefined> {
  const [record] = Object.values(records) as (PickedRecord | undefined)[];
  const { type } = (record?.tomogram ?? {}) as { readonly type?: string };
  const spacings = (await run.tomograms({ type, signal })).map(({ voxelSpacing }) => voxelSpacing);
  const nearest = (size: string) => {
    const [z] = JSON.parse(size) as readonly [number, number, number];
    return spacings.toSorted((a, b) => Math.abs(a - z) - Math.abs(b - z))[0];
  };
  const [searched, there] = [nearest(own), nearest(usual)];
  if (searched === there) return undefined;
  return `searched at voxel spacing ${searched}, though it has tomograms at ${there}, as the others have`;
}

function reasonOf(
  lacks: readonly string[],
  { objects, looked }: { readonly objects: readonly string[]; readonly looked: readonly string[] },
): string {
  if (lacks.length >= objects.length) return 'no picks';
  const isCut = lacks.every((object) => looked.includes(object));
  return `no picks of ${quotedNames(lacks)}: the detection did not ${isCut ? 'end' : 'look for it, or not end'}`;
}

function reasonOfError(error: unknown): Omit<UngatheredRun, 'run'> {
  const reason = error instanceof Error ? error.message : String(error);
  const path = isCryoetPicksError(error) ? error.path : undefined;
  return { reason, ...(path !== undefined && { path }) };
}

/** The path of the picks of an object; of any without one. */
async function pathOfPicks(run: Run, filter: PicksFilter): Promise<string | undefined> {
  return (await run.pickSets(filter))[0]?.path;
}

interface Reading extends Pick<GatherProjectOptions, 'from' | 'onWarning'>, Omit<Author, 'signal'> {
  /** The thresholds that are given, and the set that holds for other objects. */
  readonly given: PerObject;
  readonly set: ThresholdSet;
  readonly objects: readonly string[];
  readonly records: Records;
  readonly signal?: AbortSignal | undefined;
}

/** The thresholds that are given, for other objects those of the first candidates; undefined if there are no candidates. */
async function thresholdsOf(
  runs: readonly Run[],
  reading: Reading,
): Promise<Readonly<Record<string, number>> | undefined> {
  const { given, set, objects } = reading;
  let why: string | undefined;
  for (const run of runs) {
    const found = await candidatesOf(run, reading);
    if ('reason' in found) {
      why ??= found.reason;
      continue;
    }
    requireKnown(objects, { option: 'thresholds', value: given, call: 'gatherProject' });
    const own = (object: string) => (typeof given === 'number' ? given : ownNumber(given, object));
    const thresholds = usualThresholds(found.candidates, set);
    return Object.fromEntries(objects.map((object) => [object, own(object) ?? thresholds[object]!]));
  }
  if (why !== undefined && (typeof given === 'number' || Object.keys(given).length > 0)) {
    const message = `gatherProject: thresholds need candidates, and no run has any that can be used: ${why}`;
    throw new CryoetPicksError('invalid-option', `${message}; leave them out, or detect again`, {
      option: 'thresholds',
    });
  }
  return undefined;
}

/** Whether picks are those of a submission: at its thresholds, and with objects that do not affect each other. */
function isOfSubmission(record: Provenance | undefined): boolean {
  const { threshold, competitionThreshold = threshold, acrossObjects } = (record ?? {}) as Partial<PickedRecord>;
  // Without a second threshold there is no difference.
  return record?.competitionThreshold === undefined || (competitionThreshold === threshold && acrossObjects === false);
}

/** @throws {@link CryoetPicksError} `conflict` for picks of files that are not those of a submission. */
function requireSubmission(
  { name }: Run,
  { reason, objects, records }: Pick<Reading, 'objects' | 'records'> & { readonly reason: string },
): void {
  if (objects.every((object) => isOfSubmission(records[object]))) return;
  throw new CryoetPicksError(
    'conflict',
    `run "${name}": ${reason}, and its picks files are not those of a submission; take them as they are by the option from, or detect ` +
      'it with the thresholds of the competition',
    { option: 'from' },
  );
}

/** What thresholds the picks files have, if not these; undefined if they are the same. */
function otherThresholds(
  thresholds: Readonly<Record<string, number>>,
  { records, set }: Pick<Reading, 'records' | 'set'>,
): string | undefined {
  const thresholdOf = (object: string) => {
    const { threshold, maxFalse } = records[object] as PickedRecord;
    return maxFalse === undefined ? threshold : `chosen by a maximum of false picks`;
  };
  const others = Object.keys(thresholds).filter((object) => thresholdOf(object) !== thresholds[object]);
  if (others.length === 0 && set === 'competition' && !Object.values(records).every(isOfSubmission)) {
    return 'one label for each place';
  }
  if (others.length === 0) return undefined;
  return `other thresholds: ${others.map((object) => `${object} ${thresholdOf(object)}`).join(', ')}`;
}

/** Reads the picks of a run, or makes them again, if they are still those that were looked at. */
async function gatherRun(
  run: Run,
  {
    thresholds,
    signal,
    ...reading
  }: Reading & Author & { readonly thresholds: Readonly<Record<string, number>> | undefined },
): Promise<GatheredRun> {
  const { userId, sessionId, given, set, objects, records, onWarning } = reading;
  const { records: origins } = await originsOfRun(run, { userId, sessionId, signal });
  const now = comparableOf(origins);
  const changed = objects.filter((object) => !(object in now) || differencesOf(object, now, records).length > 0);
  if (changed.length > 0) {
    const message = `the picks of ${quotedNames(changed)} in run "${run.name}" were replaced while they were gathered; gather again`;
    throw new CryoetPicksError('conflict', message);
  }
  const found: FoundCandidates | undefined =
    reading.from === 'picks' ? undefined : await candidatesOf(run, { ...reading, signal });
  if (found !== undefined && 'candidates' in found && thresholds !== undefined) {
    const { candidates, path } = found;
    requireThresholds(usualThresholds(candidates, set), { run: run.name, path, given, thresholds });
    const { acrossObjects, ...picking } = pickingOf(objects, records);
    const picks = picksFromCandidates(candidates, {
      ...picking,
      acrossObjects: acrossIn(set, candidates, acrossObjects),
      thresholds,
      onWarning: onWarning && ((warning) => onWarning({ ...warning, run: run.name })),
    });
    return { run: run.name, picks: byObject(picks, objects), from: 'candidates' };
  }
  if (thresholds === undefined && found !== undefined && 'reason' in found && set === 'competition') {
    requireSubmission(run, { ...reading, reason: found.reason });
  }
  const other = thresholds && otherThresholds(thresholds, reading);
  if (other !== undefined && found !== undefined && 'reason' in found) {
    throw new CryoetPicksError(
      'conflict',
      `run "${run.name}": ${found.reason}, and its picks files have ${other}; detect it again`,
    );
  }
  const picks: ParticlePick[] = [];
  for (const set of await run.pickSets({ userId, sessionId, object: objects, signal })) {
    for (const pick of withoutUntrustedRotations(await set.read({ signal }))) picks.push(pick);
  }
  return { run: run.name, picks: byObject(picks, objects), from: 'picks', ...(found && 'reason' in found && found) };
}

type FoundCandidates = Pick<StoredCandidates, 'candidates' | 'path'> | { readonly reason: string };

/** The candidates that the picks of a run were made from, or why they cannot be used. */
async function candidatesOf(
  run: Run,
  { objects, records, userId, sessionId, signal }: Reading,
): Promise<FoundCandidates> {
  const record = records[objects[0]!] as PickedRecord | undefined;
  if (record === undefined) return { reason: 'nothing is recorded of how they were found' };
  if (record.mask !== null) return { reason: 'they lie in a mask, which is not kept' };
  const { model, overlap, memory, average, settings, tomogram } = record;
  const expected = { model, overlap, ...(memory !== undefined && { memory }), average, settings, tomogram };
  try {
    const stored = await run.readCandidates({ userId, sessionId, expected, signal });
    const absent = objects.filter((object) => !stored.candidates.objects.includes(object));
    return absent.length === 0 ? stored : { reason: `there are no candidates of ${quotedNames(absent)}` };
  } catch (error) {
    signal?.throwIfAborted();
    if (isCryoetPicksError(error, 'not-found')) return { reason: 'there are no candidates' };
    if (isCryoetPicksError(error, 'corrupt-data')) return { reason: `its candidates are damaged: ${error.message}` };
    throw error;
  }
}

interface RunThresholds {
  readonly run: string;
  /** Of the candidates. */
  readonly path: string;
  /** Those that were asked for. */
  readonly given: PerObject;
  /** Those of all runs. */
  readonly thresholds: Readonly<Record<string, number>>;
}

/** @throws {@link CryoetPicksError} `conflict` if a run was searched with another threshold than the others, and none is given. */
function requireThresholds(
  own: Readonly<Record<string, number>>,
  { run, path, given, thresholds }: RunThresholds,
): void {
  const isGiven = (object: string) => typeof given === 'number' || Object.hasOwn(given, object);
  const other = Object.keys(thresholds).find((object) => !isGiven(object) && own[object] !== thresholds[object]);
  if (other === undefined) return;
  throw new CryoetPicksError(
    'conflict',
    `run "${run}" was searched with a threshold of ${own[other]} for "${other}", others with ${thresholds[other]}: ${path}; give the ` +
      'option thresholds, or take the picks as they are by the option from',
    { path, option: 'thresholds' },
  );
}

/** How picks were made of candidates, but for the thresholds. */
function pickingOf(
  objects: readonly string[],
  records: Records,
): PicksFromCandidatesOptions & Pick<PickedRecord, 'acrossObjects'> {
  const recorded = objects.map((object): [string, PickedRecord] => [object, records[object] as PickedRecord]);
  return {
    objects: objects.map((name) => ({ name })),
    minDistances: Object.fromEntries(recorded.map(([object, { minDistance }]) => [object, minDistance])),
    acrossObjects: recorded[0]?.[1].acrossObjects ?? false,
    max: Object.fromEntries(recorded.flatMap(([object, { max }]) => (max === null ? [] : [[object, max]]))),
  };
}
