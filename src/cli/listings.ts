import type { Project } from '../copick/project.ts';
import type { Run } from '../copick/run.ts';
import type { SegmentationKind } from '../copick/segmentations.ts';
import { describeFailure } from './failure.ts';

/** What a run holds beside tomograms and picks; all of it is listed, and none of it opened. */
export interface RunListing {
  readonly features: readonly FeaturesInfo[];
  readonly segmentations: readonly SegmentationInfo[];
  readonly meshes: readonly AuthoredInfo[];
  readonly filaments: readonly AuthoredInfo[];
}

/** Features of a tomogram. */
export interface FeaturesInfo {
  /** Type of the tomogram. */
  readonly type: string;
  readonly featureType: string;
  /** In Å, as the folder says. */
  readonly voxelSpacing: number;
  readonly path: string;
}

/** A segmentation. */
export interface SegmentationInfo {
  readonly kind: SegmentationKind;
  readonly name: string;
  readonly userId: string;
  readonly sessionId: string;
  /** In Å, as the file name says. */
  readonly voxelSpacing: number;
  readonly path: string;
}

/** A mesh, or a file of filaments. */
export interface AuthoredInfo {
  readonly object: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly path: string;
}

/** The density map of an object. */
export interface ObjectMapInfo {
  readonly object: string;
  readonly path: string;
}

/** Options of {@link listRun}. */
export interface ListingOptions {
  /** What cannot be listed, by where it lies, and why. */
  readonly broken: Map<string, string>;
  readonly signal: AbortSignal;
}

/** Lists what a run holds beside tomograms and picks; a kind that cannot be listed hides no other. */
export async function listRun(run: Run, { broken, signal }: ListingOptions): Promise<RunListing> {
  const place = (kind: string) => ({ place: `run "${run.name}", ${kind}`, broken, signal });
  const [features, segmentations, meshes, filaments] = await Promise.all([
    listed(run.features({ signal }), place('features')),
    listed(run.segmentations({ signal }), place('segmentations')),
    listed(run.meshes({ signal }), place('meshes')),
    listed(run.filaments({ signal }), place('filaments')),
  ]);
  return {
    features: features.map(({ type, featureType, voxelSpacing, path }) => ({ type, featureType, voxelSpacing, path })),
    segmentations: segmentations.map(({ kind, name, userId, sessionId, voxelSpacing, path }) => {
      return { kind, name, userId, sessionId, voxelSpacing, path };
    }),
    meshes: meshes.map(authored),
    filaments: filaments.map(authored),
  };
}

/** Lists the density maps of a project. */
export async function listObjectMaps(project: Project, options: ListingOptions): Promise<ObjectMapInfo[]> {
  const maps = await listed(project.objectMaps({ signal: options.signal }), { ...options, place: 'density maps' });
  return maps.map(({ object, path }) => ({ object, path }));
}

function authored({ object, userId, sessionId, path }: AuthoredInfo): AuthoredInfo {
  return { object, userId, sessionId, path };
}

async function listed<T>(
  entries: Promise<readonly T[]>,
  { place, broken, signal }: ListingOptions & { readonly place: string },
): Promise<readonly T[]> {
  try {
    return await entries;
  } catch (error) {
    signal.throwIfAborted();
    broken.set(place, describeFailure(error).message);
    return [];
  }
}
