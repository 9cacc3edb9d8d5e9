import { CryoetPicksError } from '../errors.ts';
import { type OpenTomogramOptions, openTomogram, type Tomogram } from '../ome-zarr/tomogram.ts';
import { type WriteProgress, writeTomogram } from '../ome-zarr/write.ts';
import { subStore } from '../storage/store.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { folderOf, type Names, parseName, pathOf } from './layout.ts';
import { formatSpacing, matchesName, type NameFilter, sanitizeName } from './names.ts';
import { type Located, listBoth, locate, markShadowed, type ProjectTree, type TreeEntry } from './tree.ts';

type SegmentationName = Names['segmentation'];

/** A segmentation of a run, found but not opened. */
export interface SegmentationEntry extends SegmentationName, Located {
  /** Opens it as a volume of labels, read as float32. */
  open(options?: OpenTomogramOptions): Promise<Tomogram>;
}

/** Which segmentations of a run; what is left out asks for all. Names match as given or as copick writes them. */
export interface SegmentationFilter {
  readonly name?: NameFilter;
  readonly userId?: NameFilter;
  readonly sessionId?: NameFilter;
  /** In Å; compared by its three-decimal label. */
  readonly voxelSpacing?: number | undefined;
  readonly multilabel?: boolean | undefined;
  /** List too what the overlay hides. @defaultValue false */
  readonly includeShadowed?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The segmentations of a run, by voxel spacing, user, session and name. */
export async function findSegmentations(
  tree: ProjectTree,
  run: string,
  filter: SegmentationFilter = {},
): Promise<SegmentationEntry[]> {
  const { includeShadowed, signal } = filter;
  const entries = await listBoth(tree, folderOf('segmentation', { run }), { signal });
  const found = entries.flatMap((entry) => toSegmentation(tree, entry)).filter((one) => isWanted(one, filter));
  return markShadowed(found, { identity, includeShadowed })
    .sort(
      (a, b) => a.voxelSpacing - b.voxelSpacing || (identity(a) < identity(b) ? -1 : identity(a) > identity(b) ? 1 : 0),
    )
    .map(({ entry, ...one }) => ({
      ...one,
      root: entry.root,
      path: entry.path,
      open: (options = {}) =>
        openTomogram(subStore(entry.store, entry.key), {
          ...options,
          fallbackVoxelSize: options.fallbackVoxelSize ?? one.voxelSpacing,
        }),
    }));
}

/** Options of `Run.writeSegmentation`. */
export interface WriteSegmentationOptions {
  /** Name of the object, or of the set of labels; made fit for file names, as are user and session. */
  readonly name: string;
  readonly userId: string;
  readonly sessionId: string;
  /** Whether the voxels hold the labels of several objects. @defaultValue false */
  readonly multilabel?: boolean | undefined;
  /** Label in the file name, in Å. @defaultValue the volume's voxel size along z */
  readonly voxelSpacing?: number | undefined;
  /** @defaultValue 'uint8', which holds labels up to 255 */
  readonly dtype?: 'uint8' | 'uint16' | undefined;
  /** Replace a segmentation of this name. @defaultValue false */
  readonly overwrite?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: WriteProgress) => void) | undefined;
}

/** Writes a volume of labels into the overlay; see `Run.writeSegmentation`. */
export async function writeSegmentationOf(
  tree: ProjectTree,
  run: string,
  { labels, ...options }: WriteSegmentationOptions & { readonly labels: VolumeSource },
): Promise<string> {
  const { multilabel = false, voxelSpacing = labels.grid.voxelSize[0], dtype = 'uint8' } = options;
  const key = pathOf('segmentation', {
    run,
    voxelSpacing,
    userId: sanitizeName(options.userId),
    sessionId: sanitizeName(options.sessionId),
    name: segmentationName(options.name),
    multilabel,
  });
  const { overwrite, signal, onProgress } = options;
  await writeTomogram(subStore(tree.overlay, key), labels, { dtype, levels: 1, overwrite, signal, onProgress });
  return locate(tree.overlay, key);
}

/** A name as the file has it. The ending that tells labels of several objects cannot belong to the name. */
function segmentationName(name: string): string {
  const fit = sanitizeName(name);
  if (!fit.endsWith('-multilabel')) return fit;
  throw new CryoetPicksError(
    'invalid-option',
    `segmentation name "${name}" cannot end in "-multilabel", copick's mark of labels of several objects; ` +
      `leave it out and set \`multilabel: true\` if they are`,
  );
}

interface FoundSegmentation extends SegmentationName {
  readonly entry: TreeEntry;
}

function toSegmentation({ log }: ProjectTree, entry: TreeEntry): FoundSegmentation[] {
  const { name, path } = entry;
  if (!name.endsWith('.zarr')) return [];
  const parsed = parseName('segmentation', name);
  if (parsed === undefined) log.report({ path, message: `"${name}" names no segmentation` });
  else if (entry.kind === 'file') log.report({ path, message: `segmentation "${name}" is a file, expected a folder` });
  else return [{ ...parsed, entry }];
  return [];
}

function isWanted(one: FoundSegmentation, filter: SegmentationFilter): boolean {
  const { name, userId, sessionId, voxelSpacing, multilabel } = filter;
  return (
    matchesName(name, one.name) &&
    matchesName(userId, one.userId) &&
    matchesName(sessionId, one.sessionId) &&
    (voxelSpacing === undefined || formatSpacing(voxelSpacing) === formatSpacing(one.voxelSpacing)) &&
    (multilabel === undefined || multilabel === one.multilabel)
  );
}

function identity({ voxelSpacing, userId, sessionId, name, multilabel }: SegmentationName): string {
  return JSON.stringify([formatSpacing(voxelSpacing), userId, sessionId, name, multilabel]);
}
