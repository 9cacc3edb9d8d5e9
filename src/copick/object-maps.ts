import { requireOptions } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type OpenTomogramOptions, openRules, type Tomogram } from '../ome-zarr/tomogram.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { type FoundImage, imageFolder, openImageOf, withoutEmpty, withoutHalfWritten } from './images.ts';
import { folderOf, type NameFilter, nameFilter, parseName, pathToWrite, spacingOf } from './layout.ts';
import type { PickableObject } from './object.ts';
import {
  type Deletable,
  type Located,
  listBoth,
  locationOf,
  markShadowed,
  needNamed,
  type ProjectTree,
  type TreeEntry,
} from './tree.ts';
import { type WriteVolumeOptions, writeVolumes } from './write-volumes.ts';

/** The density map of an object, found but not opened. */
export interface ObjectMapEntry extends Located, Deletable {
  readonly object: string;
  /** Opens it. A map's path states no voxel size: if the metadata do not either, give `fallbackVoxelSize`. */
  open(options?: OpenTomogramOptions): Promise<Tomogram>;
}

/** Which density maps to list. */
export interface ObjectMapFilter {
  readonly object?: NameFilter;
  /** Also list what the overlay hides. @defaultValue false */
  readonly includeShadowed?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The density maps of a project's particles, sorted by the object's name. */
export async function findObjectMaps(
  tree: ProjectTree,
  { object, includeShadowed, signal }: ObjectMapFilter = {},
): Promise<ObjectMapEntry[]> {
  const entries = await listBoth(tree, folderOf('object', {}), { signal });
  const isObject = nameFilter(object);
  const known = new Map(tree.objects.map((one) => [one.name, one]));
  const found = entries.flatMap((entry) => toMap(tree, entry, known)).filter((one) => isObject(one.object));
  // Copick 1 makes an empty folder for every map that it is asked for, so an empty folder is not a map.
  const whole = await withoutHalfWritten(tree, found, { what: 'density map', signal });
  const filled = await withoutEmpty(tree, whole, signal);
  return markShadowed(filled, { identity: nameOf, includeShadowed }).map(({ entry, ...one }) => ({
    ...one,
    ...locationOf(tree, entry),
    open: async (options = {}) => openImageOf(tree, entry, requireOptions('entry.open', options, openRules)),
  }));
}

/** Options of `Project.writeObjectMap`. */
export interface WriteObjectMapOptions extends WriteVolumeOptions {
  /** Name of a particle of the project. */
  readonly object: string;
}

/** Writes the density map of an object into the overlay; see `Project.writeObjectMap`. */
export async function writeObjectMapOf(
  tree: ProjectTree,
  { map, object, ...options }: WriteObjectMapOptions & { readonly map: VolumeSource },
): Promise<string> {
  options.signal?.throwIfAborted();
  const found = needNamed(tree.objects, object, { what: 'object' });
  if (!found.isParticle) {
    throw new CryoetPicksError(
      'invalid-option',
      `object "${object}" is not a particle, and only particles have a density map in copick`,
    );
  }
  spacingOf(map.grid);
  return writeVolumes(tree, pathToWrite('object', { object }), map, { levels: 1, ...options });
}

interface FoundMap extends FoundImage {
  readonly object: string;
}

function nameOf({ object }: FoundMap): string {
  return object;
}

function toMap(tree: ProjectTree, entry: TreeEntry, objects: ReadonlyMap<string, PickableObject>): FoundMap[] {
  const parsed = parseName('object', entry.name);
  if (parsed === undefined) return [];
  const known = objects.get(parsed.object);
  if (known?.isParticle) return imageFolder(tree, entry, 'density map').map(() => ({ ...parsed, entry }));
  const reason = known === undefined ? 'an object that the project does not have' : 'an object that is not a particle';
  tree.log.report({ path: entry.path, message: `density map "${entry.name}" belongs to ${reason}` });
  return [];
}
