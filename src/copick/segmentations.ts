import { anything, describeValue, requireOptions } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type OpenTomogramOptions, openRules, type Tomogram } from '../ome-zarr/tomogram.ts';
import type { Box } from '../space/grid.ts';
import { type NumericData, type ReadOptions, readBox, toFloat32, type Volume } from '../volume/volume.ts';
import { type FoundImage, imageFolder, openChannelsOf, openImageOf, withoutEmptyShadows } from './images.ts';
import { authoredFilter, folderOf, formatSpacing, type NameFilter, parseName } from './layout.ts';
import {
  type Deletable,
  type Located,
  listBoth,
  locationOf,
  markShadowed,
  type ProjectTree,
  type TreeEntry,
} from './tree.ts';

/**
 * What the voxels of a segmentation hold. `binary`: 1 inside one object. `multilabel`: labels of several objects. `instance`:
 * numbers of particles of one object. `panoptic`: labels and particle numbers, in two channels. 0 is always background.
 */
export type SegmentationKind = 'binary' | 'multilabel' | 'instance' | 'panoptic';

/** The two channels of a panoptic segmentation. */
export type PanopticChannel = 'label' | 'instance';

/** Options of {@link SegmentationEntry.open}. */
export interface OpenSegmentationOptions extends OpenTomogramOptions {
  /** The channel to read. Required for a panoptic segmentation, not allowed for other kinds. */
  readonly channel?: PanopticChannel | undefined;
}

/** A segmentation of a run, found but not opened. */
export interface SegmentationEntry extends Located, Deletable {
  readonly kind: SegmentationKind;
  /** Name of the object, or of the set of labels. */
  readonly name: string;
  readonly userId: string;
  readonly sessionId: string;
  /** The spacing in the file name, in Å. */
  readonly voxelSpacing: number;
  /**
   * Opens it as a volume of labels; a panoptic one, as the volume of the requested channel.
   *
   * `read` gives float32, which holds all whole numbers up to 2^24. It throws `unsupported` for a label that float32 would round;
   * `read` with `exact: true` gives every label exactly.
   *
   * @throws {@link CryoetPicksError} `invalid-option` if `channel` is missing or not allowed; everything that opening an OME-Zarr
   *   image throws.
   */
  open(options?: OpenSegmentationOptions): Promise<Tomogram>;
}

