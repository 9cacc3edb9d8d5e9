import { folderOf, formatSpacing, pathToWrite, sanitizeName } from '../copick/layout.ts';
import type { Project } from '../copick/project.ts';
import { type Provenance, readRecord, sha256Of } from '../copick/provenance.ts';
import type { Run } from '../copick/run.ts';
import {
  callback,
  flag,
  isFields,
  optional,
  optionalList,
  project as projectRule,
  type RulesFor,
  record,
  requireArgument,
  requireOptions,
  text,
} from '../core/arguments.ts';
import type { Turns } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import type { Model } from '../inference/model.ts';
import { formatModelSpec } from '../inference/model-card.ts';
import { type Candidates, type PicksFromCandidatesOptions, picksFromCandidates } from '../picks/candidates.ts';
import { compareNames } from '../storage/store.ts';
import { planTiles } from '../tiles/plan.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { type CandidateLimits, calibrationOf, detectCandidates, floorsOf, limitRules } from './candidates.ts';
import {
  existingPicks,
  isDone,
  lackedObjects,
  requireReplaceable,
  unchangedVersions,
  type Wanted,
  writeUnlessWritten,
} from './existing-picks.ts';
import { type RunFailure, readFailure, removeFailure, writeFailure } from './failures.ts';
import { keepCandidates } from './keep-candidates.ts';
import { type Shares, type ThresholdsWithin, thresholdsWithin } from './max-false.ts';
import { checkDetectOptions, type DetectOptions, detectRules } from './particles.ts';
import { type Recorded, recordDifferences, recordOfModel, recordOfTomogram, recordsOf } from './picks-record.ts';
import {
  byObject,
  type DetectedRun,
  type Outcome,
  outcomeOf,
  type ProjectRunsOptions,
  reportedIn,
  runRules,
  tomogramTypeOf,
  workOn,
} from './project-runs.ts';

/** Options of {@link detectRun}; those of {@link detectParticles} and {@link detectCandidates} apply. */
export interface DetectRunOptions
  extends Omit<DetectOptions, 'mask'>,
    CandidateLimits,
    Omit<ProjectRunsOptions, 'runs' | 'shard' | 'onStart'> {
  /**
   * Objects to look for. If given, only their picks count and are replaced; otherwise all picks of the user and session count.
   * @defaultValue every object of the project that the model knows
   */
  readonly objects?: DetectOptions['objects'];
  /**
   * Writes candidates beside the picks of a run, so that `pickProject` can pick again. If false, those of an earlier search are
   * deleted, since they are not those of the new picks. @defaultValue true
   */
  readonly keepCandidates?: boolean | undefined;
  /** Looks at each tomogram before it is searched, or wraps it: `(tomogram) => resampled(tomogram, 10)`. */
  readonly prepare?: ((tomogram: VolumeSource, run: Run) => VolumeSource | Promise<VolumeSource>) | undefined;
  /**
   * What `prepare` does, such as `{ inverted: true }`; recorded with the picks as `settings`, and compared by `resume`; one
   * that is false is as if it were not given. Only with `resampled` or `level` may the candidates have another grid than the
   * tomogram, with its faces in the same places.
   */
  readonly settings?: Readonly<Record<string, string | number | boolean | null>> | undefined;
}

/** What the options of {@link detectRun} must be. */
export const detectRunRules: RulesFor<DetectRunOptions> = {
  ...detectRules,
  ...limitRules,
  ...runRules,
  objects: /* @__PURE__ */ optionalList('a list of objects { name }'),
  keepCandidates: /* @__PURE__ */ optional(flag),
  prepare: /* @__PURE__ */ optional(callback),
  settings: /* @__PURE__ */ optional(record),
};

/**
 * Finds the particles of one run of a copick project and writes them into the overlay, as `detectProject` does for each of its runs:
 * the job of a queue of your own. Picks, candidates and records are the same.
 *
 * Any number of calls may work on different runs at once, in one process with one model or on many machines. Name the `tomogram` if
 * the runs may have several types: only this run is looked at.
 *
 * A failure is recorded in the overlay, where `readFailures` finds it, until the run is searched with success.
 *
 * @param run - The name of the run.
 * @returns The picks; with `resume` those that are there, if they were made with the same settings.
 * @throws `CryoetPicksError` `not-found` if there is no such run or tomogram; `conflict` for picks that must not be replaced;
 *   `invalid-option`; `read-only` or `write-failed` if the overlay cannot be written; what `detectParticles` throws. The abort
 *   reason of `signal`.
 *
 * @example
 * ```ts
 * const { status, picks } = await detectRun(project, 'TS_5_4', { tomogram: 'denoised', model, resume: true });
 * console.log(status, picks.length);
 * ```
 */
