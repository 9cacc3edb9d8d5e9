import { formatConfig } from '../copick/edit-config.ts';
import {
  count,
  flag,
  isFields,
  optional,
  optionalList,
  type RulesFor,
  requireArgument,
  requireOptions,
  text,
  writableStore,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { writeTomogram } from '../ome-zarr/write/image.ts';
import type { ParticlePick } from '../picks/pick.ts';
import { joinKey, type Store, type StoreKey, subStore } from '../storage/store.ts';
import { sourceFromArray } from '../volume/volume.ts';
import { createRandom } from './random.ts';
import { type KnownPosition, sceneRules } from './scene.ts';
import { simulatedObjects } from './species.ts';
import { type SimulateTomogramOptions, simulateTomogram, tomogramRules } from './tomogram.ts';

/** Progress of {@link simulateProject}: for each run, the stages of its tomogram, then writing. */
export interface SimulateProjectProgress {
  readonly run: string;
  /** Number of runs finished before this one, and of all runs. */
  readonly runsDone: number;
  readonly runsTotal: number;
  readonly stage: 'molecules' | 'imaging' | 'write';
  readonly done: number;
  readonly total: number;
}

/** The particles of one run; a run of a submission or truth table has this shape. */
export interface RunPositions {
  readonly run: string;
  readonly picks: readonly KnownPosition[];
}

/** Options of {@link simulateProject}. */
export interface SimulateProjectOptions extends Omit<SimulateTomogramOptions, 'positions' | 'onProgress'> {
  /** Number of runs; ignored if `positions` is given. @defaultValue 3 */
  readonly runs?: number | undefined;
  /** Runs with their names and particles, instead of random ones. */
  readonly positions?: readonly RunPositions[] | undefined;
  /** Replace existing tomograms, which are an error otherwise. @defaultValue false */
  readonly overwrite?: boolean | undefined;
  /**
   * The absolute path at which the project will be. With it comes a second config, `copick-here.json`, with absolute roots, which
   * Python's copick opens from any folder; its overlay, `overlay-here`, holds the ground truth under the file names that copick
   * requires, which those of the competition are not. @defaultValue no such config
   */
  readonly absolutePath?: string | undefined;
  readonly onProgress?: ((progress: SimulateProjectProgress) => void) | undefined;
}

/** The project that {@link simulateProject} wrote. */
export interface SimulatedProject {
  /** Path of the config in the store. */
  readonly config: StoreKey;
  /** The ground truth of every run. */
  readonly runs: readonly { readonly run: string; readonly picks: readonly ParticlePick[] }[];
}

/**
 * Simulates tomograms and writes them as a copick project with ground truth, in the exact layout of the CZII competition:
 * `copick.json`, `static/ExperimentRuns/{run}/VoxelSpacing10.000/denoised.zarr` (or the name of another `filter`) with the
 * true voxel size in its metadata, `overlay/ExperimentRuns/{run}/Picks/{particle}.json` by user `curation`, session `0`.
 *
 * Equal options give equal projects, to the byte. One tomogram is held in memory at a time. The config is written last, so a
 * project with a config is complete.
 *
 * @throws {@link CryoetPicksError} `invalid-option` like {@link simulateTomogram} and {@link writeTomogram}; `read-only` or
 * `write-failed` if the store cannot be written.
 * @throws The abort reason of `signal`; complete runs written before stay.
 *
 * @example
 * ```ts
 * await simulateProject(directoryStore('demo'), { runs: 2, seed: 1, shape: [64, 256, 256] });
 * ```
 */
export async function simulateProject(store: Store, options: SimulateProjectOptions = {}): Promise<SimulatedProject> {
  requireArgument('simulateProject', 'store', store, writableStore);
  const {
    positions,
    overwrite = false,
    absolutePath,
    onProgress,
    signal,
    ...scene
  } = requireOptions('simulateProject', options, projectRules);
  const planned = plannedRuns(options);
  const written: { run: string; picks: readonly ParticlePick[] }[] = [];
  for (const [index, { run, seed, picks: known }] of planned.entries()) {
    const report = (progress: { stage: SimulateProjectProgress['stage']; done: number; total: number }) =>
      onProgress?.({ run, runsDone: index, runsTotal: planned.length, ...progress });
    const { volume, grid, picks } = await simulateTomogram({
      ...scene,
      seed,
      positions: known,
      signal,
      onProgress: report,
    });
    const image = joinKey('static', 'ExperimentRuns', run, 'VoxelSpacing10.000', `${scene.filter ?? 'denoised'}.zarr`);
    await writeTomogram(subStore(store, image), sourceFromArray(volume, grid), {
      overwrite,
      signal,
      onProgress: report,
    });
    await writePicks(store, { run, picks, signal, folder: 'overlay', prefix: '' });
    if (absolutePath !== undefined) {
      const prefix = `${truth.userId}_${truth.sessionId}_`;
      await writePicks(store, { run, picks, signal, folder: 'overlay-here', prefix });
    }
    written.push({ run, picks });
  }
  if (absolutePath !== undefined) {
    const root = absolutePath.replace(/[/\\]+$/, '');
    const here = projectConfig({ overlayRoot: `${root}/overlay-here`, staticRoot: `${root}/static` });
    await store.set('/copick-here.json', encode(here), { signal });
  }
  const config: StoreKey = '/copick.json';
  await store.set(config, encode(projectConfig({ overlayRoot: 'overlay', staticRoot: 'static' })), { signal });
  return { config, runs: written };
}

const projectRules: RulesFor<SimulateProjectOptions> = {
  ...tomogramRules,
  seed: /* @__PURE__ */ optional(count),
  runs: /* @__PURE__ */ optional(count),
  positions: /* @__PURE__ */ optionalList("a list of runs, [{ run: 'TS_1', picks }]", {
    expected: 'a run { run, picks }',
    isValid: isFields,
    fields: { run: text, picks: sceneRules.positions },
  }),
  overwrite: /* @__PURE__ */ optional(flag),
  absolutePath: /* @__PURE__ */ optional(text),
};

interface PlannedRun {
  readonly run: string;
  readonly seed: number;
  readonly picks: readonly KnownPosition[] | undefined;
}

function plannedRuns({ runs = 3, seed = 0, positions }: SimulateProjectOptions): readonly PlannedRun[] {
  const seeds = createRandom(seed, 3);
  if (positions !== undefined) {
    return positions.map(({ run, picks }) => ({ run: checkedRun(run), seed: seeds.uint32(), picks }));
  }
  const name = (index: number) => `TS_${index + 1}_${seed}`;
  return Array.from({ length: runs }, (_, i) => ({ run: name(i), seed: seeds.uint32(), picks: undefined }));
}

/** Checks the name of a run, which becomes the name of a folder. */
function checkedRun(run: string): string {
  if (run !== '' && !run.startsWith('.') && !/[/\\]/.test(run)) return run;
  throw new CryoetPicksError('invalid-option', `run name ${JSON.stringify(run)} cannot be the name of a folder`);
}

/** The author of the ground truth. */
const truth = { userId: 'curation', sessionId: '0' } as const;

interface RunTruth {
  readonly run: string;
  readonly picks: readonly ParticlePick[];
}

/** Where the picks of a run are written. */
interface PicksDestination extends RunTruth {
  readonly folder: string;
  /** Comes before the object in the name of a file. */
  readonly prefix: string;
  readonly signal: AbortSignal | undefined;
}

async function writePicks(store: Store, { run, picks, signal, folder, prefix }: PicksDestination): Promise<void> {
  for (const { name } of simulatedObjects) {
    const key = joinKey(folder, 'ExperimentRuns', run, 'Picks', `${prefix}${name}.json`);
    await store.set(key, encode(competitionPicks(name, { run, picks })), { signal });
  }
}

/** A picks file as in the competition, without scores; but the rotations are the true ones, where the competition has none. */
function competitionPicks(object: string, { run, picks }: RunTruth): string {
  const mine = picks.filter((pick) => pick.object === object);
  const points = mine.map(({ position: { x, y, z }, transform }) => ({
    location: { x, y, z },
    transformation_: transform,
    instance_id: 0,
  }));
  const file = {
    pickable_object_name: object,
    user_id: truth.userId,
    session_id: truth.sessionId,
    run_name: run,
    voxel_spacing: null,
    unit: 'angstrom',
    points,
    trust_orientation: true,
  };
  return JSON.stringify(file, null, 4);
}

function projectConfig(roots: { readonly overlayRoot: string; readonly staticRoot: string }): string {
  return formatConfig({
    type: 'filesystem',
    name: 'cryoet-picks simulation',
    description: 'Simulated tomograms in the layout of the CZII competition, with ground truth',
    version: '1.0.0',
    objects: simulatedObjects,
    ...roots,
    problems: [],
  });
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
