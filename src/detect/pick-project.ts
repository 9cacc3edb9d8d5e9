import type { Project } from '../copick/project.ts';
import { differences, type Provenance } from '../copick/provenance.ts';
import type { Run } from '../copick/run.ts';
import { requireObjects } from '../copick/tree.ts';
import { parseUri } from '../copick/uri.ts';
import {
  callback,
  fieldsOf,
  finiteLength,
  finiteScore,
  modelSpec,
  numberPerObject,
  optional,
  optionalList,
  ownNumber,
  type PerObject,
  perObject,
  positiveCount,
  project as projectRule,
  quotedNames,
  type RulesFor,
  requireArgument,
  requireOptions,
} from '../core/arguments.ts';
import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import type { Model } from '../inference/model.ts';
import { givenNumbers, isOneLabelUsual, thresholdsRule } from '../inference/thresholds.ts';
import {
  type Candidates,
  type PicksFromCandidatesOptions,
  pickingRules,
  picksFromCandidates,
  requireKnown,
  usualThresholds,
} from '../picks/candidates.ts';
import type { VoxelGrid } from '../space/grid.ts';
import { existingPicks, isDone, requireReplaceable, unchangedVersions, writeUnlessWritten } from './existing-picks.ts';
import { gridDifferences } from './keep-candidates.ts';
import { type MaxFalseOptions, maxFalseRules, sharesOf, thresholdsWithin } from './max-false.ts';
import {
  type Recorded,
  type RecordedSearch,
  recordOfModel,
  recordOfTomogram,
  recordsOf,
  searchIn,
} from './picks-record.ts';
import {
  byObject,
  chosenRuns,
  type DetectedRun,
  inShard,
  outcomeOf,
  type ProjectRunsOptions,
  type RunResult,
  reportedIn,
  runsRules,
  workOn,
} from './project-runs.ts';
import { requireShard } from './shards.ts';

/** Options of {@link pickProject}; those of {@link picksFromCandidates} apply to every run. */
export interface PickProjectOptions
  extends Omit<PicksFromCandidatesOptions, 'mask'>,
    MaxFalseOptions,
    ProjectRunsOptions {
  /** Candidates that another model found are refused. @defaultValue any model's are taken */
  readonly model?: Pick<Model, 'spec' | 'sha256'> | undefined;
  /** Called for what looks wrong, such as a tomogram that is no longer there to compare. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

const pickProjectRules: RulesFor<PickProjectOptions> = {
  ...pickingRules,
  ...maxFalseRules,
  ...runsRules,
  objects: /* @__PURE__ */ optionalList('a list of objects { name }'),
  thresholds: /* @__PURE__ */ optional(thresholdsRule),
  minDistances: /* @__PURE__ */ optional(perObject),
  model: /* @__PURE__ */ optional(fieldsOf('a model { spec, sha256 }', { spec: modelSpec })),
  onWarning: /* @__PURE__ */ optional(callback),
};

/**
 * Picks every run of a copick project again from the candidates that `detectProject` has kept, and writes the picks in place of
 * those before: without the network, in milliseconds per run.
 *
 * Picks, files and records are those of a `detectProject` with the same options. Of the tomogram, 32³ voxels are read, to see that
 * it is the one that was searched; if it is not there, that is warned of. Picks that another model or somebody else made are not
 * replaced unless `overwrite` is set.
 *
 * A run that fails is yielded as `failed` and the next one is taken up: without candidates, with candidates of another model,
 * tomogram or run, or with a threshold below them. Leaving the loop stops the work.
 *
 * @throws `CryoetPicksError` before any work: `not-found` if a named run is absent, `invalid-option` for an option that cannot be.
 *   Later: `read-only` if the project has no overlay that allows writing; the abort reason of `signal`.
 *
 * @example
 * ```ts
 * for await (const result of pickProject(project, { thresholds: { ribosome: 0.3 }, max: 500 })) {
 *   console.log(result.run, result.status);
 * }
 * ```
 */
