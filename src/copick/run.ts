import type { Tomogram } from '../ome-zarr/tomogram.ts';
import type { Pick } from '../picks/pick.ts';
import { requireWritable } from '../storage/writable.ts';
import type { VolumeSource } from '../volume/volume.ts';
import * as files from './annotation-files.ts';
import { deleteRunOf } from './delete.ts';
import { checkFilter } from './filter-keys.ts';
import { folderOf } from './layout.ts';
import type { ProjectTree, WaitOptions } from './tree.ts';
import * as volumes from './volumes.ts';

/**
 * One tilt series of a project: its tomograms and picks, in the static tree and the overlay alike.
 *
 * Nothing is cached: each call looks at storage. Where both trees hold the same thing, the overlay's counts. What is
 * broken is reported to the project's `problems` and hides nothing else.
 *
 * @example
 * ```ts
 * const tomogram = await run.tomogram('denoised', { voxelSpacing: 10 });
 * const truth = await run.picks({ userId: 'curation' });
 * await run.writePicks(picks, { userId: 'cryoet-picks', sessionId: '0' });
 * const labels = sourceFromArray(volume, { voxelSize: tomogram.grid.voxelSize });
 * await run.writeSegmentation(labels, { name: 'ribosome', kind: 'instance', userId: 'me', sessionId: '0' });
 * ```
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
  async voxelSpacings(options: volumes.VoxelSpacingOptions = {}): Promise<volumes.VoxelSpacingEntry[]> {
    return volumes.findVoxelSpacings(this.tree, this.name, options);
  }

  /**
   * Makes the folder of a voxel spacing, in Å, in the overlay, with the `.meta` file that copick puts there; one of the same
   * three-decimal label that is there, in either tree, is given back.
   *
   * @throws {@link CryoetPicksError} `invalid-option` for a spacing that is no length; `read-only`.
   */
  async createVoxelSpacing(voxelSpacing: number, { signal }: WaitOptions = {}): Promise<volumes.VoxelSpacingEntry> {
    return volumes.createVoxelSpacingOf(this.tree, this.name, { voxelSpacing, signal });
  }

  /** Lists the tomograms, by voxel spacing and type. */
  async tomograms(filter: volumes.TomogramFilter = {}): Promise<volumes.TomogramEntry[]> {
    return volumes.findTomograms(this.tree, this.name, checkFilter('tomograms', filter));
  }

  /**
   * Opens the tomogram of a type. `voxelSpacing` picks the folder, by its three-decimal label or the nearest within 0.001 Å; it
   * may be left out where the type exists at one spacing only. `level` and `voxelSize` pick the resolution level inside.
   *
   * @throws {@link CryoetPicksError} `not-found`, listing what is there; `invalid-option` without a type, or where several voxel
   *   spacings fit and none was given; whatever opening an OME-Zarr image throws.
   */
  async tomogram(type: string, options: volumes.RunTomogramOptions = {}): Promise<Tomogram> {
    return volumes.openTomogramOf(this.tree, this.name, { ...options, type });
  }

  /** Lists the picks files, by object, user and session. Files named as the competition's are opened to tell whose they are. */
  async pickSets(filter: files.PicksFilter = {}): Promise<files.PickSet[]> {
    return files.findPickSets(this.tree, this.name, checkFilter('picks', filter));
  }

  /**
   * Reads all picks that a filter asks for, set by set. Rotations of a file that says not to trust them are left out;
   * `read()` of the set keeps them.
   *
   * @throws {@link CryoetPicksError} `invalid-picks` or `not-found`, if there are sets but none can be read; otherwise sets
   *   that cannot be read are reported and left out.
   */
  async picks(filter: files.PicksFilter = {}): Promise<Pick[]> {
    return files.readAllPicks(this.tree, this.name, checkFilter('picks', filter));
  }

  /**
   * Tells whether a user has picks of a session here, files without a point included: what a resumed detection asks. A file
   * that cannot be understood is reported, and holds no picks.
   */
  async hasPicks(options: files.HasPicksOptions): Promise<boolean> {
    return files.hasPicksOf(this.tree, this.name, options);
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
   * stay as they are. With `expect`, nothing is written if a file has changed. `{ ...file }` keeps what a file holds beside picks.
   *
   * @throws {@link CryoetPicksError} `conflict`, naming when the file was written then and now; `invalid-picks` for an object
   *   that the project does not have or a pick that is not finite; `invalid-option` for a user or session without a usable
   *   character, or two `files` of one object; `read-only` if the overlay cannot be written.
   */
  async writePicks(picks: readonly Pick[], options: files.WritePicksOptions): Promise<string[]> {
    return files.writePicksOf(this.tree, this.name, { ...options, picks });
  }

  /**
   * Writes a tomogram `[z, y, x]` into the overlay, with a pyramid, and returns its path; its features are kept.
   *
   * @throws {@link CryoetPicksError} `invalid-option` for voxels that are no cubes (by more than 0.1 %), a `voxelSpacing` more
   *   than 1 % off them, a type with "features", one that is there and not to be overwritten; `conflict`: others wrote it meanwhile.
   */
  async writeTomogram(source: VolumeSource, options: volumes.WriteRunTomogramOptions): Promise<string> {
    return volumes.writeTomogramOf(this.tree, this.name, { ...options, source });
  }

  /** Lists the features of all tomograms, by voxel spacing, tomogram and type. */
  async features(filter: volumes.FeaturesFilter = {}): Promise<volumes.FeaturesEntry[]> {
    return volumes.findFeatures(this.tree, this.name, checkFilter('features', filter));
  }

  /**
   * Writes features of a tomogram into the overlay and returns their path: one volume as a 3-D image, a list as a 4-D image.
   *
   * @throws {@link CryoetPicksError} As `writeTomogram`; `not-found` where the tomogram is not there.
   */
  async writeFeatures(
    features: VolumeSource | readonly VolumeSource[],
    options: volumes.WriteFeaturesOptions,
  ): Promise<string> {
    return volumes.writeFeaturesOf(this.tree, this.name, { ...options, features });
  }

  /** Lists the segmentations of all four kinds, by voxel spacing, user, session, name and kind. */
  async segmentations(filter: volumes.SegmentationFilter = {}): Promise<volumes.SegmentationEntry[]> {
    return volumes.findSegmentations(this.tree, this.name, checkFilter('segmentations', filter));
  }

  /**
   * Writes a volume of labels `[z, y, x]`, or `{ label, instance }`, into the overlay as a segmentation, and returns its path.
   * The labels are read twice: all are checked, and the type of number is found, before anything is written.
   *
   * @throws {@link CryoetPicksError} `invalid-option` for a name that cannot be a file's, a label that does not fit, a panoptic
   *   one with a label that no object has or an instance on the background, voxels that are no cubes; `conflict`; `read-only`.
   */
  async writeSegmentation(
    labels: volumes.SegmentationVolumes,
    options: volumes.WriteSegmentationOptions,
  ): Promise<string> {
    return volumes.writeSegmentationOf(this.tree, this.name, { ...options, labels });
  }

  /** Lists the meshes, by object, user and session; `read()` of one gives the bytes of its GLB file. */
  async meshes(filter: files.AuthoredFilter = {}): Promise<files.MeshEntry[]> {
    return files.findMeshes(this.tree, this.name, checkFilter('meshes', filter));
  }

  /**
   * Writes the bytes of a binary glTF file (GLB), its vertices in Å, into the overlay as a mesh, and returns its path.
   *
   * @throws {@link CryoetPicksError} `invalid-option` for bytes that are no whole GLB file, a user or session without a usable
   *   character, a mesh that is not to be overwritten; `not-found` for an object that the project does not have; `conflict`
   *   where others have written; `unsupported`; `read-only`.
   */
  async writeMesh(bytes: Uint8Array, options: files.WriteMeshOptions): Promise<string> {
    return files.writeMeshOf(this.tree, this.name, { ...options, bytes });
  }

  /** Lists the files of filaments, by object, user and session. */
  async filaments(filter: files.AuthoredFilter = {}): Promise<files.FilamentsEntry[]> {
    return files.findFilaments(this.tree, this.name, checkFilter('filaments', filter));
  }

  /**
   * Writes filaments of one object into the overlay, and returns the path of the file. Curves that no longer match the points of
   * their filament are left out, as copick does, and that is reported.
   *
   * @throws {@link CryoetPicksError} `invalid-picks` with the index of a filament that cannot be written; as `writeMesh`.
   */
  async writeFilaments(filaments: readonly files.Filament[], options: files.WriteFilamentsOptions): Promise<string> {
    return files.writeFilamentsOf(this.tree, this.name, { ...options, filaments });
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
