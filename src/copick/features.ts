import { abortSignal, flag, optional, type RulesFor, requireOptions } from '../core/arguments.ts';
import { type Channel, type OpenTomogramOptions, openRules } from '../ome-zarr/tomogram.ts';
import { type FoundImage, imageFolder, listOrReport, openChannelsOf, withoutEmptyShadows } from './images.ts';
import { formatSpacing, type NameFilter, type Names, nameFilter, nearestLabel, parseName } from './layout.ts';
import { type Deletable, type Located, locationOf, markShadowed, type ProjectTree, type TreeEntry } from './tree.ts';
import { findSpacingFolders, type SpacingFolder } from './voxel-spacings.ts';

/** Features of a tomogram, one or several per voxel, found but not opened. */
export interface FeaturesEntry extends Located, Deletable {
  /** Type of the tomogram that they were computed from. */
  readonly type: string;
  readonly featureType: string;
  /** The spacing in the folder's name, in Å. */
  readonly voxelSpacing: number;
  /** Opens one volume per feature: one for a 3-D image, one per index of the first axis for a 4-D image. */
  open(options?: OpenTomogramOptions): Promise<Channel[]>;
}

/** Which features of a tomogram to list. */
export interface TomogramFeaturesFilter {
  readonly featureType?: NameFilter;
  /** Also list what the overlay, or another folder of the same label, hides. @defaultValue false */
  readonly includeShadowed?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Which features of a run to list. */
export interface FeaturesFilter extends TomogramFeaturesFilter {
  /** Type of the tomogram. */
  readonly type?: NameFilter;
  /** In Å; matches the three-decimal label, otherwise the nearest within 0.001 Å. */
  readonly voxelSpacing?: number | undefined;
}

/** What the filter of the features of a tomogram must be. */
export const featuresRules: RulesFor<TomogramFeaturesFilter> = {
  featureType: {
    expected: 'a name, or a list of names',
    isValid: (value) =>
      value === undefined ||
      typeof value === 'string' ||
      (Array.isArray(value) && value.every((one) => typeof one === 'string')),
  },
  includeShadowed: /* @__PURE__ */ optional(flag),
  signal: /* @__PURE__ */ optional(abortSignal),
};

/** The features of a run, sorted by voxel spacing, tomogram and type. */
export async function findFeatures(
  tree: ProjectTree,
  run: string,
  { type, featureType, voxelSpacing, includeShadowed, signal }: FeaturesFilter = {},
): Promise<FeaturesEntry[]> {
  const folders = await findSpacingFolders(tree, run, { signal });
  const wanted = voxelSpacing === undefined ? undefined : nearestLabel(folders, voxelSpacing);
  const isWanted = (one: SpacingFolder) => voxelSpacing === undefined || formatSpacing(one.voxelSpacing) === wanted;
  const found = await findAll(tree, folders.filter(isWanted), signal);
  const [isType, isFeature] = [nameFilter(type), nameFilter(featureType)];
  const chosen = found.filter((one) => isType(one.type) && isFeature(one.featureType));
  const filled = await withoutEmptyShadows(tree, chosen, { identity, what: 'features', signal });
  return markShadowed(filled, { identity, includeShadowed }).map(({ entry, ...one }) => ({
    ...one,
    ...locationOf(tree, entry),
    open: async (options = {}) =>
      openChannelsOf(tree, entry, {
        ...requireOptions('entry.open', options, openRules),
        voxelSpacing: one.voxelSpacing,
      }),
  }));
}

interface FoundFeatures extends FoundImage {
  readonly type: string;
  readonly featureType: string;
  readonly voxelSpacing: number;
}

function identity({ type, featureType, voxelSpacing }: FoundFeatures): string {
  return JSON.stringify([formatSpacing(voxelSpacing), type, featureType]);
}

async function findAll(
  tree: ProjectTree,
  folders: readonly SpacingFolder[],
  signal: AbortSignal | undefined,
): Promise<FoundFeatures[]> {
  const listed: SpacingFolder[] = [];
  const types = new Map<string, string[]>();
  for (const { entry: folder, voxelSpacing } of folders) {
    const beside = types.get(formatSpacing(voxelSpacing)) ?? [];
    types.set(formatSpacing(voxelSpacing), beside);
    for (const entry of await listOrReport(tree, folder, signal)) {
      listed.push({ entry, voxelSpacing });
      const tomogram = parseName('tomogram', entry.name);
      if (tomogram !== undefined) beside.push(tomogram.type);
    }
  }
  return listed.flatMap(({ entry, voxelSpacing }) => {
    const parsed = parseName('features', entry.name);
    if (parsed === undefined) return reportOdd(tree, entry);
    const names = splitByTomogram(parsed, types.get(formatSpacing(voxelSpacing))!);
    return imageFolder(tree, entry, 'features').map(() => ({ ...names, voxelSpacing, entry }));
  });
}

function reportOdd({ log }: ProjectTree, { name, path }: TreeEntry): [] {
  const isUnknown = name.endsWith('_features.zarr');
  if (isUnknown) log.report({ path, message: `"${name}" names neither a tomogram nor its features` });
  return [];
}

/**
 * The index where the type of the tomogram ends in the name of its features: the first underscore, because types made by
 * copick have none, unless a tomogram of a longer type, such as `denoised_v2`, lies beside it.
 */
function splitByTomogram({ type, featureType }: Names['features'], types: readonly string[]): Names['features'] {
  const whole = `${type}_${featureType}`;
  const [longest = type] = types
    .filter((one) => whole.startsWith(`${one}_`) && whole.length > one.length + 1)
    .sort((a, b) => b.length - a.length);
  return { type: longest, featureType: whole.slice(longest.length + 1) };
}