export async function detectRun(project: Project, run: string, options: DetectRunOptions): Promise<DetectedRun> {
  requireArgument('detectRun', 'project', project, projectRule);
  requireArgument('detectRun', 'run', run, text);
  requireOptions('detectRun', options, detectRunRules);
  const common = searchOf(project, options, 'detectRun');
  const reported = reportedIn(project);
  const found = await project.run(run, { signal: options.signal });
  const search = await searchOfType(common, options.tomogram ?? (await tomogramTypeOf([found], options)));
  const result = await workOn(project, found, { reported, onWarning: options.onWarning }, (onWarning) =>
    attemptRun(project, found, { ...search, onWarning }),
  );
  if (result.status === 'failed') throw result.error;
  return result;
}

/** How runs are searched: the options, once they are checked, and what follows from them. */
export interface RunSearch
  extends Omit<DetectRunOptions, 'tomogram' | 'userId' | 'sessionId' | 'model' | 'objects'>,
    Required<Pick<DetectOptions, 'objects'>>,
    Wanted {
  readonly tomogram: string;
  /** A hash of what decides how the search of a run ends, by which a failure of other options is told from one of these. */
  readonly sha256: string;
  readonly chosen: Recorded['chosen'];
  readonly shares: Shares;
  readonly calibration: Candidates['calibration'];
  /** Searches a tomogram. */
  readonly find: (
    tomogram: VolumeSource,
    search: RunSearch,
    mask: PicksFromCandidatesOptions['mask'],
  ) => Promise<Found>;
  /** The record of what finds the picks: a network, or a template. */
  readonly model: Provenance;
  /** Its card, as text, by whose hash candidates tell it. */
  readonly card: string;
  /** Shared by runs that are searched at once: each has the network for itself, from its first tile to its last. */
  readonly turns?: Turns | undefined;
  /** Throws if the run is no longer this process's to write. @defaultValue it always is */
  readonly requireHeld?: (() => Promise<void>) | undefined;
  /** How often this process has searched the run in vain: what counts where its failures cannot be recorded. @defaultValue 0 */
  readonly failures?: number | undefined;
}

/** What a search of a tomogram finds, and at which thresholds its candidates become picks. */
export interface Found extends Pick<ThresholdsWithin, 'thresholds' | 'maxFalse'> {
  readonly candidates: Candidates;
}

/** A search of tomograms whose type is still open. */
export type OpenSearch = Omit<RunSearch, 'tomogram' | 'sha256'>;

/**
 * What the runs of a project have in common; only the type of their tomograms is still open.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for options that would fail every run alike.
 */
export function searchOf(project: Project, options: DetectRunOptions, call: string): OpenSearch {
  const { userId = 'cryoet-picks', sessionId = '0', objects = project.objects, model, voxelSpacing } = options;
  const chosen = checkDetectOptions({ ...options, objects, mask: undefined }, call);
  const { spec } = model;
  // Tile and overlap must fit each other whatever the shape of a volume.
  planTiles(spec.tile, spec, { overlap: options.overlap, memory: options.memory });
  if (options.keepCandidates !== false) floorsOf(spec, chosen, options);
  const names = { userId: sanitizeName(userId), sessionId: sanitizeName(sessionId) };
  for (const object of chosen.classes) pathToWrite('picks', { run: 'run', ...names, object });
  if (voxelSpacing !== undefined) formatSpacing(voxelSpacing);
  return {
    ...options,
    ...{ userId, sessionId, objects, chosen },
    classes: chosen.classes,
    shares: chosen.shares,
    acrossObjects: chosen.acrossObjects,
    calibration: calibrationOf(spec, chosen.classes, options),
    find: (tomogram, search, mask) => findByNetwork(tomogram, { ...search, network: model, mask }),
    model: recordOfModel(model),
    card: formatModelSpec(spec),
    isRestricted: options.objects !== undefined,
  };
}

/** The search of tomograms of one type. */
export async function searchOfType(search: OpenSearch, tomogram: string): Promise<RunSearch> {
  const { voxelSpacing, keepCandidates, candidatesPerObject, floors, allowMissingChunks, isRestricted } = search;
  const read = {
    tomogram,
    voxelSpacing,
    keepCandidates,
    candidatesPerObject,
    floors,
    allowMissingChunks,
    isRestricted,
  };
  const records = recordsOf({ ...search, tomogram: {}, mask: search.mask?.settings });
  const text = JSON.stringify([read, records], inOrder);
  return { ...search, tomogram, sha256: await sha256Of(new TextEncoder().encode(text)) };
}

