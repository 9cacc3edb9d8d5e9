import type { StoredCandidates } from '../copick/candidates-file.ts';
import { sanitizeName } from '../copick/layout.ts';
import { withoutUntrustedRotations } from '../copick/picks-file.ts';
import type { Project } from '../copick/project.ts';
import { differingFields, type Provenance, settingsGiven } from '../copick/provenance.ts';
import type { Run } from '../copick/run.ts';
import { listNames, unreadRuns, type WaitOptions } from '../copick/tree.ts';
import {
  callback,
  finiteScore,
  isFields,
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

/** A run that has no result, and why. */
export interface UngatheredRun {
  readonly run: string;
  readonly reason: string;
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
  /** Runs whose last search failed, and those whose picks cannot be read. */
  readonly failed: readonly UngatheredRun[];
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
 * @throws {@link CryoetPicksError} `conflict` for runs whose model, thresholds or options differ from those of most runs, naming
 *   them and the differences, and for those searched in tomograms of another voxel spacing although they have that of the others;
 *   `not-found` if a named run is absent; `invalid-option` for thresholds where no run has candidates that can be used; what the list of
 *   runs of one of the roots fails with.
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
  const particles = new Set(project.objects.filter(({ isParticle }) => isParticle).map(({ name }) => name));
  const ways = new Ways();
  const failed = new Map<string, string>();
  const look = (run: Run, signal: AbortSignal) => lookAtRun(run, { ...author, particles, signal });
  for await (const found of lookedAt(runs, look, options.signal)) {
    if ('error' in found) failed.set(found.run, found.error);
    else ways.add(found.run, found.value);
  }
  const unread = unreadRuns(project.problems);
  // Without its list of runs, a root may have more of them.
  if (unread.has(undefined)) throw unread.get(undefined);
  for (const { name } of runs) if (!failed.has(name) && unread.has(name)) failed.set(name, messageOf(unread.get(name)));

  const usual = ways.usual();
  const { objects, records } = usual;
  // Of these the voxel spacing may be another one.
  const apart = runs.filter(({ name }) => !failed.has(name) && ways.voxelSizeOf(name) !== usual.voxelSize);
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
    const unreadable = failed.get(run.name);
    const { lacks, differs, looked } =
      unreadable === undefined ? ways.compare(run.name) : { lacks: [], differs: [], looked: [] };
    const reasons = [...differs, ...(another.has(run.name) ? [another.get(run.name)!] : [])];
    const failure = recorded.get(run.name);
    if (unreadable !== undefined) failures.push({ run: run.name, reason: unreadable });
    else if (reasons.length > 0) others.push({ run: run.name, reason: reasons.join(', ') });
    else if (lacks.length === 0) searched.push(run);
    else if (failure === undefined)
      missing.set(run.name, { run: run.name, reason: reasonOf(lacks, { objects, looked }) });
    else failures.push({ run: run.name, reason: failure.message, code: failure.code, attempt: failure.attempt });
  }
  if (others.length > 0) throw refusalOf(others, searched.length);
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

/** What made the picks of each object of a run; undefined of picks without a record. */
type Records = Readonly<Record<string, Provenance | undefined>>;

type Looked<T> = { readonly run: string } & ({ readonly value: T } | { readonly error: string });

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
        return { run: run.name, error: messageOf(error) };
      }
    },
    { concurrency: 8, signal },
  );
}

interface Author {
  readonly userId: string;
  readonly sessionId: string;
  readonly signal: AbortSignal;
}

/** What is known of a run before its picks are read. */
interface LookedRun {
  readonly records: Records;
  /** The objects that it was searched for, if it lacks picks of some. */
  readonly looked: readonly string[];
  readonly hasCandidates: boolean;
  /** Of the tomogram, as JSON; undefined if nothing is recorded. */
  readonly voxelSize: string | undefined;
}

async function lookAtRun(run: Run, options: Author & { readonly particles: ReadonlySet<string> }): Promise<LookedRun> {
  const { particles, ...author } = options;
  const found = await originsOfRun(run, author);
  const [first] = Object.values(found).filter((one) => one !== undefined) as PickedRecord[];
  const hasCandidates = await run.hasCandidates(author);
  const lacks = (first?.model.card?.classes ?? []).some((one) => one !== null && particles.has(one) && !(one in found));
  return {
    records: comparableOf(found),
    looked: hasCandidates && lacks ? await candidateObjects(run, { ...author, model: first!.model }) : [],
    hasCandidates,
    voxelSize:
      first && isFields(first.tomogram)
        ? JSON.stringify((first.tomogram as { voxelSize?: unknown }).voxelSize)
        : undefined,
  };
}

