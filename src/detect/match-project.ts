import { formatSpacing, pathToWrite, sanitizeName } from '../copick/layout.ts';
import type { Project } from '../copick/project.ts';
import { sha256Of } from '../copick/provenance.ts';
import { requireObjects } from '../copick/tree.ts';
import {
  callback,
  count,
  optional,
  positiveCount,
  project as projectRule,
  type RulesFor,
  requireArgument,
  requireOptions,
  text,
} from '../core/arguments.ts';
import type { Warning } from '../core/concurrency.ts';
import { makeTemplate, type TemplateShape } from '../match/template.ts';
import { type PickingOptions, pickingRules } from '../picks/candidates.ts';
import { voxelCount } from '../space/grid.ts';
import { readInto, type VolumeSource } from '../volume/volume.ts';
import { claimsRule } from './claims.ts';
import type { OpenSearch } from './detect-run.ts';
import { type MatchCandidatesOptions, matchCandidates, matchRules } from './match-candidates.ts';
import { type DetectProjectOptions, type ProjectProgress, searchProject } from './project.ts';
import { type ProjectRunsOptions, type RunResult, runsRules } from './project-runs.ts';
import { requireShard } from './shards.ts';

/** Options of {@link matchProject}; those of `matchCandidates` apply to every run. */
export interface MatchProjectOptions
  extends Omit<MatchCandidatesOptions, 'mask' | 'onProgress'>,
    ProjectRunsOptions,
    Pick<PickingOptions, 'max'>,
    Pick<DetectProjectOptions, 'retries' | 'claim' | 'jobs'> {
  /** What the template is called where it is recorded, such as the name of its file. @defaultValue the name of the object */
  readonly templateName?: string | undefined;
  readonly onProgress?: ((progress: ProjectProgress) => void) | undefined;
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

const walkRules: RulesFor<MatchProjectOptions> = {
  ...matchRules,
  ...runsRules,
  max: pickingRules.max,
  retries: /* @__PURE__ */ optional(count),
  jobs: /* @__PURE__ */ optional(positiveCount),
  claim: /* @__PURE__ */ optional(claimsRule),
  templateName: /* @__PURE__ */ optional(text),
  onProgress: /* @__PURE__ */ optional(callback),
  onWarning: /* @__PURE__ */ optional(callback),
};

/**
 * Looks for a template in every run of a copick project, and writes picks with orientations and candidates into the overlay, as
 * `detectProject` does with a network: the same files, and records that say by which map and options they were found, so that `resume`
 * skips runs that are done. A run that fails is yielded as `failed`, and the next one is taken up.
 *
 * @param density - A map, an average or a shape, as for `matchCandidates`.
 * @throws `CryoetPicksError` before any work as `detectProject`, and as `matchCandidates` for its options; the abort reason of `signal`.
 *
 * @example
 * ```ts
 * const map = await openMrcFile('ribosome.mrc');
 * for await (const result of matchProject(project, map, { object: 'ribosome', radius: 140, resume: true })) {
 *   console.log(result.run, result.status);
 * }
 * ```
 */
export async function* matchProject(
  project: Project,
  density: VolumeSource | TemplateShape,
  options: MatchProjectOptions,
): AsyncGenerator<RunResult, void, undefined> {
  const call = 'matchProject';
  requireArgument(call, 'project', project, projectRule);
  requireOptions(call, options, walkRules);
  if (options.shard !== undefined) requireShard(call, options.shard);
  yield* searchProject(project, await searchOf(project, density, options), options);
}

/** The threshold in the record of picks until the search has chosen one: no score is higher. */
const UNKNOWN = 1;

/** What the runs have in common. */
async function searchOf(
  project: Project,
  density: VolumeSource | TemplateShape,
  { templateName, ...options }: MatchProjectOptions,
): Promise<OpenSearch> {
  const { userId = 'cryoet-picks', sessionId = '0', object, voxelSpacing, maxFalse = 0.05, threads, memory } = options;
  const { contrast, symmetry, angleStep, wedge, ctf, whiten, candidatesPerObject, threshold } = options;
  const { resume, overwrite, mask, max, signal } = options;
  requireObjects(project, [object], 'picks');
  pathToWrite('picks', { run: 'run', userId: sanitizeName(userId), sessionId: sanitizeName(sessionId), object });
  if (voxelSpacing !== undefined) formatSpacing(voxelSpacing);
  const { radius } = await makeTemplate(density, { object, voxelSize: 20, contrast, radius: options.radius, signal });
  const { minDistance = radius } = options;
  const card = {
    classes: [object],
    ...{ radius, contrast: contrast ?? 'inverted', symmetry: symmetry ?? 'C1', angleStep: angleStep ?? 20 },
    ...{ wedge: wedge ?? null, ctf: ctf ?? null, whiten: whiten ?? false, peaks: candidatesPerObject ?? 2000 },
  };
  const matching = { object, contrast, radius, symmetry, angleStep, wedge, ctf, whiten, memory, threads };
  return {
    ...{ resume, overwrite, mask, max, voxelSpacing, signal, userId, sessionId, isRestricted: true },
    ...{ objects: [{ name: object }], classes: [object], acrossObjects: false, calibration: undefined },
    chosen: {
      classes: [object],
      thresholds: { [object]: threshold ?? UNKNOWN },
      minDistances: { [object]: minDistance },
    },
    shares: threshold === undefined ? { [object]: maxFalse } : {},
    model: { name: templateName ?? object, sha256: await hashOf(density, signal), card },
    card: JSON.stringify(card),
    find: async (tomogram, { onProgress, signal: stop }) => {
      const candidates = await matchCandidates(tomogram, density, {
        ...{ ...matching, candidatesPerObject, threshold, maxFalse, minDistance, onProgress, signal: stop },
      });
      const { chosen, ...found } = candidates;
      return {
        candidates: found,
        thresholds: undefined,
        ...(threshold === undefined && { maxFalse: { [object]: chosen } }),
      };
    },
  };
}

/** What tells one map from another: the SHA-256 of its voxels as float32, or of the numbers of a shape. */
async function hashOf(density: VolumeSource | TemplateShape, signal: AbortSignal | undefined): Promise<string> {
  if ('shape' in density) return sha256Of(new TextEncoder().encode(JSON.stringify(density)));
  const { shape, voxelSize } = density.grid;
  const voxels = new Float32Array(voxelCount(shape) + 3);
  await readInto(density, { start: [0, 0, 0], end: shape }, voxels.subarray(3), { signal });
  voxels.set(voxelSize);
  return sha256Of(new Uint8Array(voxels.buffer));
}