export async function* pickProject(
  project: Project,
  options: PickProjectOptions = {},
): AsyncGenerator<RunResult, void, undefined> {
  requireArgument('pickProject', 'project', project, projectRule);
  const { thresholds, minDistances = {}, max = {} } = requireOptions('pickProject', options, pickProjectRules);
  numberPerObject('thresholds', givenNumbers(thresholds), finiteScore, 'pickProject');
  numberPerObject('minDistances', minDistances, finiteLength, 'pickProject');
  numberPerObject('max', max, positiveCount, 'pickProject');
  requireAsked(options);
  const reported = reportedIn(project);
  if (options.shard !== undefined) requireShard('pickProject', options.shard);
  const runs = inShard(await chosenRuns(project, options), options);
  const { signal, onWarning, onStart } = options;
  for (const [runsDone, run] of runs.entries()) {
    signal?.throwIfAborted();
    onStart?.({ run: run.name, runsDone, runsTotal: runs.length });
    yield await workOn(project, run, { reported, onWarning }, (warn) =>
      outcomeOf(run, { signal }, () => pickRun(project, run, { ...options, onWarning: warn })),
    );
  }
}

async function pickRun(
  project: Project,
  run: Run,
  options: PickProjectOptions,
): Promise<Omit<DetectedRun, 'warnings'>> {
  const { userId = 'cryoet-picks', sessionId = '0', signal } = options;
  const expected = {
    userId,
    sessionId,
    ...(options.model && { model: recordOfModel(options.model) }),
    ...(options.tomogram !== undefined && { tomogram: { type: options.tomogram } }),
  };
  const { candidates, provenance, path } = await run.readCandidates({ userId, sessionId, expected, signal });
  requireObjects(project, chosenOf(candidates, options).classes, 'picks');
  const { tomogramUri, ...search } = searchIn(provenance, path);
  await requireTomogram(run, { ...options, path, search, tomogramUri, grid: candidates.grid });
  return pickFrom(run, candidates, { ...options, search });
}

/** The options that have a value per object. */
const PER_OBJECT = ['thresholds', 'minDistances', 'max', 'maxFalse'] as const;

/** @throws {@link CryoetPicksError} `invalid-option` for a value of an object that is not asked for. */
function requireAsked({ objects, ...options }: PickProjectOptions): void {
  const asked = objects?.map(({ name }) => name);
  if (asked === undefined) return;
  for (const option of PER_OBJECT) requireKnown(asked, { option, value: options[option], call: 'pickProject' });
}

/** The options without values of objects that are asked for, but of which a run has no candidates. */
function onlyOf(classes: readonly string[], options: PickProjectOptions): PickProjectOptions {
  if (options.objects === undefined) return options;
  const found = new Set(classes);
  const values = PER_OBJECT.map((option) => {
    const value = options[option];
    if (typeof value !== 'object') return [option, value];
    return [option, Object.fromEntries(Object.entries(value).filter(([name]) => found.has(name)))];
  });
  return { ...options, ...Object.fromEntries(values) };
}

/** Picks from candidates of a run, and writes the picks with the record of how they came about. */
export async function pickFrom(
  run: Run,
  candidates: Candidates,
  options: PickProjectOptions & { readonly search: RecordedSearch },
): Promise<Omit<DetectedRun, 'warnings'>> {
  const { userId = 'cryoet-picks', sessionId = '0', resume = false, overwrite, search, signal } = options;
  const mask = await options.mask?.of(run, candidates.grid);
  const chosen = chosenOf(candidates, options);
  const { classes } = chosen;
  const { objects, minDistances, max, onWarning, ...limits } = onlyOf(classes, options);
  const { acrossObjects = isOneLabelUsual(candidates, limits.thresholds) } = limits;
  const picked = new Set(classes);
  for (const { name } of objects ?? []) if (!picked.has(name)) onWarning?.(withoutCandidates(name, candidates));
  const shares = sharesOf(classes, limits, 'pickProject');
  const { thresholds, maxFalse } = thresholdsWithin(candidates, {
    ...{ shares, objects, thresholds: limits.thresholds, minDistances, mask, onWarning },
  });
  const picks = picksFromCandidates(candidates, {
    ...{ objects, thresholds, minDistances, mask, acrossObjects, max, onWarning },
  });
  const wanted = { userId, sessionId, classes, isRestricted: objects !== undefined, overwrite, signal };
  const before = await existingPicks(run, wanted);
  requireReplaceable(run, before, { ...wanted, model: search.model });
  const records = recordsOf(
    {
      ...{ ...search, userId, sessionId, chosen, acrossObjects, max, shares, calibration: candidates.calibration },
      ...{ mask: options.mask?.settings, maskOfRun: await options.mask?.settingsOf?.(run) },
    },
    maxFalse,
  );
  if (resume && isDone(run, before, { ...wanted, provenance: records })) {
    const kept = await run.picks({ userId, sessionId, object: classes, signal });
    return { run: run.name, status: 'skipped', picks: byObject(kept, classes), objects: classes };
  }
  await run.requireWritable({ signal });
  const ifVersion = await unchangedVersions(run, before, wanted);
  await writeUnlessWritten(run, picks, { userId, sessionId, objects: classes, provenance: records, ifVersion, signal });
  return { run: run.name, status: 'detected', picks: byObject(picks, classes), objects: classes, maxFalse };
}