/** The objects of the candidates of a run that this model found; none if they cannot be read. */
async function candidateObjects(
  run: Run,
  { model, ...author }: Author & { readonly model: PickedRecord['model'] },
): Promise<readonly string[]> {
  try {
    return (await run.readCandidates({ ...author, expected: { model } })).candidates.objects;
  } catch (error) {
    author.signal.throwIfAborted();
    if (isCryoetPicksError(error)) return [];
    throw error;
  }
}

/** What made the picks of each object of a run. */
async function originsOfRun(run: Run, { userId, sessionId, signal }: Author): Promise<Records> {
  const records: Record<string, Provenance | undefined> = {};
  for (const set of await run.pickSets({ userId, sessionId, signal })) {
    const origin = await set.origin({ signal });
    if (origin !== undefined) records[set.object] = origin.provenance;
  }
  return records;
}

const comparableOf = (records: Records): Records =>
  Object.fromEntries(Object.entries(records).map(([object, record]) => [object, record && comparable(record)]));

/** A record without what may differ from run to run: grid and voxels of the tomogram, labels of the mask, a threshold that `maxFalse` chose. */
function comparable({ tomogram, maskOfRun, threshold, ...record }: Provenance): Provenance {
  const fixed = record.maxFalse === undefined ? { threshold } : {};
  return {
    ...record,
    ...fixed,
    settings: settingsGiven(record.settings),
    tomogram: isFields(tomogram) ? { type: (tomogram as { readonly type?: unknown }).type } : null,
  };
}

/** A record without what may differ from object to object. */
function shared(record: Provenance | undefined): Provenance | undefined {
  if (record === undefined) return undefined;
  const { threshold, competitionThreshold, maxFalse, minDistance, max, ...others } = record;
  return others;
}

/** What the runs of most have in common. */
interface Usual {
  /** Those that any run was searched for in the usual way, sorted. */
  readonly objects: readonly string[];
  readonly records: Records;
  readonly voxelSize: string | undefined;
}

/** The ways in which the picks of runs were made; there are few of them, whatever the number of runs. */
class Ways {
  readonly #ways = new Map<string, { readonly records: Records; readonly looked: readonly string[]; runs: number }>();
  readonly #voxelSizes = new Map<string | undefined, number>();
  readonly #byRun = new Map<string, LookedRun>();
  #usual: Usual = { objects: [], records: {}, voxelSize: undefined };

  add(run: string, { records, looked, hasCandidates, voxelSize }: LookedRun): void {
    const objects = Object.keys(records).sort();
    const key = JSON.stringify([objects.map((object) => [object, records[object] ?? null]), looked]);
    const way = this.#ways.get(key) ?? { records, looked, runs: 0 };
    way.runs++;
    this.#ways.set(key, way);
    if (objects.length > 0) this.#voxelSizes.set(voxelSize, (this.#voxelSizes.get(voxelSize) ?? 0) + 1);
    this.#byRun.set(run, { records: way.records, looked: way.looked, hasCandidates, voxelSize });
  }

