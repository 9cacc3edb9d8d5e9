import type { Tomogram } from '../ome-zarr/tomogram.ts';
import type { Pick } from '../picks/pick.ts';
import { requireWritable } from '../storage/store.ts';
import type { VolumeSource } from '../volume/volume.ts';
import type { AuthoredFilter } from './authored.ts';
import { deleteRunOf } from './delete.ts';
import { type FilamentsEntry, findFilaments, type WriteFilamentsOptions, writeFilamentsOf } from './filaments.ts';
import type { Filament } from './filaments-file.ts';
import { folderOf } from './layout.ts';
import { findMeshes, type MeshEntry, type WriteMeshOptions, writeMeshOf } from './meshes.ts';
import {
  findPickSets,
  type HasPicksOptions,
  hasPicksOf,
  type PickSet,
  type PicksFilter,
  readAllPicks,
} from './pick-sets.ts';
import {
  findSegmentations,
  type SegmentationEntry,
  type SegmentationFilter,
  type WriteSegmentationOptions,
  writeSegmentationOf,
} from './segmentations.ts';
import {
  findTomograms,
  openTomogramOf,
  type RunTomogramOptions,
  type TomogramEntry,
  type TomogramFilter,
} from './tomograms.ts';
import type { ProjectTree, WaitOptions } from './tree.ts';
import {
  createVoxelSpacingOf,
  findVoxelSpacings,
  type VoxelSpacingEntry,
  type VoxelSpacingOptions,
} from './voxel-spacings.ts';
import { type WritePicksOptions, writePicksOf } from './write-picks.ts';

/**
 * One tilt series of a project: its tomograms and picks, in the static tree and the overlay alike.
 *
 * Nothing is cached: each call looks at storage. Where both trees hold the same thing, the overlay's counts. What is
 * broken is reported to the project's `problems` and hides nothing else.
 */
export class Run {
  /** As its folder is called; copick makes no other of it. */
  readonly name: string;

  constructor(
    name: string,
    private readonly tree: ProjectTree,
  ) {
    this.name = name;
  }

  /** Lists the voxel spacings: the folders of tomograms in both trees, each label once, the smallest first. */
  async voxelSpacings(options: VoxelSpacingOptions = {}): Promise<VoxelSpacingEntry[]> {
    return findVoxelSpacings(this.tree, this.name, options);
  }

  /**
   * Makes the folder of a voxel spacing, in Å, in the overlay, with the `.meta` file that copick puts there; one of the same
   * three-decimal label that is there, in either tree, is given back.
   *
   * @throws {@link CryoetPicksError} `invalid-option` for a spacing that is no length; `read-only`.
   */
  async createVoxelSpacing(voxelSpacing: number, { signal }: WaitOptions = {}): Promise<VoxelSpacingEntry> {
    return createVoxelSpacingOf(this.tree, this.name, { voxelSpacing, signal });
  }

  /**
   * Lists the tomograms, by voxel spacing and type.
   *
   * @example
   * ```ts
   * for (const { type, voxelSpacing } of await run.tomograms()) report(`${type} at ${voxelSpacing} Å`);
   * ```
   */
  async tomograms(filter: TomogramFilter = {}): Promise<TomogramEntry[]> {
    return findTomograms(this.tree, this.name, filter);
  }

  /**
   * Opens the tomogram of a type.
   *
   * `voxelSpacing` picks the folder, by its three-decimal label or the nearest within 0.001 Å; it may be left out where the
   * type exists at one spacing only. `level` and `voxelSize` pick the resolution level inside.
   *
   * @throws {@link CryoetPicksError} `not-found`, listing what is there; `invalid-option` where several voxel spacings fit
   *   and none was given; whatever opening an OME-Zarr image throws.
   * @example
   * ```ts
   * const tomogram = await run.tomogram('denoised', { voxelSpacing: 10 });
   * ```
   */
  async tomogram(type: string, options: RunTomogramOptions = {}): Promise<Tomogram> {
    return openTomogramOf(this.tree, this.name, { ...options, type });
  }

  /** Lists the picks files, by object, user and session. Files named as the competition's are opened to tell whose they are. */
  async pickSets(filter: PicksFilter = {}): Promise<PickSet[]> {
    return findPickSets(this.tree, this.name, filter);
  }

  /**
   * Reads all picks that a filter asks for, set by set.
   *
   * @throws {@link CryoetPicksError} `invalid-picks` or `not-found`, if there are sets but none can be read; otherwise sets
   *   that cannot be read are reported and left out.
   * @example
   * ```ts
   * const truth = await run.picks({ userId: 'curation' });
   * ```
   */
  async picks(filter: PicksFilter = {}): Promise<Pick[]> {
    return readAllPicks(this.tree, this.name, filter);
  }