/** Selects segmentations of a run; an omitted field matches all. Names match as given or as copick writes them. */
export interface SegmentationFilter {
  readonly name?: NameFilter;
  readonly userId?: NameFilter;
  readonly sessionId?: NameFilter;
  /** In Å; compared by its three-decimal label. */
  readonly voxelSpacing?: number | undefined;
  /** One kind, or several kinds. */
  readonly kind?: SegmentationKind | readonly SegmentationKind[] | undefined;
  /** Also list what the overlay hides. @defaultValue false */
  readonly includeShadowed?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The segmentations of a run, sorted by voxel spacing, user, session, name and kind. */
export async function findSegmentations(
  tree: ProjectTree,
  run: string,
  filter: SegmentationFilter = {},
): Promise<SegmentationEntry[]> {
  const { includeShadowed, signal } = filter;
  const all = await listPlaces(tree, run, filter);
  const chosen = all.filter(wantedBy(filter));
  const found = await withoutEmptyShadows(tree, chosen, { identity, what: 'segmentation', signal });
  return markShadowed(found, { identity, includeShadowed }).map(({ entry, ...one }) => ({
    ...one,
    ...locationOf(tree, entry),
    open: async (options = {}) => openSegmentation(tree, { ...one, entry }, options),
  }));
}

interface FoundSegmentation
  extends FoundImage,
    Pick<SegmentationEntry, 'kind' | 'name' | 'userId' | 'sessionId' | 'voxelSpacing'> {}

/** The folders of segmentations, with the kinds that each holds. */
const PLACES = [
  { place: 'segmentation', kinds: ['binary', 'multilabel'] },
  { place: 'instanceSegmentation', kinds: ['instance'] },
  { place: 'panopticSegmentation', kinds: ['panoptic'] },
] as const;

type SegmentationPlace = (typeof PLACES)[number]['place'];

/** The segmentations in the folders of the wanted kinds; a folder that cannot be listed is reported and skipped. */
async function listPlaces(tree: ProjectTree, run: string, filter: SegmentationFilter): Promise<FoundSegmentation[]> {
  const places = PLACES.filter(({ kinds }) => kinds.some((kind) => isWantedKind(kind, filter)));
  const found: FoundSegmentation[] = [];
  const errors: unknown[] = [];
  for (const { place } of places) {
    try {
      const entries = await listBoth(tree, folderOf(place, { run }), { signal: filter.signal });
      for (const entry of entries) found.push(...toSegmentation(tree, entry, place));
    } catch (error) {
      filter.signal?.throwIfAborted();
      errors.push(error);
    }
  }
  if (errors.length > 0 && errors.length === places.length) throw errors[0];
  return found;
}

function toSegmentation(tree: ProjectTree, entry: TreeEntry, place: SegmentationPlace): FoundSegmentation[] {
  const { name, path } = entry;
  if (!name.endsWith('.zarr')) return [];
  const parsed = parseName(place, name);
  if (parsed === undefined) {
    tree.log.report({ path, message: `"${name}" is not the name of a segmentation` });
    return [];
  }
  const { userId, sessionId, voxelSpacing } = parsed;
  const found = { kind: kindOf(place, parsed), name: parsed.name, userId, sessionId, voxelSpacing, entry };
  return imageFolder(tree, entry, 'segmentation').map(() => found);
}

function kindOf(place: SegmentationPlace, name: object): SegmentationKind {
  if (place === 'segmentation') return 'multilabel' in name && name.multilabel ? 'multilabel' : 'binary';
  return place === 'instanceSegmentation' ? 'instance' : 'panoptic';
}

function wantedBy(filter: SegmentationFilter): (one: FoundSegmentation) => boolean {
  const { name, userId, sessionId, voxelSpacing } = filter;
  const isBy = authoredFilter({ object: name, userId, sessionId });
  return (one) =>
    isBy({ ...one, object: one.name }) &&
    (voxelSpacing === undefined || formatSpacing(voxelSpacing) === formatSpacing(one.voxelSpacing)) &&
    isWantedKind(one.kind, filter);
}

function isWantedKind(one: SegmentationKind, { kind }: SegmentationFilter): boolean {
  return kind === undefined || (typeof kind === 'string' ? kind === one : kind.includes(one));
}

function identity({ voxelSpacing, userId, sessionId, name, kind }: FoundSegmentation): string {
  return JSON.stringify([formatSpacing(voxelSpacing), userId, sessionId, name, kind]);
}

async function openSegmentation(
  tree: ProjectTree,
  { entry, kind, voxelSpacing }: FoundSegmentation,
  given: OpenSegmentationOptions,
): Promise<Tomogram> {
  const { channel, ...options } = requireOptions('segmentation.open', given, { ...openRules, channel: anything });
  const isPanoptic = kind === 'panoptic';
  const isKnown = channel === undefined || channel === 'label' || channel === 'instance';
  if (!isKnown || isPanoptic !== (channel !== undefined)) {
    const found = channel === undefined ? 'none given' : describeValue(channel);
    const expected = isPanoptic ? 'expected channel "label" or "instance"' : 'expected no channel';
    throw new CryoetPicksError(
      'invalid-option',
      `"${entry.path}" is a ${kind} segmentation: ${expected}, found ${found}`,
    );
  }
  if (!isPanoptic) return exactLabels(await openImageOf(tree, entry, { ...options, voxelSpacing }), entry.path);
  const channels = await openChannelsOf(tree, entry, { ...options, voxelSpacing });
  if (channels.length === 2) return exactLabels(channels[channel === 'label' ? 0 : 1]!, entry.path);
  throw new CryoetPicksError(
    'invalid-metadata',
    `panoptic segmentation "${entry.path}" has ${channels.length} channels, expected two: labels and instances`,
  );
}

/**
 * Returns a volume of labels whose `read` never rounds: it throws for a whole number that float32 would round. Labels of types
 * that fit float32 are read as before.
 */
function exactLabels<T extends Tomogram>(labels: T, path: string): T {
  const dtype = labels.levels.find(({ index }) => index === labels.level)?.dtype;
  if (dtype === undefined || !/^(u?int(32|64)|float64)$/.test(dtype)) return labels;
  const read = async (box: Box, options: ReadOptions = {}) => {
    const exact = await readBox(labels, box, { signal: options.signal, exact: true });
    if (options.exact) return exact;
    const rounded = toFloat32(exact);
    requireUnrounded(exact, rounded.data, path);
    return rounded;
  };
  return { ...labels, read: read as Tomogram['read'] };
}

function requireUnrounded(exact: Volume<NumericData>, rounded: Float32Array, path: string): void {
  const [depth, height, width] = exact.shape;
  const [sz, sy, sx] = exact.stride;
  let r = 0;
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      let e = exact.offset + z * sz + y * sy;
      for (let x = 0; x < width; x++, e += sx, r++) {
        if (rounded[r] === exact.data[e] || !Number.isInteger(exact.data[e])) continue;
        throw new CryoetPicksError(
          'unsupported',
          `label ${exact.data[e]} of "${path}" would be rounded to float32, the type that \`read\` gives: read it with \`exact: true\``,
        );
      }
    }
  }
}