  /**
   * The way of most runs; of equally many, that with the most objects, then that of the first run. Objects that other runs were searched
   * for in the same way are among its own.
   */
  usual(): Usual {
    const size = ({ records }: { readonly records: Records }) => Object.keys(records).length;
    const ways = [...this.#ways.values()]
      .filter((way) => size(way) > 0)
      .sort((a, b) => b.runs - a.runs || size(b) - size(a));
    const records: Record<string, Provenance | undefined> = { ...ways[0]?.records };
    const objects = new Set(Object.keys(records));
    const [way] = Object.values(records).map(shared);
    for (const { records: own, looked } of ways) {
      const isAlike = (record: Provenance | undefined) =>
        record === undefined || way === undefined ? record === way : differingFields(shared(record), way).length === 0;
      for (const [object, record] of Object.entries(own)) {
        if (objects.has(object) || !isAlike(record)) continue;
        objects.add(object);
        records[object] = record;
      }
      if (Object.values(own).every(isAlike)) for (const object of looked) objects.add(object);
    }
    const [voxelSize] = [...this.#voxelSizes].sort(([, a], [, b]) => b - a)[0] ?? [];
    this.#usual = { objects: [...objects].sort(), records, voxelSize };
    return this.#usual;
  }

  /** That of the others where one is not known. */
  voxelSizeOf(run: string): string | undefined {
    const { voxelSize } = this.#usual;
    return voxelSize && (this.#byRun.get(run)?.voxelSize ?? voxelSize);
  }

  hasCandidates(run: string): boolean {
    return this.#byRun.get(run)!.hasCandidates;
  }

  /** The objects that a run has no picks of, those that it was searched for, and where its picks were made otherwise than the usual ones. */
  compare(run: string): Record<'lacks' | 'differs' | 'looked', readonly string[]> {
    const { records: own, looked } = this.#byRun.get(run)!;
    const { objects, records: usual } = this.#usual;
    if (objects.length === 0) return { lacks: ['any object'], differs: [], looked };
    const differs = toldOnce(Object.keys(own).map((object) => [object, differencesOf(object, own, usual)]));
    return { lacks: objects.filter((object) => !Object.hasOwn(own, object)), differs, looked };
  }
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

/** How the picks of an object differ from the usual ones. */
function differencesOf(object: string, own: Records, usual: Records): string[] {
  if (!Object.hasOwn(usual, object)) return ['picks that the others have not'];
  const [a, b] = [own[object], usual[object]];
  if (a === undefined || b === undefined) {
    if (a === b) return [];
    const byDetection = 'written by a detection';
    return a === undefined
      ? [`not ${byDetection} of this program, or changed since`]
      : [`${byDetection}, those of the others not`];
  }
  return differingFields(a, b).map(({ field, before, now }) => `${field} is ${before}, of the others ${now}`);
}

/** What differs, each once: with the objects of which it does, unless it does of all. */
function toldOnce(byObject: readonly (readonly [object: string, differences: readonly string[]])[]): string[] {
  const objectsOf = new Map<string, string[]>();
  for (const [object, all] of byObject) {
    for (const one of all) objectsOf.set(one, [...(objectsOf.get(one) ?? []), object]);
  }
  return [...objectsOf].map(([one, objects]) =>
    objects.length === byObject.length && objects.length > 1 ? one : `${quotedNames(objects)}: ${one}`,
  );
}

function reasonOf(
  lacks: readonly string[],
  { objects, looked }: { readonly objects: readonly string[]; readonly looked: readonly string[] },
): string {
  if (lacks.length >= objects.length) return 'no picks';
  const isCut = lacks.every((object) => looked.includes(object));
  return `no picks of ${quotedNames(lacks)}: the detection did not ${isCut ? 'end' : 'look for it, or not end'}`;
}

/** How many ways are told in which picks were made otherwise. */
const MAX_TOLD = 3;

function refusalOf(others: readonly UngatheredRun[], usual: number): CryoetPicksError {
  const byReason = new Map<string, string[]>();
  for (const { run, reason } of others) byReason.set(reason, [...(byReason.get(reason) ?? []), run]);
  const ways = [...byReason];
  const told = ways.slice(0, MAX_TOLD).map(([reason, runs]) => `${listNames(runs)} (${reason})`);
  const more = ways.slice(MAX_TOLD).flatMap(([, runs]) => runs);
  if (more.length > 0) told.push(`${listNames(more)} (in other ways)`);
  return new CryoetPicksError(
    'conflict',
    `the picks of ${others.length === 1 ? '1 run' : `${others.length} runs`} were made otherwise than those of ${usual} others: ` +
      `${told.join(', ')}; leave them out of the option runs, or detect them as the others with the option overwrite`,
    { option: 'runs', available: others.map(({ run }) => run) },
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

interface Reading extends Pick<GatherProjectOptions, 'from' | 'onWarning'>, Omit<Author, 'signal'> {
  /** The thresholds that are given, and the set that holds for other objects. */
  readonly given: PerObject;
  readonly set: ThresholdSet;
  readonly objects: readonly string[];
  readonly records: Records;
  readonly signal?: AbortSignal | undefined;
}

/** The thresholds that are given, for other objects those of the first candidates; undefined if there are none. */
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
  const now = comparableOf(await originsOfRun(run, { userId, sessionId, signal }));
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

/** The fields of a record that decide which candidates become picks. */
interface PickedRecord extends Provenance {
  readonly model: Provenance & { readonly card?: { readonly classes?: readonly (string | null)[] } };
  readonly threshold: number;
  readonly competitionThreshold?: number;
  readonly maxFalse?: unknown;
  readonly mask: unknown;
  readonly minDistance: number;
  readonly acrossObjects: boolean | number;
  readonly max: number | null;
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