  /**
   * Tells whether a user has picks of a session here, files without a point included: what a resumed detection asks.
   *
   * Reads what is asked for: a file that cannot be understood is reported, and holds no picks.
   */
  async hasPicks(options: HasPicksOptions): Promise<boolean> {
    return hasPicksOf(this.tree, this.name, options);
  }

  /** Makes sure, before any work, that picks can be written. @throws {@link CryoetPicksError} `read-only` if not. */
  async requireWritable({ signal }: WaitOptions = {}): Promise<void> {
    await requireWritable(this.tree.overlay, folderOf('picks', { run: this.name }), { signal });
  }

  /**
   * Writes picks into the overlay, one file per object, and returns the paths of the files.
   *
   * All is checked before anything is written. Each file is replaced as a whole: where writing fails or is aborted midway,
   * every file holds either its old picks or the new ones. Files of objects that are neither in `picks` nor in `objects`
   * stay as they are.
   *
   * @throws {@link CryoetPicksError} `invalid-picks` for an object that the project does not have or a pick that is not
   *   finite; `invalid-option` for a user or session without a usable character; `read-only` if the overlay cannot be written.
   * @example
   * ```ts
   * await run.writePicks(picks, { userId: 'cryoet-picks', sessionId: '0' });
   * ```
   */
  async writePicks(picks: readonly Pick[], options: WritePicksOptions): Promise<string[]> {
    return writePicksOf(this.tree, this.name, { ...options, picks });
  }

  /** Lists the segmentations, by voxel spacing, user, session and name. */
  async segmentations(filter: SegmentationFilter = {}): Promise<SegmentationEntry[]> {
    return findSegmentations(this.tree, this.name, filter);
  }

  /**
   * Writes a volume of labels `[z, y, x]` into the overlay as a segmentation of one level, and returns its path.
   *
   * @throws {@link CryoetPicksError} `invalid-option` for a name without a usable character or with the ending `-multilabel`, a label that the type cannot
   *   hold, or a segmentation of this name that is not to be overwritten; `read-only` if the overlay cannot be written.
   * @example
   * ```ts
   * const labels = sourceFromArray(volume, { voxelSize: tomogram.grid.voxelSize });
   * await run.writeSegmentation(labels, { name: 'particles', userId: 'me', sessionId: '0', multilabel: true });
   * ```
   */
  async writeSegmentation(labels: VolumeSource, options: WriteSegmentationOptions): Promise<string> {
    return writeSegmentationOf(this.tree, this.name, { ...options, labels });
  }

  /** Lists the meshes, by object, user and session; `read()` of one gives the bytes of its GLB file. */
  async meshes(filter: AuthoredFilter = {}): Promise<MeshEntry[]> {
    return findMeshes(this.tree, this.name, filter);
  }

  /**
   * Writes the bytes of a binary glTF file (GLB), its vertices in Å, into the overlay as a mesh, and returns its path.
   *
   * @throws {@link CryoetPicksError} `invalid-option` for bytes that are no whole GLB file, an object that the project does not
   *   have, a user or session without a usable character, or a mesh that is not to be overwritten; `unsupported`; `read-only`.
   */
  async writeMesh(bytes: Uint8Array, options: WriteMeshOptions): Promise<string> {
    return writeMeshOf(this.tree, this.name, { ...options, bytes });
  }

  /** Lists the files of filaments, by object, user and session. */
  async filaments(filter: AuthoredFilter = {}): Promise<FilamentsEntry[]> {
    return findFilaments(this.tree, this.name, filter);
  }

  /**
   * Writes filaments of one object into the overlay, and returns the path of the file. Curves that no longer match the points of
   * their filament are left out, as copick does, and that is reported.
   *
   * @throws {@link CryoetPicksError} `invalid-picks` with the index of a filament that cannot be written; `invalid-option` as
   *   {@link Run.writeMesh}; `read-only`.
   */
  async writeFilaments(filaments: readonly Filament[], options: WriteFilamentsOptions): Promise<string> {
    return writeFilamentsOf(this.tree, this.name, { ...options, filaments });
  }

  /**
   * Deletes the run from the overlay, with all that is in it. What the static tree has of it stays, and is seen again.
   *
   * @throws {@link CryoetPicksError} `read-only` if it lies in the static tree alone, or the overlay cannot be written.
   */
  async delete({ signal }: WaitOptions = {}): Promise<void> {
    return deleteRunOf(this.tree, this.name, { signal });
  }
}
