import { folderOf } from '../copick/layout.ts';
import type { Project } from '../copick/project.ts';
import type { Run } from '../copick/run.ts';
import { globMatcher } from '../copick/uri.ts';
import {
  abortSignal,
  callback,
  flag,
  isFields,
  optional,
  positiveLength,
  quotedNames,
  type RulesFor,
  record,
  text,
} from '../core/arguments.ts';
import { mapOrdered, type Warning } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import type { Mask } from '../picks/candidates.ts';
import type { ParticlePick } from '../picks/pick.ts';
import type { VoxelGrid } from '../space/grid.ts';
import type { StoreOptions } from '../storage/store.ts';
import type { ChosenThreshold } from './max-false.ts';
import { type Shard, shardOf, shardRule } from './shards.ts';

/** Which runs of a project are worked on, and whose picks they get. */
export interface ProjectRunsOptions {
  /** Type of the tomograms to search, such as `wbp`. @defaultValue the only type there is; of several, `denoised` */
  readonly tomogram?: string | undefined;
  /** In Å, as the folder says. @defaultValue the only one that has such a tomogram */
  readonly voxelSpacing?: number | undefined;
  /** Names of the runs to work on, in this order, each once. @defaultValue all runs */
  readonly runs?: readonly string[] | undefined;
  /** Works on one share of these runs, in the order of their names; see {@link shardOf}. @defaultValue on all of them */
  readonly shard?: Shard | undefined;
  /** Under whose name picks are written. @defaultValue 'cryoet-picks' */
  readonly userId?: string | undefined;
  /** @defaultValue '0', copick's mark of picks that a tool made */
  readonly sessionId?: string | undefined;
  /**
   * Reads the picks of runs that this user and session already have of every object, instead of finding them again. A run whose
   * picks were made with other settings fails, unless `overwrite` is set. @defaultValue false
   */
  readonly resume?: boolean | undefined;
  /**
   * Replaces picks of this user and session that another model or somebody else made, or with `resume` the same model with other
   * settings. Without it, a run that has such picks fails before any work. @defaultValue false
   */
  readonly overwrite?: boolean | undefined;
  /** Where picks of each run may lie. @defaultValue everywhere */
  readonly mask?: RunMask | undefined;
  /** Called when a run is taken up, each time that it is; a run that is skipped by `resume` is taken up, too. */
  readonly onStart?: ((start: RunStart) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A run that is taken up, and which of how many it is. */
export interface RunStart {
  readonly run: string;
  /** Runs that need no more work: done, refused, or failed for good; with `claim` also those that other processes have finished. */
  readonly runsDone: number;
  readonly runsTotal: number;
}

/** A mask that may differ between runs. */
export interface RunMask {
  /** Makes the mask of a run, or several that must all agree, given the grid of its tomogram. */
  readonly of: (run: Run, grid: VoxelGrid) => Mask | readonly Mask[] | Promise<Mask | readonly Mask[]>;
  /** What the mask is, such as `{ inside: 'lamella', margin: 100 }`; recorded with the picks as `mask`, and compared by `resume`. */
  readonly settings: Readonly<Record<string, string | number | boolean | null>>;
  /**
   * What shows that the mask of a run has changed while its settings have not, such as a hash of labels that somebody may draw again;
   * recorded with the picks as `maskOfRun`, and compared by `resume`. @defaultValue nothing: the settings say all
   */
  readonly settingsOf?: ((run: Run) => RunMask['settings'] | Promise<RunMask['settings']>) | undefined;
}

/** What the options that apply to each run must be. */
export const runRules: RulesFor<Omit<ProjectRunsOptions, 'runs' | 'shard' | 'onStart'>> = {
  tomogram: {
    expected: "the type of the tomograms, such as 'denoised'",
    isValid: (value) => value === undefined || (typeof value === 'string' && value !== ''),
  },
  voxelSpacing: /* @__PURE__ */ optional(positiveLength),
  userId: /* @__PURE__ */ optional(text),
  sessionId: /* @__PURE__ */ optional(text),
  resume: /* @__PURE__ */ optional(flag),
  overwrite: /* @__PURE__ */ optional(flag),
  mask: {
    expected: 'a mask of runs { of, settings }',
    isValid: (value) => value === undefined || isFields(value),
    fields: { of: callback, settings: record, settingsOf: optional(callback) },
  },
  signal: /* @__PURE__ */ optional(abortSignal),
};

/** What the options that choose runs must be. */
export const runsRules: RulesFor<ProjectRunsOptions> = {
  ...runRules,
  runs: /* @__PURE__ */ optional({ expected: 'a list of run names', isValid: Array.isArray, items: text }),
  shard: /* @__PURE__ */ optional(shardRule),
  onStart: /* @__PURE__ */ optional(callback),
};

/** A run that was searched, or read because it was done before. */
export interface DetectedRun {
  readonly run: string;
  readonly status: 'detected' | 'skipped';
  readonly picks: readonly ParticlePick[];
  /** The objects that were looked for, those without picks too. */
  readonly objects: readonly string[];
  /** Of a run that was detected with `maxFalse`: the thresholds that it chose, by object, and the estimates at them. */
  readonly maxFalse?: Readonly<Record<string, ChosenThreshold>> | undefined;
  /** What looked wrong while the run was worked on: its tomogram, and files of the project that were passed over. */
  readonly warnings: readonly Warning[];
}

/** A run that failed. */
export interface FailedRun {
  readonly run: string;
  readonly status: 'failed';
  readonly error: unknown;
  /** How many searches of the run have failed, over all processes; absent if it was refused, and nothing was recorded. */
  readonly attempt?: number | undefined;
  /**
   * True if it was not searched now: an earlier search with the same options, or another process, has recorded that it failed. With
   * `claim` only; more `retries` search it again.
   */
  readonly recorded?: true | undefined;
  /** As of a {@link DetectedRun}. */
  readonly warnings: readonly Warning[];
}

/** The result of one run. */
export type RunResult = DetectedRun | FailedRun;

/** A result without its warnings. */
export type Outcome = Omit<DetectedRun, 'warnings'> | Omit<FailedRun, 'warnings'>;

/** Options of {@link chosenRuns}. */
export interface ChooseRunsOptions extends Pick<ProjectRunsOptions, 'runs' | 'signal'> {
  /** A name that no run has is a glob. @defaultValue false */
  readonly globs?: boolean | undefined;
  /** See `RunsOptions`. */
  readonly namesOnly?: boolean | undefined;
}

/** The runs to work on. @throws {@link CryoetPicksError} `not-found` if one that is named is absent. */
export async function chosenRuns(
  project: Project,
  { runs: names, globs = false, namesOnly, signal }: ChooseRunsOptions,
): Promise<readonly Run[]> {
  const missing = async (name: string): Promise<never> => {
    // Throws, and says which there are.
    await project.run(name, { signal });
    throw new CryoetPicksError('not-found', `run "${name}" appeared meanwhile; start again`);
  };
  return chosen(await project.runs({ namesOnly, signal }), { names, globs, missing });
}

/** Options of {@link chosen}. */
export interface ChooseOptions {
  /** Without them, all are chosen. */
  readonly names: readonly string[] | undefined;
  /** See {@link ChooseRunsOptions}. */
  readonly globs?: boolean | undefined;
  /** Throws for a name that nothing has. */
  readonly missing: (name: string) => Promise<never> | never;
}

/**
 * Chooses things by name, in the order of the names, each thing once. With `globs` each name is first taken as it is, and only if nothing
 * has it as a glob (`TS_*`), since names may hold the characters of globs.
 */
export async function chosen<T extends { readonly name: string }>(
  all: readonly T[],
  { names, globs = false, missing }: ChooseOptions,
): Promise<T[]> {
  if (names === undefined) return [...all];
  const byName = new Map(all.map((one) => [one.name, one]));
  const found = new Set<T>();
  for (const name of new Set(names)) {
    const exact = byName.get(name);
    const matches = exact === undefined && globs ? globMatcher(name) : undefined;
    const some = exact === undefined ? all.filter((one) => matches?.(one.name)) : [exact];
    if (some.length === 0) await missing(name);
    for (const one of some) found.add(one);
  }
  return [...found];
}

/** The runs of one share, in the order of their names; all runs without one. */
export function inShard(runs: readonly Run[], { shard }: Pick<ProjectRunsOptions, 'shard'>): readonly Run[] {
  if (shard === undefined) return runs;
  const byName = new Map(runs.map((run) => [run.name, run]));
  return shardOf([...byName.keys()], shard).map((name) => byName.get(name)!);
}

/** How many runs are looked at at once before the work. */
export const concurrency = 8;

/**
 * The type of tomograms to search if none is named: the only one there is, or `denoised`; without any tomogram each run says so.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if there are several others.
 */
export async function tomogramTypeOf(
  runs: readonly Run[],
  { voxelSpacing, signal }: Pick<ProjectRunsOptions, 'voxelSpacing' | 'signal'>,
): Promise<string> {
  const typesOf = async (run: Run, stop: AbortSignal) => {
    try {
      return (await run.tomograms({ voxelSpacing, signal: stop })).map(({ type }) => type);
    } catch {
      // The run fails later, and says why.
      stop.throwIfAborted();
      return [];
    }
  };
  const types = new Set<string>();
  for await (const found of mapOrdered(runs, typesOf, { concurrency, signal }))
    for (const type of found) types.add(type);
  if (types.size === 0 || types.has('denoised')) return 'denoised';
  const available = [...types].sort();
  if (available.length === 1) return available[0]!;
  throw new CryoetPicksError(
    'invalid-option',
    `the runs have tomograms of several types; choose one of ${quotedNames(available)}`,
    { option: 'tomogram', available },
  );
}

/** The paths of the problems that a project has reported so far. */
export function reportedIn({ problems }: Project): Set<string> {
  return new Set(problems.map(({ path }) => path));
}

/** Options of {@link workOn}. */
export interface WorkOptions {
  /** Problems that are not warned of again. */
  readonly reported: Set<string>;
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

/** Works on a run, and adds what is warned of to the result. */
export async function workOn<T extends Outcome>(
  project: Project,
  run: Run,
  { reported, ...options }: WorkOptions,
  work: (onWarning: (warning: Warning) => void) => Promise<T>,
): Promise<T & { readonly warnings: readonly Warning[] }> {
  const warnings: Warning[] = [];
  const onWarning = (warning: Warning) => {
    const ofRun = { ...warning, run: run.name };
    warnings.push(ofRun);
    options.onWarning?.(ofRun);
  };
  const result = await work(onWarning);
  if (result.status === 'skipped') await tidyRun(project, run);
  for (const { path, message, run: owner } of project.problems) {
    if (reported.has(path) || owner !== run.name) continue;
    reported.add(path);
    onWarning({ code: 'file-passed-over', message, path });
  }
  return { ...result, warnings };
}

/** Removes what a killed process has left beside the picks of a run that is done, where no write does it. */
export async function tidyRun({ overlayStore }: Project, { name }: Run, options: StoreOptions = {}): Promise<void> {
  await overlayStore?.tidy?.(folderOf('picks', { run: name }), options);
}

/** What comes of a run: only an abort and a project that is read-only end the whole work, any other failure only that of the run. */
export async function outcomeOf(
  run: Run,
  { signal }: { readonly signal?: AbortSignal | undefined },
  work: () => Promise<Omit<DetectedRun, 'warnings'>>,
): Promise<Outcome> {
  try {
    return await work();
  } catch (error) {
    if (signal?.aborted || isCryoetPicksError(error, 'read-only')) throw error;
    return { run: run.name, status: 'failed', error };
  }
}

/** Picks in the order of their objects, as files hold them, so that a resumed run gives them in the order of the first one. */
export function byObject(picks: readonly ParticlePick[], objects: readonly string[]): ParticlePick[] {
  const groups = new Map<string, ParticlePick[]>(objects.map((object) => [object, []]));
  for (const pick of picks) groups.get(pick.object)?.push(pick);
  return [...groups.values()].flat();
}