/** Sorts the fields of an object that becomes JSON. */
function inOrder(_: string, value: unknown): unknown {
  if (!isFields(value) || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => compareNames(a, b)));
}

/** The failure that is recorded of a run, if the options of its search were these. */
export async function failureOf(project: Project, run: Run, search: RunSearch): Promise<RunFailure | undefined> {
  const failure = await readFailure(project, run.name, search);
  return failure?.searchSha256 === search.sha256 ? failure : undefined;
}

/**
 * Searches a run, and keeps the record of its failure: written if the search fails, removed if it does not. A conflict is about
 * picks that are there, and no failure of the run.
 */
export async function attemptRun(project: Project, run: Run, search: RunSearch): Promise<Outcome> {
  const { onWarning } = search;
  const before = await readFailure(project, run.name, search);
  const outcome = await outcomeOf(run, search, () => searchRun(run, search));
  const record = async (write: () => Promise<void>) => {
    try {
      await write();
    } catch (error) {
      search.signal?.throwIfAborted();
      const { message, path } = isCryoetPicksError(error) ? error : { message: String(error) };
      onWarning?.({ code: 'failure-not-recorded', message: `its failures are not recorded: ${message}`, path });
    }
  };
  if (outcome.status !== 'failed') {
    if (before !== undefined) await record(() => removeFailure(project, run.name, search));
    return outcome;
  }
  if (isCryoetPicksError(outcome.error, 'conflict')) return outcome;
  await search.requireHeld?.();
  const isCounted = before !== undefined && (before.isDamaged || before.searchSha256 === search.sha256);
  const counted = isCounted ? before.attempt : 0;
  const attempt = Math.max(counted, search.failures ?? 0) + 1;
  await record(() => writeFailure(project, { run: run.name, error: outcome.error, attempt }, search));
  return { ...outcome, attempt };
}

/** Detects one run, and writes what it finds. An error of the run names the path of its tomogram, if it names none itself. */
async function searchRun(run: Run, search: RunSearch): Promise<Omit<DetectedRun, 'warnings'>> {
  try {
    return await searchAndWrite(run, search);
  } catch (error) {
    if (search.signal?.aborted || isCryoetPicksError(error, 'read-only')) throw error;
    throw await withPath(error, run, search);
  }
}

/** An error with the path of the run's tomogram, if it names no path itself. */
async function withPath(error: unknown, run: Run, { tomogram, voxelSpacing, signal }: RunSearch): Promise<unknown> {
  if (!isCryoetPicksError(error) || error.path !== undefined) return error;
  // What cannot be listed has no path to tell.
  const entries = await run.tomograms({ type: tomogram, voxelSpacing, signal }).catch(() => []);
  signal?.throwIfAborted();
  const path = entries[0]?.path;
  if (path === undefined) return error;
  const { code, message, option, available } = error;
  const placed = message.includes(path) ? message : `${path}: ${message}`;
  return new CryoetPicksError(code, placed, { option, available, path, cause: error });
}

async function searchAndWrite(run: Run, options: RunSearch): Promise<Omit<DetectedRun, 'warnings'>> {
  const { tomogram, voxelSpacing, userId, sessionId, classes: objects, resume = false, signal } = options;
  const before = await existingPicks(run, options);
  requireReplaceable(run, before, options);
  if (!resume) await run.requireWritable({ signal });
  const source = await run.tomogram(tomogram, { voxelSpacing, signal });
  const recorded = await recordedOf(run, source, options);
  if (resume) {
    if (isDone(run, before, { ...options, provenance: recordsOf(recorded) })) {
      const picks = await run.picks({ userId, sessionId, object: objects, signal });
      return { run: run.name, status: 'skipped', picks: byObject(picks, objects), objects };
    }
    await run.requireWritable({ signal });
  }
  const prepared = (await options.prepare?.(source, run)) ?? source;
  const { grid } = prepared;
  const mask = await options.mask?.of(run, grid);
  const { acrossObjects, max, onWarning } = options;
  const { candidates, thresholds, maxFalse } = await options.find(prepared, options, mask);
  const picks = picksFromCandidates(candidates, { thresholds, mask, acrossObjects, max, onWarning });
  await options.requireHeld?.();
  const ifVersion = await unchangedVersions(run, before, options);
  if (options.keepCandidates === false) await run.deleteCandidates({ userId, sessionId, signal });
  else {
    await keepCandidates(run, candidates, {
      ...{ search: recorded, card: options.card, type: tomogram, voxelSpacing },
      ...{ userId, sessionId, keepOthers: options.isRestricted, onWarning, signal },
    });
  }
  const provenance = recordsOf(recorded, maxFalse);
  await writeUnlessWritten(run, picks, { userId, sessionId, objects, provenance, ifVersion, signal });
  return { run: run.name, status: 'detected', picks: byObject(picks, objects), objects, maxFalse };
}

