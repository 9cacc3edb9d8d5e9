import type { Project } from '../copick/project.ts';
import { differences, type Provenance } from '../copick/provenance.ts';
import type { Run } from '../copick/run.ts';
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
import {
  type Candidates,
  type PicksFromCandidatesOptions,
  pickingRules,
  picksFromCandidates,
} from '../picks/candidates.ts';
import type { VoxelGrid } from '../space/grid.ts';
import type { ChosenObjects } from './choose-objects.ts';
import { existingPicks, isDone, requireReplaceable, unchangedVersions } from './existing-picks.ts';
import { gridDifferences } from './keep-candidates.ts';
import { type MaxFalseOptions, maxFalseRules, sharesOf, thresholdsWithin } from './max-false.ts';
import { type RecordedSearch, recordOfModel, recordOfTomogram, recordsOf } from './picks-record.ts';
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
  thresholds: /* @__PURE__ */ optional(perObject),
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
  const { thresholds = {}, minDistances = {}, max = {} } = requireOptions('pickProject', options, pickProjectRules);
  numberPerObject('thresholds', thresholds, finiteScore, 'pickProject');
  numberPerObject('minDistances', minDistances, finiteLength, 'pickProject');
  numberPerObject('max', max, positiveCount, 'pickProject');
  const reported = reportedIn(project);
  if (options.shard !== undefined) requireShard('pickProject', options.shard);
  const runs = inShard(await chosenRuns(project, options), options);
  const { signal, onWarning, onStart } = options;
  for (const [runsDone, run] of runs.entries()) {
    signal?.throwIfAborted();
    onStart?.({ run: run.name, runsDone, runsTotal: runs.length });
    yield await workOn(project, run, { reported, onWarning }, (warn) =>
      outcomeOf(run, { signal }, () => pickRun(run, { ...options, onWarning: warn })),
    );
  }
}

async function pickRun(run: Run, options: PickProjectOptions): Promise<Omit<DetectedRun, 'warnings'>> {
  const { userId = 'cryoet-picks', sessionId = '0', signal } = options;
  const expected = {
    userId,
    sessionId,
    ...(options.model && { model: recordOfModel(options.model) }),
    ...(options.tomogram !== undefined && { tomogram: { type: options.tomogram } }),
  };
  const { candidates, provenance, path } = await run.readCandidates({ userId, sessionId, expected, signal });
  await requireTomogram(run, { ...options, path, madeBy: provenance, grid: candidates.grid });
  return pickFrom(run, candidates, { ...options, search: searchOf(provenance) });
}

/** Picks from candidates of a run, and writes the picks with the record of how they came about. */
export async function pickFrom(
  run: Run,
  candidates: Candidates,
  options: PickProjectOptions & { readonly search: RecordedSearch },
): Promise<Omit<DetectedRun, 'warnings'>> {
  const { userId = 'cryoet-picks', sessionId = '0', resume = false, overwrite, search, signal } = options;
  const { objects, minDistances, acrossObjects, max, onWarning } = options;
  const mask = await options.mask?.of(run, candidates.grid);
  const chosen = chosenOf(candidates, options);
  const { classes } = chosen;
  for (const { name } of objects ?? []) {
    if (!candidates.objects.includes(name)) onWarning?.(withoutCandidates(name, candidates));
  }
  const shares = sharesOf(classes, options, 'pickProject');
  const { thresholds, maxFalse } = thresholdsWithin(candidates, {
    ...{ shares, objects, thresholds: options.thresholds, minDistances, mask, onWarning },
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
  await run.writePicks(picks, { userId, sessionId, objects: classes, provenance: records, ifVersion, signal });
  return { run: run.name, status: 'detected', picks: byObject(picks, classes), objects: classes, maxFalse };
}

/** Warns of an object that was asked for, and was not looked for when the candidates were found. */
function withoutCandidates(name: string, { objects }: Candidates): Warning {
  const message = `there are no candidates of "${name}", so it is not picked, only of ${quotedNames(objects)}; detect it first`;
  return { code: 'object-without-candidates', message };
}

/** How the scores of candidates came about; of candidates that were written without a record, nothing is known. */
function searchOf(madeBy: Provenance): RecordedSearch {
  const { model = {}, tomogram = {}, overlap, memory, average, settings } = madeBy as Partial<RecordedSearch>;
  return { model, tomogram, overlap: overlap ?? undefined, memory, average, settings };
}

/** The objects that were picked, in the order in which they are asked for, with the threshold and the distance of each. */
function chosenOf(
  candidates: Candidates,
  { objects, thresholds = {}, minDistances = {} }: PickProjectOptions,
): ChosenObjects {
  const asked = new Set(objects?.map(({ name }) => name) ?? candidates.objects);
  const classes = [...asked].filter((name) => candidates.objects.includes(name));
  const numbers = (given: typeof thresholds, usual: Candidates['thresholds']) =>
    Object.fromEntries(
      classes.map((name) => [name, typeof given === 'number' ? given : { ...usual, ...given }[name]!]),
    );
  return {
    classes,
    thresholds: numbers(thresholds, candidates.thresholds),
    minDistances: numbers(minDistances, candidates.minDistances),
  };
}

interface TomogramOfCandidates extends PickProjectOptions {
  readonly madeBy: Provenance;
  readonly grid: VoxelGrid;
  /** Of the file of candidates. */
  readonly path: string;
}

/** @throws {@link CryoetPicksError} `conflict` if the candidates were found in another tomogram than the run has now, or is asked for. */
async function requireTomogram(
  run: Run,
  { madeBy, grid, path, signal, onWarning, ...asked }: TomogramOfCandidates,
): Promise<void> {
  // Candidates that were written by hand may say nothing.
  const { tomogramUri, tomogram } = madeBy as { readonly tomogramUri?: string; readonly tomogram?: Provenance };
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
  const others = [...differences(tomogram, now, 'tomogram'), ...gridDifferences(grid, now, searchOf(madeBy).settings)];
  if (others.length === 0) return;
  throw new CryoetPicksError(
    'conflict',
    `candidates ${path} were found in another tomogram: ${others.join(', ')}; detect again`,
    { path },
  );
}
