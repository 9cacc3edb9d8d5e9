import { CryoetPicksError } from '../core/errors.ts';
import { showJson } from '../core/json.ts';
import { formatZyx, sizesAgree, type VoxelGrid } from '../space/grid.ts';
import type { StoreKey } from '../storage/store.ts';

/** What the name of an entity says, by kind. Voxel spacings in Å. */
export interface Names {
  readonly object: { readonly object: string };
  readonly run: { readonly run: string };
  readonly spacing: { readonly voxelSpacing: number };
  readonly tomogram: { readonly type: string };
  readonly features: { readonly type: string; readonly featureType: string };
  readonly picks: AuthoredName & { readonly object: string };
  readonly mesh: AuthoredName & { readonly object: string };
  readonly filaments: AuthoredName & { readonly object: string };
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

/** The name of a volume of labels: additionally the voxel spacing. */
interface SpacedName extends AuthoredName {
  readonly voxelSpacing: number;
  readonly name: string;
}

/** What determines the folder of an entity, by kind. */
export interface PathParts {
  readonly object: object;
  readonly run: object;
  readonly spacing: InRun;
  readonly tomogram: InRun & { readonly voxelSpacing: number };
  readonly features: InRun & { readonly voxelSpacing: number };
  readonly picks: InRun;
  readonly mesh: InRun;
  readonly filaments: InRun;
  readonly segmentation: InRun;
  readonly instanceSegmentation: InRun;
  readonly panopticSegmentation: InRun;
}

interface InRun {
  readonly run: string;
}

/** The kinds of entities in a copick tree. */
export type Kind = keyof Names;

/** One row of the layout. */
interface Rule<K extends Kind> {
  readonly folder: (place: PathParts[K]) => StoreKey;
  readonly format: (name: Names[K]) => string;
  /** Returns undefined for a name that copick would not give to an entity of this kind. */
  readonly parse: (name: string) => Names[K] | undefined;
}

/**
 * The path grammar of copick, for writing and for reading. Names made by copick contain no underscore, names made by
 * others may; so the first underscore ends the user, the second ends the session, and the rest is the object.
 */
const layout: { readonly [K in Kind]: Rule<K> } = {
  object: {
    folder: () => '/Objects',
    format: ({ object }) => `${object}.zarr`,
    parse: (name) => match(/^(?<object>.+)\.zarr$/s, name),
  },
  run: {
    folder: () => '/ExperimentRuns',
    format: ({ run }) => run,
    parse: (name) => match(/^(?<run>.+)$/s, name),
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
    parse: (name) => (name.endsWith('_features.zarr') ? undefined : match(/^(?<type>.+)\.zarr$/s, name)),
  },
  features: {
    folder: spacingFolder,
    format: ({ type, featureType }) => `${type}_${featureType}_features.zarr`,
    parse: (name) => match(/^(?<type>[^_]+)_(?<featureType>.+)_features\.zarr$/s, name),
  },
  picks: {
    folder: ({ run }) => `/ExperimentRuns/${run}/Picks`,
    format: ({ userId, sessionId, object }) => `${userId}_${sessionId}_${object}.json`,
    parse: (name) => match(/^(?<userId>[^_]+)_(?<sessionId>[^_]+)_(?<object>.+)\.json$/s, name),
  },
  mesh: {
    folder: ({ run }) => `/ExperimentRuns/${run}/Meshes`,
    format: ({ userId, sessionId, object }) => `${userId}_${sessionId}_${object}.glb`,
    parse: (name) => match(/^(?<userId>[^_]+)_(?<sessionId>[^_]+)_(?<object>.+)\.glb$/s, name),
  },
  filaments: {
    folder: ({ run }) => `/ExperimentRuns/${run}/Filaments`,
    format: ({ userId, sessionId, object }) => `${userId}_${sessionId}_${object}.json`,
    parse: (name) => match(/^(?<userId>[^_]+)_(?<sessionId>[^_]+)_(?<object>.+)\.json$/s, name),
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

function spacingFolder({ run, voxelSpacing }: PathParts['tomogram']): StoreKey {
  return pathOf('spacing', { run, voxelSpacing });
}

function formatSpaced({ voxelSpacing, userId, sessionId, name }: SpacedName, ending: string): string {
  return `${formatSpacing(voxelSpacing)}_${userId}_${sessionId}_${name}${ending}`;
}

/** Spacing, user and session, and what a pattern with the group `name` finds in the rest. */
function parseSpaced(rest: RegExp, text: string) {
  const pattern = `^(?<voxelSpacing>[^_]+)_(?<userId>[^_]+)_(?<sessionId>[^_]+)_${rest.source.slice(1)}`;
  return withSpacing(
    match<'voxelSpacing' | 'userId' | 'sessionId' | 'name' | 'labels'>(new RegExp(pattern, 's'), text),
  );
}

/** The path of an entity in a copick tree, as copick writes it. Names are used as given, without sanitising. */
export function pathOf<K extends Kind>(kind: K, identity: PathParts[K] & Names[K]): StoreKey {
  return `${layout[kind].folder(identity)}/${layout[kind].format(identity)}`;
}

/** Bytes of a file name: file systems take 255, and the record beside a picks file has a name that is 7 bytes longer. */
const MAX_FILE_NAME = 248;

/**
 * The path under which an entity is written: {@link pathOf}, for names that a later listing shows.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a name that it would hide, as it does those that begin with a dot, or
 *   take for another, and for names that are too long.
 */
export function pathToWrite<K extends Kind>(kind: K, identity: PathParts[K] & Names[K]): StoreKey {
  const file = layout[kind].format(identity);
  const bytes = new TextEncoder().encode(file).length;
  if (bytes > MAX_FILE_NAME) {
    throw new CryoetPicksError(
      'invalid-option',
      `${showJson(file)} is not written: it has ${bytes} bytes, expected at most ${MAX_FILE_NAME}; choose shorter names`,
    );
  }
  const listed = Object.entries(parseName(kind, file) ?? {});
  const given: Readonly<Record<string, unknown>> = { ...identity };
  const isSame = listed.every(([part, value]) => typeof value === 'number' || value === given[part]);
  if (listed.length > 0 && isSame) return pathOf(kind, identity);
  const reason = file.startsWith('.') ? 'names that begin with a dot are hidden' : 'it would be taken for another name';
  throw new CryoetPicksError(
    'invalid-option',
    `${showJson(file)} is not written, because a later listing would not show it: ${reason}; choose another name`,
  );
}

/** The folder that holds the entities of a kind. */
export function folderOf<K extends Kind>(kind: K, place: PathParts[K]): StoreKey {
  return layout[kind].folder(place);
}

/**
 * Parses the name of a file or folder. Returns undefined for a name that copick would not give to an entity of this kind,
 * and for hidden entries, which start with a dot.
 */
export function parseName<K extends Kind>(kind: K, name: string): Names[K] | undefined {
  return name.startsWith('.') ? undefined : layout[kind].parse(name);
}

/** The named groups of a pattern, or undefined if it does not match. */
function match<Group extends string>(pattern: RegExp, name: string): Record<Group, string> | undefined {
  return pattern.exec(name)?.groups as Record<Group, string> | undefined;
}

/** Parses the text of a voxel spacing; undefined unless it is a decimal number above 0. */
function withSpacing<T extends { readonly voxelSpacing: string }>(
  found: T | undefined,
): (Omit<T, 'voxelSpacing'> & { readonly voxelSpacing: number }) | undefined {
  if (found === undefined || !/^\d+(\.\d*)?$/.test(found.voxelSpacing)) return undefined;
  const voxelSpacing = Number(found.voxelSpacing);
  return voxelSpacing > 0 ? { ...found, voxelSpacing } : undefined;
}

/**
 * The characters that copick replaces in names: those that file systems reject, control characters, the underscore that
 * separates the parts of a file name, and white space by Python's definition of `\s` (JavaScript's adds U+FEFF and lacks
 * U+0085).
 */
const invalidCharacters =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
  /[<>:"/\\|?*_\u0000-\u0020\u007f\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/g;

/**
 * Makes a name valid in copick's file names: replaces each invalid character, underscore and white space included, by `-`,
 * then trims dashes from both ends. Accents, dots and upper case stay.
 *
 * copick applies it to objects, users, sessions and tomogram types, but never to runs.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if nothing is left.
 * @example
 * ```ts
 * sanitizeName('my_user 1'); // 'my-user-1'
 * ```
 */
export function sanitizeName(name: string): string {
  const sanitized = fitName(name);
  if (sanitized === undefined) {
    throw new CryoetPicksError(
      'invalid-option',
      `name ${showJson(name)} has no character that is valid in copick's file names`,
    );
  }
  return sanitized;
}

/** Like {@link sanitizeName}, but returns undefined if nothing is left or the name is not a string. */
export function fitName(name: string): string | undefined {
  if (typeof name !== 'string') return undefined;
  return name.replace(invalidCharacters, '-').replace(/^-+|-+$/g, '') || undefined;
}

/** The names that a filter accepts, as given or as copick writes them. If absent, it accepts every name. */
export type NameFilter = string | readonly string[] | undefined;

/** Whether a filter accepts a name. */
export function nameFilter(wanted: NameFilter): (name: string) => boolean {
  if (wanted === undefined) return () => true;
  const names = typeof wanted === 'string' ? [wanted] : wanted;
  const accepted = new Set(names.flatMap((one) => [one, fitName(one)]));
  return (name) => accepted.has(name);
}

/** Whose entities a filter accepts. */
interface AuthoredFilter {
  readonly object?: NameFilter;
  readonly userId?: NameFilter;
  readonly sessionId?: NameFilter;
}

/** Whether a filter accepts an entity by its object, user and session. */
export function authoredFilter(
  wanted: AuthoredFilter,
): (one: { readonly object: string; readonly userId: string; readonly sessionId: string }) => boolean {
  const [isObject, isUser, isSession] = [wanted.object, wanted.userId, wanted.sessionId].map(nameFilter);
  return ({ object, userId, sessionId }) => isObject!(object) && isUser!(userId) && isSession!(sessionId);
}

/**
 * The three-decimal label of a voxel spacing, in Å, as Python's `f'{spacing:.3f}'` writes it: `10` gives `10.000`.
 *
 * Differs from `toFixed(3)` for a number exactly halfway between two labels: Python takes the even one, `toFixed` the
 * greater. 1.0625 gives `1.062`.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if the spacing is not a finite number above 0.
 */
export function formatSpacing(spacing: number): string {
  if (!(Number.isFinite(spacing) && spacing > 0)) {
    throw new CryoetPicksError('invalid-option', `voxel spacing ${showJson(spacing)} Å is not a finite length above 0`);
  }
  if (spacing >= 1e21) return `${BigInt(spacing)}.000`;
  const greater = spacing.toFixed(3);
  // Exact ties are the odd multiples of 1/16, which four decimals write exactly; multiplying by 16 rounds nothing.
  if (Math.abs(spacing * 16) % 2 !== 1) return greater;
  const lesser = spacing.toFixed(4).slice(0, -1);
  return Number(lesser.at(-1)) % 2 === 0 ? lesser : greater;
}

/** The label to look for: the wanted one if it exists, otherwise that of the nearest spacing within 0.001 Å. */
export function nearestLabel(found: readonly { readonly voxelSpacing: number }[], wanted: number): string | undefined {
  const label = formatSpacing(wanted);
  const distance = ({ voxelSpacing }: { readonly voxelSpacing: number }) => Math.abs(voxelSpacing - wanted);
  if (found.some(({ voxelSpacing }) => formatSpacing(voxelSpacing) === label)) return label;
  const [nearest] = found.filter((one) => distance(one) <= 1e-3 + 1e-9).sort((a, b) => distance(a) - distance(b));
  return nearest === undefined ? undefined : formatSpacing(nearest.voxelSpacing);
}

/** Maximum relative difference between the edges of a voxel: copick stores one length for all three. */
const MAX_ANISOTROPY = 1e-3;

/**
 * The voxel spacing, in Å, that labels a volume: the requested one, otherwise its voxel size along z.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for voxels whose edges differ by more than 0.1 %, since copick would read
 *   them as cubes, and for a spacing that is more than 1 % off the voxel size.
 */
export function spacingOf({ voxelSize }: VoxelGrid, voxelSpacing: number = voxelSize[0]): number {
  const label = formatSpacing(voxelSpacing);
  for (const length of voxelSize) formatSpacing(length);
  if (Math.max(...voxelSize) > Math.min(...voxelSize) * (1 + MAX_ANISOTROPY)) {
    throw new CryoetPicksError(
      'invalid-option',
      `voxels of ${formatZyx(voxelSize)} Å cannot be stored in a copick project, which treats voxels as cubes; ` +
        'expected edges within 0.1 % of each other: resample the volume first',
    );
  }
  const size = Math.cbrt(voxelSize[0] * voxelSize[1] * voxelSize[2]);
  if (!sizesAgree(voxelSpacing, size)) {
    throw new CryoetPicksError(
      'invalid-option',
      `voxelSpacing ${label} Å does not fit voxels of ${formatZyx(voxelSize)} Å; expected a spacing within 1 % of them`,
    );
  }
  return voxelSpacing;
}
