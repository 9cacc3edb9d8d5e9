import { CryoetPicksError } from '../core/errors.ts';
import { folderOf, formatSpacing, parseName, pathOf } from './layout.ts';
import {
  type Deletable,
  type Located,
  listBoth,
  locationOf,
  markShadowed,
  overlayEntry,
  type ProjectTree,
  type TreeEntry,
  type WaitOptions,
} from './tree.ts';

/** A voxel spacing of a run: the folder that holds its tomograms. Deleting it deletes them. */
export interface VoxelSpacingEntry extends Located, Deletable {
  /** The spacing in the folder's name, in Å: a label, usually rounded. */
  readonly voxelSpacing: number;
}

/** Which voxel spacings of a run to list. */
export interface VoxelSpacingOptions extends WaitOptions {
  /** Also list folders of the static tree whose label the overlay has too. @defaultValue false */
  readonly includeShadowed?: boolean | undefined;
}

/** A folder of a voxel spacing. */
export interface SpacingFolder {
  readonly voxelSpacing: number;
  readonly entry: TreeEntry;
}

/** The folders of voxel spacings in both trees, those of the overlay first; a folder whose name is not a number is reported. */
export async function findSpacingFolders(
  tree: ProjectTree,
  run: string,
  { signal }: WaitOptions,
): Promise<SpacingFolder[]> {
  const entries = await listBoth(tree, folderOf('spacing', { run }), { signal });
  return entries
    .filter(({ name, kind }) => kind === 'folder' && name.startsWith('VoxelSpacing'))
    .flatMap((entry) => {
      const parsed = parseName('spacing', entry.name);
      if (parsed !== undefined) return [{ ...parsed, entry }];
      tree.log.report({ path: entry.path, message: `folder "${entry.name}" does not name a voxel spacing in Å` });
      return [];
    });
}

/** The voxel spacings of a run, the smallest first. */
export async function findVoxelSpacings(
  tree: ProjectTree,
  run: string,
  { includeShadowed, signal }: VoxelSpacingOptions = {},
): Promise<VoxelSpacingEntry[]> {
  const found = await findSpacingFolders(tree, run, { signal });
  const identity = ({ voxelSpacing }: SpacingFolder) => formatSpacing(voxelSpacing);
  return markShadowed(found, { identity, includeShadowed }).map(({ entry, ...one }) => {
    return { ...one, ...locationOf(tree, entry) };
  });
}

/** Makes the folder of a voxel spacing; see `Run.createVoxelSpacing`. */
export async function createVoxelSpacingOf(
  tree: ProjectTree,
  run: string,
  { voxelSpacing, signal }: WaitOptions & { readonly voxelSpacing: number },
): Promise<VoxelSpacingEntry> {
  const label = formatSpacing(voxelSpacing);
  if (Number(label) === 0) {
    throw new CryoetPicksError(
      'invalid-option',
      `voxel spacing ${voxelSpacing} Å rounds to 0 in the three decimals of a folder name`,
    );
  }
  const listed = await findVoxelSpacings(tree, run, { signal });
  const found = listed.find((one) => formatSpacing(one.voxelSpacing) === label);
  if (found !== undefined) return found;
  const key = pathOf('spacing', { run, voxelSpacing });
  await tree.overlay.set(`${key}/.meta`, new TextEncoder().encode('meta'), { signal });
  return { voxelSpacing: Number(label), shadowed: false, ...locationOf(tree, overlayEntry(tree, key, 'folder')) };
}
