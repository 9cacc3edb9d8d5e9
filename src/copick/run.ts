import {
  abortSignal,
  anything,
  bytesRule,
  describeValue,
  flag,
  isFields,
  listOf,
  optional,
  picks as picksRule,
  positiveCount,
  positiveLength,
  type Rule,
  record,
  requireArgument,
  requireOptions,
  text,
  writableStore,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { showJson } from '../core/json.ts';
import { openRules, type Tomogram } from '../ome-zarr/tomogram.ts';
import { type Candidates, requireCandidates } from '../picks/candidates.ts';
import type { ParticlePick } from '../picks/pick.ts';
import { type ListableStore, requireWritable, type StoreOptions } from '../storage/store.ts';
import type { VolumeSource } from '../volume/volume.ts';
import {
  type DeleteCandidatesOptions,
  deleteCandidatesOf,
  deleteCandidatesRules,
  hasCandidatesOf,
  type ReadCandidatesOptions,
  readCandidatesOf,
  readCandidatesRules,
  type StoredCandidates,
  type WriteCandidatesOptions,
  writeCandidatesOf,
  writeCandidatesRules,
} from './candidates-file.ts';
import { type FeaturesEntry, type FeaturesFilter, findFeatures } from './features.ts';
import { type FilamentsEntry, findFilaments, type WriteFilamentsOptions, writeFilamentsOf } from './filament-sets.ts';
import type { Filament } from './filaments-file.ts';
import { folderOf, parseName, pathOf } from './layout.ts';
import {
  findPickSets,
  type HasPicksOptions,
  hasPicksOf,
  hasPicksRules,
  type PickSet,
  type PicksFilter,
  readAllPicks,
  type WritePicksOptions,
  writePicksOf,
  writePicksRules,
} from './pick-sets.ts';
import { findSegmentations, type SegmentationEntry, type SegmentationFilter } from './segmentations.ts';
import {
  findTomograms,
  openTomogramOf,
  type RunTomogramOptions,
  type TomogramEntry,
  type TomogramFilter,
} from './tomograms.ts';
import { checkWait, deleteRunOf, listBoth, listNames, type ProjectTree, type WaitOptions } from './tree.ts';
import {
  findMeshes,
  type MeshEntry,
  type ObjectUserSessionFilter,
  type WriteMeshOptions,
  writeFileRules,
  writeMeshOf,
} from './user-session-files.ts';
import {
  createVoxelSpacingOf,
  findVoxelSpacings,
  type VoxelSpacingEntry,
  type VoxelSpacingOptions,
} from './voxel-spacings.ts';
import {
  labelVolumes,
  type SegmentationVolumes,
  type WriteSegmentationOptions,
  writeSegmentationOf,
  writeSegmentationRules,
} from './write-segmentation.ts';
import {
  oneOrMoreVolumes,
  type WriteFeaturesOptions,
  type WriteRunTomogramOptions,
  writeFeaturesOf,
  writeFeaturesRules,
  writeSpacedRules,
  writeTomogramOf,
} from './write-volumes.ts';

/**
 * One tilt series of a project: its tomograms and picks, in the static tree and the overlay alike.
 *
 * Nothing is cached: each call reads storage. If both trees hold the same entity, the overlay's takes precedence. Broken
 * entities are reported to the project's `problems` and skipped.
 *
 * @example
 * ```ts
 * const tomogram = await run.tomogram('denoised', { voxelSpacing: 10 });
 * const truth = await run.picks({ userId: 'curation' });
 * await run.writePicks(picks, { userId: 'cryoet-picks', sessionId: '0', objects: ['ribosome', 'virus'] });
 * const labels = sourceFromArray(volume, { voxelSize: tomogram.grid.voxelSize });
 * await run.writeSegmentation(labels, { name: 'ribosome', kind: 'instance', userId: 'me', sessionId: '0' });
 * ```
 */
export class Run {
  /** The name of its folder; copick never changes the names of runs. */
  readonly name: string;

  readonly #tree: ProjectTree;

  constructor(name: string, tree: ProjectTree) {
    requireArgument('Run', 'name', name, text);
    requireArgument('Run', 'tree', tree, {
      expected: 'the trees of a project; `project.run(name)` makes runs',
      isValid: isFields,
      fields: { overlay: writableStore },
    });
    this.name = name;
    this.#tree = tree;
  }

  /** Lists the voxel spacings, smallest first: the folders of tomograms in both trees, each label once. */
  async voxelSpacings(options: VoxelSpacingOptions = {}): Promise<VoxelSpacingEntry[]> {
    const rules = { includeShadowed: optional(flag), signal: optional(abortSignal) };
    return findVoxelSpacings(this.#tree, this.name, requireOptions('run.voxelSpacings', options, rules));
  }

  /**
   * Creates the folder of a voxel spacing, in Å, in the overlay, with the `.meta` file that copick puts there. Returns the
   * voxel spacing of the same three-decimal label if either tree has it already.
   *
   * @throws {@link CryoetPicksError} `invalid-option` for a spacing that is not a length above 0; `read-only` or `write-failed`
   *   if the overlay cannot be written.
   */
  async createVoxelSpacing(voxelSpacing: number, options: WaitOptions = {}): Promise<VoxelSpacingEntry> {
    const { signal } = checkWait('run.createVoxelSpacing', options);
    return createVoxelSpacingOf(this.#tree, this.name, { voxelSpacing, signal });
  }

  /** Lists the tomograms, sorted by voxel spacing and type. */
  async tomograms(filter: TomogramFilter = {}): Promise<TomogramEntry[]> {
    return findTomograms(this.#tree, this.name, checkFilter('tomograms', filter));
  }

  /**
   * Opens the tomogram of a type. `voxelSpacing` selects the folder, by its three-decimal label or the nearest within 0.001 Å; it
   * may be omitted if the type exists at one spacing only. `level` and `voxelSize` select the resolution level.
   *
   * @throws {@link CryoetPicksError} `not-found`, listing the available tomograms; `invalid-option` without a type, or if several
   *   voxel spacings fit and none was given; everything that opening an OME-Zarr image throws.
   */
  async tomogram(type: string, options: RunTomogramOptions = {}): Promise<Tomogram> {
    requireOptions('run.tomogram', options, { ...openRules, voxelSpacing: optional(positiveLength) });
    return openTomogramOf(this.#tree, this.name, { ...options, type });
  }

  /**
   * Lists the picks files, sorted by object, user and session. Files named as in the competition are opened to find user
   * and session.
   */
  async pickSets(filter: PicksFilter = {}): Promise<PickSet[]> {
    return findPickSets(this.#tree, this.name, checkFilter('picks', filter));
  }

  /**
   * Reads all picks that match a filter, set by set. Rotations of a file that says not to trust them are omitted; `read()` of the
   * set keeps them.
   *
   * @throws {@link CryoetPicksError} `invalid-picks`, `not-found` or `unavailable`, if there are sets but none can be read. If some can, the
   *   others are reported and skipped.
   */
  async picks(filter: PicksFilter = {}): Promise<ParticlePick[]> {
    return readAllPicks(this.#tree, this.name, checkFilter('picks', filter));
  }

  /**
   * Whether a user has picks of a session in this run, including files without points; a resumed detection skips such runs if
   * the same program, model and settings made the picks. A file that cannot be read is reported and does not count.
   */
  async hasPicks(options: HasPicksOptions): Promise<boolean> {
    return hasPicksOf(this.#tree, this.name, requireOptions('run.hasPicks', options, hasPicksRules));
  }

  /**
   * Checks, before a long computation, that picks can be written.
   *
   * @throws {@link CryoetPicksError} `read-only` or `write-failed` if not.
   */
  async requireWritable(options: WaitOptions = {}): Promise<void> {
    const { signal } = checkWait('run.requireWritable', options);
    const folder = folderOf('picks', { run: this.name });
    await requireWritable(this.#tree.overlay, folder, { what: 'the overlay', signal });
  }

  /**
   * Writes picks into the overlay, one file per object, and returns the paths of the files.
   *
   * Everything is checked before anything is written. Each file is replaced as a whole: if writing fails or is aborted midway,
   * every file holds either its old picks or the new ones. Files of objects that are neither in `picks` nor in `objects` are
   * left unchanged. With `ifVersion`, nothing is written if a file has changed. `{ ...file }` keeps the other fields of a file that
   * was read.
   *
   * @throws {@link CryoetPicksError} `conflict`, naming when the file was written then and now; `invalid-picks` for an object
   *   that the project does not have or a pick that is not finite; `invalid-option` for a user or session without a valid
   *   character, or two `files` of one object; `read-only` or `write-failed` if the overlay cannot be written.
   */
  async writePicks(picks: readonly ParticlePick[], options: WritePicksOptions): Promise<string[]> {
    requireArgument('run.writePicks', 'picks', picks, picksRule);
    requireOptions('run.writePicks', options, writePicksRules);
    return writePicksOf(this.#tree, this.name, { ...options, picks });
  }

  /**
   * Writes candidates into the overlay, beside the picks of the same user and session, in a hidden file that replaces the one
   * before; returns its path. Other programs do not see it. Write them before the picks that are made of them. With `keepOthers`,
   * candidates of other objects that the same model found in the same tomogram stay.
   *
   * @throws {@link CryoetPicksError} `invalid-option` for anything but candidates, and a user or session without a valid character;
   *   `read-only` or `write-failed` if the overlay cannot be written.
   */
  async writeCandidates(candidates: Candidates, options: WriteCandidatesOptions): Promise<string> {
    requireCandidates(candidates, 'run.writeCandidates');
    requireOptions('run.writeCandidates', options, writeCandidatesRules);
    return writeCandidatesOf(this.#tree, this.name, { ...options, candidates });
  }

  /**
   * Reads the candidates of a user and session, from which `picksFromCandidates` makes picks.
   *
   * @throws {@link CryoetPicksError} `not-found` if there are no candidates; `corrupt-data` if the file is damaged; `unsupported` if a later
   *   version of this library wrote it; `conflict`, saying what differs, if they belong to another run or were not made as
   *   `expected`.
   */
  async readCandidates(options: ReadCandidatesOptions): Promise<StoredCandidates> {
    requireOptions('run.readCandidates', options, readCandidatesRules);
    return readCandidatesOf(this.#tree, this.name, options);
  }

  /**
   * Whether a user has candidates of a session in this run, as their file is there; what is in it is not read.
   *
   * @throws {@link CryoetPicksError} `invalid-option` for a user or session without a valid character; what the store throws.
   */
  async hasCandidates(options: DeleteCandidatesOptions): Promise<boolean> {
    requireOptions('run.hasCandidates', options, deleteCandidatesRules);
    return hasCandidatesOf(this.#tree, this.name, options);
  }

  /**
   * Deletes the candidates of a user and session from the overlay, if there are some, as is right once the picks are no longer made
   * of them. Those of the static tree stay.
   *
   * @throws {@link CryoetPicksError} `invalid-option` for a user or session without a valid character; `read-only` or `write-failed`
   *   if the overlay cannot be written.
   */
  async deleteCandidates(options: DeleteCandidatesOptions): Promise<void> {
    requireOptions('run.deleteCandidates', options, deleteCandidatesRules);
    return deleteCandidatesOf(this.#tree, this.name, options);
  }

  /**
   * Writes a tomogram `[z, y, x]` into the overlay, with a pyramid, and returns its path; its features are kept.
   *
   * @throws {@link CryoetPicksError} `invalid-option` for voxels that are not cubes (to 0.1 %), a `voxelSpacing` more than 1 %
   *   off the voxel size, a type that contains "features", and an existing tomogram unless `overwrite` is set; `conflict` if
   *   others wrote it meanwhile; `read-only` or `write-failed` if the overlay cannot be written.
   */
  async writeTomogram(source: VolumeSource, options: WriteRunTomogramOptions): Promise<string> {
    requireOptions('run.writeTomogram', options, {
      ...writeSpacedRules,
      type: anything,
      levels: anything,
      dtype: anything,
    });
    return writeTomogramOf(this.#tree, this.name, { ...options, source });
  }

  /** Lists the features of all tomograms, sorted by voxel spacing, tomogram and type. */
  async features(filter: FeaturesFilter = {}): Promise<FeaturesEntry[]> {
    return findFeatures(this.#tree, this.name, checkFilter('features', filter));
  }

  /**
   * Writes features of a tomogram into the overlay and returns their path: one volume as a 3-D image, a list as a 4-D image.
   *
   * @throws {@link CryoetPicksError} Like `writeTomogram`; `not-found` if the tomogram does not exist.
   */
  async writeFeatures(
    features: VolumeSource | readonly VolumeSource[],
    options: WriteFeaturesOptions,
  ): Promise<string> {
    requireArgument('run.writeFeatures', 'features', features, oneOrMoreVolumes);
    requireOptions('run.writeFeatures', options, writeFeaturesRules);
    return writeFeaturesOf(this.#tree, this.name, { ...options, features });
  }

  /** Lists the segmentations of all four kinds, sorted by voxel spacing, user, session, name and kind. */
  async segmentations(filter: SegmentationFilter = {}): Promise<SegmentationEntry[]> {
    return findSegmentations(this.#tree, this.name, checkFilter('segmentations', filter));
  }

  /**
   * Writes a volume of labels `[z, y, x]`, or `{ label, instance }`, into the overlay as a segmentation, and returns its path.
   * The labels are read twice: first to check all of them and to choose the type of number, then to write them.
   *
   * @throws {@link CryoetPicksError} `invalid-option` for a name that cannot name a file, a label that does not fit, voxels
   *   that are not cubes, and, in a panoptic segmentation, a label that no object has or an instance on the background;
   *   `conflict` if others wrote it meanwhile; `read-only` or `write-failed` if the overlay cannot be written.
   */
  async writeSegmentation(labels: SegmentationVolumes, options: WriteSegmentationOptions): Promise<string> {
    requireArgument('run.writeSegmentation', 'labels', labels, labelVolumes);
    requireOptions('run.writeSegmentation', options, writeSegmentationRules);
    return writeSegmentationOf(this.#tree, this.name, { ...options, labels });
  }

  /** Lists the meshes, sorted by object, user and session; `read()` of one gives the bytes of its GLB file. */
  async meshes(filter: ObjectUserSessionFilter = {}): Promise<MeshEntry[]> {
    return findMeshes(this.#tree, this.name, checkFilter('meshes', filter));
  }

  /**
   * Writes the bytes of a binary glTF file (GLB), its vertices in Å, into the overlay as a mesh, and returns its path.
   *
   * @throws {@link CryoetPicksError} `invalid-option` for bytes that are not a complete GLB file, a user or session without
   *   a valid character, and an existing mesh unless `overwrite` is set; `not-found` for an object that the project does
   *   not have; `conflict` if others wrote it meanwhile; `unsupported` if the overlay keeps no versions to compare; `read-only` or
   *   `write-failed` if the overlay cannot be written.
   */
  async writeMesh(bytes: Uint8Array, options: WriteMeshOptions): Promise<string> {
    requireArgument('run.writeMesh', 'bytes', bytes, bytesRule);
    requireOptions('run.writeMesh', options, writeFileRules);
    return writeMeshOf(this.#tree, this.name, { ...options, bytes });
  }

  /** Lists the filaments files, sorted by object, user and session. */
  async filaments(filter: ObjectUserSessionFilter = {}): Promise<FilamentsEntry[]> {
    return findFilaments(this.#tree, this.name, checkFilter('filaments', filter));
  }

  /**
   * Writes filaments of one object into the overlay, and returns the path of the file. As in copick, curves that no longer match
   * the points of their filament are omitted, and that is reported.
   *
   * @throws {@link CryoetPicksError} `invalid-picks` with the index of a filament that cannot be written; like `writeMesh`.
   */
  async writeFilaments(filaments: readonly Filament[], options: WriteFilamentsOptions): Promise<string> {
    requireArgument('run.writeFilaments', 'filaments', filaments, listOf('filaments'));
    requireOptions('run.writeFilaments', options, {
      ...writeFileRules,
      voxelSpacing: optional(positiveLength),
      formatVersion: optional(positiveCount),
      unknown: optional(record),
    });
    return writeFilamentsOf(this.#tree, this.name, { ...options, filaments });
  }

  /**
   * Deletes the run and its content from the overlay. The run's part in the static tree stays, and becomes visible again.
   *
   * @throws {@link CryoetPicksError} `read-only` if it exists only in the static tree, or the overlay does not allow writing;
   *   `write-failed`.
   */
  async delete(options: WaitOptions = {}): Promise<void> {
    const { signal } = checkWait('run.delete', options);
    return deleteRunOf(this.#tree, this.name, { signal });
  }
}

/** Options of `Project.runs`. */
export interface RunsOptions extends WaitOptions {
  /** Only the runs of a split, such as `train`. */
  readonly split?: string | undefined;
  /**
   * The runs list what they contain by the names of folders and files alone, each folder once, and open nothing to do so. That is
   * for projects of thousands of runs. Picks files named as in the competition have no user and session then, and folders
   * without an image are listed too. @defaultValue false
   */
  readonly namesOnly?: boolean | undefined;
}

/** The names of the runs of both trees, sorted; see `Project.runs`. `source` is where the project comes from, for messages. */
export async function runNames(
  tree: ProjectTree,
  { split, source, signal }: RunsOptions & { readonly source: string },
): Promise<string[]> {
  const wanted = split === undefined ? undefined : await runsOfSplit(tree, { split, source, signal });
  const entries = await listBoth(tree, folderOf('run', {}), { signal });
  const names = entries
    .filter(({ name, kind }) => kind === 'folder' && parseName('run', name) !== undefined)
    .map(({ name }) => name);
  return [...new Set(names)].filter((name) => wanted?.has(name) ?? true).sort();
}

/** @throws {@link CryoetPicksError} `invalid-option` unless a name is valid for a new run. */
export function checkRunName(name: string): string {
  requireArgument('project.createRun', 'name', name, text);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (name !== '' && !name.startsWith('.') && !/[/\\\u0000-\u001f\u007f]/.test(name)) return name;
  throw new CryoetPicksError(
    'invalid-option',
    `${JSON.stringify(name)} cannot name a run: expected a folder name that is not hidden, without slashes`,
  );
}

/** Creates the folder of a run in the overlay, with the file that copick puts there. */
export async function makeRunFolder({ overlay }: ProjectTree, run: string, { signal }: WaitOptions): Promise<void> {
  await overlay.set(`${pathOf('run', { run })}/.meta`, new TextEncoder().encode('meta'), { signal });
}

/** The names of runs by split. */
export type Splits = ReadonlyMap<string, readonly string[]>;

/** A store that may know the splits of its runs, as that of a Croissant does. */
interface SplitStore extends ListableStore {
  splits?(options?: StoreOptions): Promise<Splits>;
}

/** The splits that the store of the static tree knows; otherwise none. */
export async function splitsOf({ static: data }: ProjectTree, signal: AbortSignal | undefined): Promise<Splits> {
  const store: SplitStore | undefined = data;
  return (await store?.splits?.({ signal })) ?? new Map();
}

interface RunsOfSplitOptions extends StoreOptions {
  readonly split: string;
  /** Where the project comes from, for messages. */
  readonly source: string;
}

/** The names of the runs of a split. @throws {@link CryoetPicksError} `not-found`, listing the available splits. */
async function runsOfSplit(
  tree: ProjectTree,
  { split, source, signal }: RunsOfSplitOptions,
): Promise<ReadonlySet<string>> {
  const splits = await splitsOf(tree, signal);
  const names = splits.get(split);
  if (names !== undefined) return new Set(names);
  const available = [...splits.keys()];
  throw new CryoetPicksError(
    'not-found',
    `split "${split}" not found in project "${source}"; available: ${listNames(available)}`,
    { available },
  );
}

const waiting: readonly string[] = ['includeShadowed', 'signal'];
const authored: readonly string[] = ['object', 'userId', 'sessionId', ...waiting];

type Listing = 'runs' | 'object maps' | 'picks' | 'meshes' | 'filaments' | 'tomograms' | 'features' | 'segmentations';

/** The filter keys of each listing. */
const known: Readonly<Record<Listing, readonly string[]>> = {
  runs: ['split', 'namesOnly', 'signal'],
  'object maps': ['object', ...waiting],
  picks: authored,
  meshes: authored,
  filaments: authored,
  tomograms: ['type', 'voxelSpacing', ...waiting],
  features: ['type', 'featureType', 'voxelSpacing', ...waiting],
  segmentations: ['name', 'userId', 'sessionId', 'voxelSpacing', 'kind', ...waiting],
};

/** A name, or several. */
export const nameFilter: Rule = {
  expected: 'a name, or a list of names',
  isValid: (value) =>
    typeof value === 'string' || (Array.isArray(value) && value.every((one) => typeof one === 'string')),
};
const valueRules: Readonly<Record<string, Rule>> = {
  includeShadowed: flag,
  namesOnly: flag,
  signal: abortSignal,
  voxelSpacing: positiveLength,
  kind: anything,
  split: text,
};

const kinds: readonly unknown[] = ['binary', 'multilabel', 'instance', 'panoptic'];

/**
 * Throws if a filter has an unknown key; a misspelt key would otherwise be ignored and match everything.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a filter that is not an object, has an unknown key, or names an
 *   unknown kind.
 */
export function checkFilter<T extends object>(what: Listing, filter: T): T {
  const keys = known[what];
  if (!isFields(filter)) {
    const example = `{ ${keys[0]}: ${typeof filter === 'string' ? showJson(filter) : '…'} }`;
    throw invalid(`the filter of ${what} must be an object such as ${example}, found ${describeValue(filter)}`);
  }
  const unknown = Object.keys(filter).find((key) => !keys.includes(key));
  if (unknown !== undefined) {
    const inCamelCase = unknown.replace(/_+([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const hint = keys.includes(inCamelCase) ? `did you mean ${inCamelCase}? ` : '';
    throw invalid(`${showJson(unknown)} is not a filter of ${what}; ${hint}expected ${keys.join(', ')}`);
  }
  for (const [key, value] of Object.entries(filter)) {
    requireArgument(`the filter of ${what}`, key, value, optional(valueRules[key] ?? nameFilter));
  }
  const { kind } = filter as { readonly kind?: unknown };
  const unknownKind = kind === undefined ? undefined : [kind].flat().find((one) => !kinds.includes(one));
  if (unknownKind !== undefined) throw invalid(`kind is ${describeValue(unknownKind)}, expected ${kinds.join(', ')}`);
  return filter;
}

function invalid(message: string): CryoetPicksError {
  return new CryoetPicksError('invalid-option', message);
}
