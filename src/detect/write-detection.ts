import type { Run } from '../copick/run.ts';
import {
  fieldsOf,
  flag,
  indexRule,
  modelSpec,
  optional,
  positiveLength,
  type RulesFor,
  record,
  requireArgument,
  requireOptions,
  run as runRule,
  text,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import type { Model } from '../inference/model.ts';
import { formatModelSpec } from '../inference/model-card.ts';
import {
  type Candidates,
  checkMax,
  type PickingOptions,
  pickingRules,
  requireCandidates,
} from '../picks/candidates.ts';
import type { ParticlePick } from '../picks/pick.ts';
import { memoryRule } from '../tiles/plan.ts';
import { type SearchOptions, searchRules } from './candidates.ts';
import { existingPicks, requireReplaceable } from './existing-picks.ts';
import { gridDifferences, keepCandidates } from './keep-candidates.ts';
import { pickFrom } from './pick-project.ts';
import { type RecordedSearch, recordOfModel, recordOfTomogram, type Settings } from './picks-record.ts';

/** Options of {@link writeDetection}. */
export interface WriteDetectionOptions
  extends Pick<SearchOptions, 'overlap' | 'memory' | 'average' | 'signal'>,
    Omit<PickingOptions, 'mask'> {
  /** The model that found them, which need not be open any more. */
  readonly model: Pick<Model, 'spec' | 'sha256'>;
  /** Type of the tomogram that was searched, such as `denoised`. */
  readonly tomogram: string;
  /** In Å, as the folder says. @defaultValue the only one that has such a tomogram */
  readonly voxelSpacing?: number | undefined;
  /** What was done to the tomogram before it was searched; recorded. @defaultValue nothing */
  readonly settings?: Settings | undefined;
  /** Under whose name they are written. @defaultValue 'cryoet-picks' */
  readonly userId?: string | undefined;
  /** @defaultValue '0', copick's mark of picks that a tool made */
  readonly sessionId?: string | undefined;
  /** Replaces picks of this user and session that another model or somebody else made. @defaultValue false */
  readonly overwrite?: boolean | undefined;
}

const writeRules: RulesFor<WriteDetectionOptions> = {
  model: /* @__PURE__ */ fieldsOf('a model { spec, sha256 }', { spec: modelSpec, sha256: optional(text) }),
  tomogram: text,
  voxelSpacing: /* @__PURE__ */ optional(positiveLength),
  settings: /* @__PURE__ */ optional(record),
  userId: /* @__PURE__ */ optional(text),
  sessionId: /* @__PURE__ */ optional(text),
  overwrite: /* @__PURE__ */ optional(flag),
  overlap: /* @__PURE__ */ optional(indexRule),
  memory: memoryRule,
  average: searchRules.average,
  acrossObjects: pickingRules.acrossObjects,
  max: pickingRules.max,
  signal: searchRules.signal,
};

/**
 * Writes the candidates that `detectCandidates` has found in a tomogram of a run, and the picks at their thresholds, as
 * `detectProject` would have done: with the same files and the same records, so that `pickProject` picks from them again, and a
 * `resume` finds them done.
 *
 * @returns The picks, in the order of their files.
 * @throws {@link CryoetPicksError} `conflict` for picks of this user and session that another model or somebody else made, and for
 *   candidates of another grid than that of the tomogram, unless `settings` say that it was changed; `not-found` if the run has no such tomogram; `read-only` or `write-failed` if the overlay cannot be written. Then nothing was written.
 * @example
 * ```ts
 * const tomogram = await run.tomogram('denoised');
 * const candidates = await detectCandidates(tomogram, { model, objects: project.objects });
 * const picks = await writeDetection(run, candidates, { model, tomogram: 'denoised', sessionId: '1' });
 * ```
 */
export async function writeDetection(
  run: Run,
  candidates: Candidates,
  options: WriteDetectionOptions,
): Promise<readonly ParticlePick[]> {
  const call = 'writeDetection';
  requireArgument(call, 'run', run, runRule);
  requireCandidates(candidates, call);
  requireOptions(call, options, writeRules);
  const { userId = 'cryoet-picks', sessionId = '0', model, tomogram, settings, signal } = options;
  checkMax(candidates.objects, options, call);
  const { overlap, memory, average, acrossObjects, max, overwrite, voxelSpacing } = options;
  const source = await run.tomogram(tomogram, { voxelSpacing, signal });
  const search = {
    ...{ overlap, memory, average, settings },
    model: recordOfModel(model),
    tomogram: await recordOfTomogram(source, tomogram, { signal }),
  };
  requireSameGrid(candidates, search, `run "${run.name}"`);
  const author = { userId, sessionId };
  const wanted = { ...author, classes: candidates.objects, isRestricted: false, overwrite, signal };
  requireReplaceable(run, await existingPicks(run, wanted), { ...wanted, model: search.model });
  await run.requireWritable({ signal });
  await keepCandidates(run, candidates, {
    search,
    card: formatModelSpec(model.spec),
    type: tomogram,
    voxelSpacing,
    ...author,
    signal,
  });
  const how = { acrossObjects, max, overwrite };
  return (await pickFrom(run, candidates, { ...how, ...author, search, signal })).picks;
}

/** @throws {@link CryoetPicksError} `conflict` for candidates of another grid than that of the tomogram, unless it was changed before. */
function requireSameGrid({ grid }: Candidates, { tomogram, settings }: RecordedSearch, where: string): void {
  const others = gridDifferences(grid, tomogram, settings);
  if (others.length === 0) return;
  const tomogramOf = `tomogram "${String(tomogram.type)}" of ${where}`;
  throw new CryoetPicksError(
    'conflict',
    `the candidates were found on another grid than that of ${tomogramOf}: ${others.join(', ')}; ` +
      'if the tomogram was changed before the search, say so in settings, such as { resampled: true }',
  );
}
