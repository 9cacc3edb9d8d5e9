import type { StoreKey } from '../storage/store.ts';
import { formatSpacing } from './names.ts';

/** What the name of a thing says, by kind. Voxel spacings in Å. */
export interface Names {
  readonly object: { readonly object: string };
  readonly run: { readonly run: string };
  readonly spacing: { readonly voxelSpacing: number };
  readonly tomogram: { readonly type: string };
  readonly features: { readonly type: string; readonly featureType: string };
  readonly picks: AuthoredName & { readonly object: string };
  readonly mesh: AuthoredName & { readonly object: string };
  readonly segmentation: SpacedName & {
    /** True where the voxels hold labels of several objects, false where one object is 1. */
    readonly multilabel: boolean;
  };
  readonly instanceSegmentation: SpacedName;
  readonly panopticSegmentation: SpacedName;
}

/** Who made it, in which session; session `0` means by a tool. */
interface AuthoredName {
  readonly userId: string;
  readonly sessionId: string;
}

/** The same, of a volume of labels. */
interface SpacedName extends AuthoredName {
  readonly voxelSpacing: number;
  readonly name: string;
}

/** What decides the folder that a thing lies in, by kind. */
export interface Places {
  readonly object: object;
  readonly run: object;
  readonly spacing: InRun;
  readonly tomogram: InRun & { readonly voxelSpacing: number };
  readonly features: InRun & { readonly voxelSpacing: number };
  readonly picks: InRun;
  readonly mesh: InRun;
  readonly segmentation: InRun;
  readonly instanceSegmentation: InRun;
  readonly panopticSegmentation: InRun;
}

interface InRun {
  readonly run: string;
}

/** A kind of thing that a copick tree holds. */
export type Kind = keyof Names;

/** One row of the layout. */
interface Rule<K extends Kind> {
  readonly folder: (place: Places[K]) => StoreKey;
  readonly format: (name: Names[K]) => string;
  /** Undefined where copick would not give this name to a thing of the kind. */
  readonly parse: (name: string) => Names[K] | undefined;
}

/**
 * The path grammar of copick, both ways. Names that copick makes hold no underscore, foreign ones may; hence the first
 * underscore ends the user, the second the session, and the rest is the object.
 */
const layout: { readonly [K in Kind]: Rule<K> } = {
  object: {
    folder: () => '/Objects',
    format: ({ object }) => `${object}.zarr`,
    parse: (name) => match(/^(?<object>.+)\.zarr$/, name),
  },
  run: {
    folder: () => '/ExperimentRuns',
    format: ({ run }) => run,
    parse: (name) => match(/^(?<run>.+)$/, name),
  },
  spacing: {
    folder: ({ run }) => `/ExperimentRuns/${run}`,
    format: ({ voxelSpacing }) => `VoxelSpacing${formatSpacing(voxelSpacing)}`,
    parse: (name) => withSpacing(match<'voxelSpacing'>(/^VoxelSpacing(?<voxelSpacing>.+)$/, name)),
  },
  tomogram: {
    folder: spacingFolder,
    format: ({ type }) => `${type}.zarr`,
    // The ending alone makes features: a tomogram may be called `no-features`, although copick 1 hides it.
    parse: (name) => (name.endsWith('_features.zarr') ? undefined : match(/^(?<type>.+)\.zarr$/, name)),
  },
  features: {
    folder: spacingFolder,
    format: ({ type, featureType }) => `${type}_${featureType}_features.zarr`,
    parse: (name) => match(/^(?<type>[^_]+)_(?<featureType>.+)_features\.zarr$/, name),
  },
  picks: {
    folder: ({ run }) => `/ExperimentRuns/${run}/Picks`,
    format: ({ userId, sessionId, object }) => `${userId}_${sessionId}_${object}.json`,
    parse: (name) => match(/^(?<userId>[^_]+)_(?<sessionId>[^_]+)_(?<object>.+)\.json$/, name),
  },
  mesh: {
    folder: ({ run }) => `/ExperimentRuns/${run}/Meshes`,
    format: ({ userId, sessionId, object }) => `${userId}_${sessionId}_${object}.glb`,
    parse: (name) => match(/^(?<userId>[^_]+)_(?<sessionId>[^_]+)_(?<object>.+)\.glb$/, name),
  },
  segmentation: {
    folder: ({ run }) => `/ExperimentRuns/${run}/Segmentations`,
    format: ({ multilabel, ...name }) => formatSpaced(name, multilabel ? '-multilabel.zarr' : '.zarr'),
    // The ending alone makes it multilabel, although copick 1 looks for the word anywhere in the name.
    parse: (name) => {
      const found = parseSpaced(/^(?<name>.+?)(?<labels>-multilabel)?\.zarr$/, name);
      if (found === undefined) return undefined;
      const { labels, ...rest } = found;
      return { ...rest, multilabel: labels !== undefined };
    },
  },
  // Folders of one kind each need no mark in the name.
  instanceSegmentation: {
    folder: ({ run }) => `/ExperimentRuns/${run}/InstanceSegmentations`,
    format: (name) => formatSpaced(name, '.zarr'),
    parse: (name) => parseSpaced(/^(?<name>.+)\.zarr$/, name),
  },
  panopticSegmentation: {
    folder: ({ run }) => `/ExperimentRuns/${run}/PanopticSegmentations`,
    format: (name) => formatSpaced(name, '.zarr'),
    parse: (name) => parseSpaced(/^(?<name>.+)\.zarr$/, name),
  },
};

