import { requireOptions } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { showJson } from '../core/json.ts';
import { type OpenTomogramOptions, openRules, type Tomogram } from '../ome-zarr/tomogram.ts';
import { type FeaturesEntry, featuresRules, findFeatures, type TomogramFeaturesFilter } from './features.ts';
import { type FoundImage, imageFolder, listOrReport, openImageOf, withoutEmptyShadows } from './images.ts';
import { folderOf, formatSpacing, type NameFilter, nameFilter, nearestLabel, parseName } from './layout.ts';
import {
  type Deletable,
  type Located,
  listNames,
  locate,
  locationOf,
  markShadowed,
  type ProjectTree,
  type TreeEntry,
} from './tree.ts';
import { findSpacingFolders } from './voxel-spacings.ts';

/** A tomogram of a run, found but not opened. */
export interface TomogramEntry extends Located, Deletable {
  readonly type: string;
  /** The spacing in the folder's name, in Å: a label, usually rounded. `open` reads the true voxel size from the metadata. */
  readonly voxelSpacing: number;
  /** Opens it. If the metadata give no voxel size, the folder's voxel spacing is used, and that is reported. */
  open(options?: OpenTomogramOptions): Promise<Tomogram>;
  /** Lists the features that were computed from it, sorted by type. */
  features(filter?: TomogramFeaturesFilter): Promise<FeaturesEntry[]>;
}

/** Which tomograms of a run to list. */
export interface TomogramFilter {
  readonly type?: NameFilter;
  /** In Å; matches the three-decimal label, otherwise the nearest within 0.001 Å. */
  readonly voxelSpacing?: number | undefined;
  /** Also list what the overlay, or another folder of the same label, hides. @defaultValue false */
  readonly includeShadowed?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The tomograms of a run, sorted by voxel spacing and type. */
export async function findTomograms(
  tree: ProjectTree,
  run: string,
  { type, voxelSpacing, includeShadowed, signal }: TomogramFilter = {},
): Promise<TomogramEntry[]> {
  const found: FoundTomogram[] = [];
  for (const folder of await findSpacingFolders(tree, run, { signal })) {
    const entries = await listOrReport(tree, folder.entry, signal);
    for (const entry of entries) found.push(...toTomogram(tree, entry, folder.voxelSpacing));
  }
  const wanted = voxelSpacing === undefined ? undefined : nearestLabel(found, voxelSpacing);
  const isType = nameFilter(type);
  const chosen = found.filter(
    (one) => isType(one.type) && (voxelSpacing === undefined || formatSpacing(one.voxelSpacing) === wanted),
  );
  const filled = await withoutEmptyShadows(tree, chosen, { identity: identityOf, what: 'tomogram', signal });
  return markShadowed(filled, { identity: identityOf, includeShadowed }).map(
    ({ type, voxelSpacing, shadowed, entry }) => ({
      type,
      voxelSpacing,
      shadowed,
      ...locationOf(tree, entry),
      open: async (options = {}) =>
        openImageOf(tree, entry, { ...requireOptions('entry.open', options, openRules), voxelSpacing }),
      features: async (filter = {}) => {
        requireOptions('tomogram.features', filter, featuresRules);
        return findFeatures(tree, run, { ...filter, type, voxelSpacing });
      },
    }),
  );
}

/** Which tomogram of a run to open, and how. */
export interface RunTomogramOptions extends OpenTomogramOptions {
  /** The voxel spacing, in Å; may be omitted if the type exists at one voxel spacing only. */
  readonly voxelSpacing?: number | undefined;
}

/** Opens the tomogram of a type; see `Run.tomogram`. */
export async function openTomogramOf(
  tree: ProjectTree,
  run: string,
  { type, voxelSpacing, ...options }: RunTomogramOptions & { readonly type: string },
): Promise<Tomogram> {
  const { signal } = options;
  if (typeof type !== 'string' || type === '') {
    const { where, available } = await describeMissing(tree, run, { voxelSpacing, signal });
    const message = `expected the tomogram's type, found ${showJson(type)}; ${where}; available: ${listNames(available)}`;
    throw new CryoetPicksError('invalid-option', message, { option: 'type', available });
  }
  const all = await findTomograms(tree, run, { type, voxelSpacing, signal });
  // The name as given precedes the name that copick makes of it.
  const exact = all.filter((one) => one.type === type);
  const [found, ...others] = exact.length > 0 ? exact : all;
  if (found !== undefined && others.length === 0) return found.open(options);
  const name = `tomogram "${type}"`;
  if (found !== undefined) {
    const spacings = [found, ...others].map((one) => formatSpacing(one.voxelSpacing)).join(', ');
    throw new CryoetPicksError(
      'invalid-option',
      `${name} of run "${run}" exists at the voxel spacings ${spacings} Å; choose one with the option voxelSpacing`,
      { option: 'voxelSpacing' },
    );
  }
  const { where, available } = await describeMissing(tree, run, { voxelSpacing, signal });
  // Where no tomogram is found at all, the folder may have been moved, or its disk be away.
  const folder = available.length > 0 ? undefined : locate(tree.static ?? tree.overlay, folderOf('spacing', { run }));
  const inFolder = folder === undefined ? '' : `, in ${folder}`;
  const apart = /@[\d.]+$/.test(type) ? '; give the voxel spacing by the option voxelSpacing' : '';
  const message = `${name} not found ${where}${inFolder}; available: ${listNames(available)}${apart}`;
  throw new CryoetPicksError('not-found', message, { available, path: folder });
}

/** Where a tomogram is missing, and what is there. */
async function describeMissing(
  tree: ProjectTree,
  run: string,
  { voxelSpacing, signal }: TomogramFilter,
): Promise<{ readonly where: string; readonly available: readonly string[] }> {
  const place = `in run "${run}"`;
  const all = await findTomograms(tree, run, { signal });
  const here = await findTomograms(tree, run, { voxelSpacing, signal });
  if (voxelSpacing !== undefined && here.length > 0) {
    const where = `${place} at voxel spacing ${formatSpacing(here[0]!.voxelSpacing)} Å`;
    return { where, available: here.map(({ type }) => type) };
  }
  const at = voxelSpacing === undefined ? '' : ` at voxel spacing ${formatSpacing(voxelSpacing)} Å`;
  return {
    where: `${place}${at}`,
    available: all.map((one) => `${one.type}@${formatSpacing(one.voxelSpacing)}`),
  };
}

interface FoundTomogram extends FoundImage {
  readonly type: string;
  readonly voxelSpacing: number;
}

function identityOf({ type, voxelSpacing }: FoundTomogram): string {
  return `${formatSpacing(voxelSpacing)}/${type}`;
}

function toTomogram(tree: ProjectTree, entry: TreeEntry, voxelSpacing: number): FoundTomogram[] {
  const { name, path } = entry;
  if (!name.endsWith('.zarr') || parseName('features', name) !== undefined) return [];
  const parsed = parseName('tomogram', name);
  if (parsed !== undefined) return imageFolder(tree, entry, 'tomogram').map(() => ({ ...parsed, voxelSpacing, entry }));
  tree.log.report({ path, message: `"${name}" names neither a tomogram nor its features` });
  return [];
}