interface FindByNetwork extends Omit<RunSearch, 'mask'> {
  readonly network: Model;
  readonly mask: PicksFromCandidatesOptions['mask'];
}

/** Searches a tomogram by a network. */
async function findByNetwork(tomogram: VolumeSource, { mask, ...options }: FindByNetwork): Promise<Found> {
  const { shares, onWarning } = options;
  const { thresholds: usual } = options.chosen;
  // Candidates that are not kept need not be more than the picks.
  const only = {
    ...(options.maxFalse === undefined ? { thresholds: usual, floors: usual } : { floors: undefined }),
    candidatesPerObject: undefined,
  };
  const candidates = await withNetwork(options, (model) =>
    detectCandidates(tomogram, { ...options, model, ...(options.keepCandidates === false && only) }),
  );
  return { candidates, ...thresholdsWithin(candidates, { shares, thresholds: usual, mask, onWarning }) };
}

/** Does work with the network, which from its first tile on waits for its turn, and has it until the work is done. */
async function withNetwork<T>(
  { network, turns, signal }: Pick<FindByNetwork, 'network' | 'turns' | 'signal'>,
  work: (network: Model) => Promise<T>,
): Promise<T> {
  if (turns === undefined) return work(network);
  const { spec, sha256, callsAtOnce } = network;
  let turn: Promise<() => void> | undefined;
  const inTurn: Model = {
    ...{ spec, sha256, callsAtOnce },
    async score(tiles, options) {
      turn ??= turns.take(signal);
      await turn;
      return network.score(tiles, options);
    },
    dispose: () => network.dispose(),
  };
  try {
    return await work(inTurn);
  } finally {
    // Of a turn that was not had there is nothing to end.
    const end = await turn?.catch(() => {});
    end?.();
  }
}

/** What decides the picks of a run. */
async function recordedOf(run: Run, source: VolumeSource, search: RunSearch): Promise<Recorded> {
  const { tomogram: type, mask, signal } = search;
  const tomogram = await recordOfTomogram(source, type, { signal });
  return { ...search, tomogram, mask: mask?.settings, maskOfRun: await mask?.settingsOf?.(run) };
}

/**
 * Whether a run has all the picks of this search.
 *
 * @throws {@link CryoetPicksError} `conflict` for picks that must not be replaced.
 */
export async function isRunDone(run: Run, search: RunSearch): Promise<boolean> {
  const { tomogram, voxelSpacing, classes, signal } = search;
  const before = await existingPicks(run, search);
  requireReplaceable(run, before, search);
  if (lackedObjects(classes, new Set(before.map(({ set }) => set.object))).length > 0) return false;
  const recorded = await recordedOf(run, await run.tomogram(tomogram, { voxelSpacing, signal }), search);
  return isDone(run, before, { ...search, provenance: recordsOf(recorded) });
}

/**
 * Whether a run that another process works on is done by now, as the names of its files and their records tell: that is read in
 * a moment, while {@link isRunDone} reads voxels.
 */
export async function looksDone(project: Project, run: Run, search: RunSearch): Promise<boolean> {
  const { overlayStore } = project;
  const [userId, sessionId] = [sanitizeName(search.userId), sanitizeName(search.sessionId)];
  const keys = search.classes.map((object) => pathToWrite('picks', { run: run.name, userId, sessionId, object }));
  const { signal } = search;
  const entries = (await overlayStore?.list(folderOf('picks', { run: run.name }), { signal })) ?? [];
  const names = new Set(entries.map(({ name }) => name));
  if (!keys.every((key) => names.has(key.slice(key.lastIndexOf('/') + 1)))) return false;
  const expected = recordsOf({ ...search, tomogram: {}, mask: search.mask?.settings });
  for (const [i, object] of search.classes.entries()) {
    const { picksSha256, ...found } = (await readRecord(overlayStore!, keys[i]!, { signal })) ?? {};
    // A record of picks that are being replaced keeps the previous one, which is a difference, too.
    if (recordDifferences({ ...found, tomogram: {}, maskOfRun: undefined }, expected[object]!).length > 0) return false;
  }
  return true;
}