function spacingFolder({ run, voxelSpacing }: Places['tomogram']): StoreKey {
  return pathOf('spacing', { run, voxelSpacing });
}

function formatSpaced({ voxelSpacing, userId, sessionId, name }: SpacedName, ending: string): string {
  return `${formatSpacing(voxelSpacing)}_${userId}_${sessionId}_${name}${ending}`;
}

/** Spacing, user and session, and what a pattern with the group `name` finds in the rest. */
function parseSpaced(rest: RegExp, text: string) {
  const pattern = `^(?<voxelSpacing>[^_]+)_(?<userId>[^_]+)_(?<sessionId>[^_]+)_${rest.source.slice(1)}`;
  return withSpacing(match<'voxelSpacing' | 'userId' | 'sessionId' | 'name' | 'labels'>(new RegExp(pattern), text));
}

/** Where a thing lies in a copick tree, as copick names it. Sanitises nothing. */
export function pathOf<K extends Kind>(kind: K, identity: Places[K] & Names[K]): StoreKey {
  return `${layout[kind].folder(identity)}/${layout[kind].format(identity)}`;
}

/** The folder that holds the things of a kind. */
export function folderOf<K extends Kind>(kind: K, place: Places[K]): StoreKey {
  return layout[kind].folder(place);
}

/**
 * What the name of a file or folder says about the thing of this kind that it holds; undefined where copick would not
 * name one so. Hidden entries, which start with a dot, are nobody's.
 */
export function parseName<K extends Kind>(kind: K, name: string): Names[K] | undefined {
  return name.startsWith('.') ? undefined : layout[kind].parse(name);
}

/** The named groups of a pattern, or undefined where it does not match. */
function match<Group extends string>(pattern: RegExp, name: string): Record<Group, string> | undefined {
  return pattern.exec(name)?.groups as Record<Group, string> | undefined;
}

/** Turns the text of a voxel spacing into its number; undefined where it is not a decimal number above 0. */
function withSpacing<T extends { readonly voxelSpacing: string }>(
  found: T | undefined,
): (Omit<T, 'voxelSpacing'> & { readonly voxelSpacing: number }) | undefined {
  if (found === undefined || !/^\d+(\.\d*)?$/.test(found.voxelSpacing)) return undefined;
  const voxelSpacing = Number(found.voxelSpacing);
  return voxelSpacing > 0 ? { ...found, voxelSpacing } : undefined;
}
