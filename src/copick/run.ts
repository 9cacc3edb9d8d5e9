import type { Tomogram } from '../ome-zarr/tomogram.ts';
import type { Pick } from '../picks/pick.ts';
import { requireWritable } from '../storage/store.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { folderOf } from './layout.ts';
import { allReadable, findPickSets, type PickSet, type PicksFilter, readAllPicks } from './pick-sets.ts';
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
import type { ProjectTree } from './tree.ts';
import { type WritePicksOptions, writePicksOf } from './write-picks.ts';

/** Options of {@link Run.hasPicks}. */
export interface HasPicksOptions {
  readonly userId: string;
  readonly sessionId: string;
  /** Every one of these must have a file that can be read; if absent, there must be one, and all can be read. */
  readonly objects?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

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
  async hasPicks({ userId, sessionId, objects, signal }: HasPicksOptions): Promise<boolean> {
    const sets = await this.pickSets({ userId, sessionId, object: objects, signal });
    const present = objects?.every((object) => sets.some((set) => set.object === object)) ?? sets.length > 0;
    return present && allReadable(this.tree, sets, signal);
  }

  /** Makes sure, before any work, that picks can be written. @throws {@link CryoetPicksError} `read-only` if not. */
  async requireWritable({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    await requireWritable(this.tree.overlay, folderOf('picks', { run: this.name }), { signal });
  }

  /**
   * Writes picks into the overlay, one file per object, and returns the paths of the files.
   *
   * All is checked before anything is written. Each file is replaced as a whole: where writing fails or is aborted midway,
   * every file holds either its old picks or the new ones. Files of objects that are neither in `picks` nor in `objects`
   * stay as they are. With `expect`, nothing is written if a file has changed since it was read.
   *
   * @throws {@link CryoetPicksError} `conflict`, naming when the file was written then and now; `invalid-picks` for an object that the project does not have or a pick that is not
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
}