/** Warns of an object that was asked for, and was not looked for when the candidates were found. */
function withoutCandidates(name: string, { objects }: Candidates): Warning {
  const message = `there are no candidates of "${name}", so it is not picked, only of ${quotedNames(objects)}; detect it first`;
  return { code: 'object-without-candidates', message };
}

/** The objects that were picked, in the order in which they are asked for, with the threshold and the distance of each. */
function chosenOf(
  candidates: Candidates,
  { objects, thresholds, minDistances = {} }: PickProjectOptions,
): Recorded['chosen'] {
  const asked = new Set(objects?.map(({ name }) => name) ?? candidates.objects);
  const found = new Set(candidates.objects);
  const classes = [...asked].filter((name) => found.has(name));
  const numberOf = (given: PerObject, usual: Candidates['thresholds'], name: string) =>
    typeof given === 'number' ? given : (ownNumber(given, name) ?? usual[name]!);
  const numbers = (given: PerObject, usual: Candidates['thresholds']) =>
    Object.fromEntries(classes.map((name) => [name, numberOf(given, usual, name)]));
  const { competitionThresholds } = candidates;
  const given = givenNumbers(thresholds);
  return {
    classes,
    thresholds: numbers(given, usualThresholds(candidates, thresholds)),
    ...(competitionThresholds && { competitionThresholds: numbers(given, competitionThresholds) }),
    minDistances: numbers(minDistances, candidates.minDistances),
  };
}

interface TomogramOfCandidates extends PickProjectOptions {
  readonly search: RecordedSearch;
  /** Absent if nothing is recorded. */
  readonly tomogramUri?: string | undefined;
  readonly grid: VoxelGrid;
  /** Of the file of candidates. */
  readonly path: string;
}

/** @throws {@link CryoetPicksError} `conflict` if the candidates were found in another tomogram than the run has now, or is asked for. */
async function requireTomogram(
  run: Run,
  { search: { tomogram, settings }, tomogramUri, grid, path, signal, onWarning, ...asked }: TomogramOfCandidates,
): Promise<void> {
  if (tomogramUri === undefined) return;
  const found = parseUri('tomogram', tomogramUri);
  const { voxelSpacing = Number(found.voxelSpacing) } = asked;
  let now: Provenance;
  try {
    now = await recordOfTomogram(await run.tomogram(found.type, { voxelSpacing, signal }), found.type, { signal });
  } catch (error) {
    if (!isCryoetPicksError(error, 'not-found')) throw error;
    const message = `whether the candidates are of this tomogram cannot be seen: ${error.message}`;
    onWarning?.({ code: 'tomogram-not-compared', message, path });
    return;
  }
  const others = [...differences(tomogram, now, 'tomogram'), ...gridDifferences(grid, now, settings)];
  if (others.length === 0) return;
  throw new CryoetPicksError(
    'conflict',
    `candidates ${path} were found in another tomogram: ${others.join(', ')}; detect again`,
    { path },
  );
}
