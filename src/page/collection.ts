import {
  cziiObjects,
  type PickableObject,
  type PickSet,
  type PicksFile,
  type Project,
  type Provenance,
  type Run,
  type SegmentationEntry,
  type StoredCandidates,
  type TomogramEntry,
} from '../entry/copick.ts';
import { isCryoetPicksError, type ParticlePick, type Store, type VolumeSource } from '../entry/index.ts';
import type { Segmented } from './colors.ts';
import { truthUsers } from './truth-users.ts';
import { CACHE_BYTES, openLevels } from './volume-file.ts';
import { type FilePlace, fingerprintOf, openPlace, type TomogramPlace, type VolumePlace } from './volume-place.ts';

/** What is open: a copick project, or single volumes. */
export interface Collection {
  readonly title: string;
  /** What tells a run that was opened from another of its name, opened under the same title: reviews go on by it in a browser. */
  idOf(run: string): string;
  readonly objects: readonly Pick<PickableObject, 'name' | 'color' | 'radius' | 'label'>[];
  /** The project; absent for single volumes, whose picks can only be downloaded. */
  readonly project?: Project | undefined;
  /** Where reviews that are not saved yet are kept, so that they resume in any browser; else the browser keeps them. */
  readonly drafts?: Store | undefined;
  /** Gives the volumes that do not say their voxel size one, in Å; absent for projects, which say it. */
  giveVoxelSize?(size: number): void;
  runs(signal: AbortSignal): Promise<readonly string[]>;
  open(run: string, signal: AbortSignal): Promise<OpenRun>;
}

/** What a run holds. */
export interface OpenRun {
  readonly tomograms: readonly TomogramChoice[];
  readonly sets: readonly SetChoice[];
  readonly segmentations: readonly SegmentationChoice[];
  /** The run of a project. */
  readonly run?: Run | undefined;
}

/** A volume that can be shown. */
export interface VolumeChoice {
  readonly label: string;
  /** Opens its levels, finest first. */
  open(signal: AbortSignal): Promise<readonly VolumeSource[]>;
}

/** A segmentation that can lie over a tomogram. */
export interface SegmentationChoice extends VolumeChoice {
  readonly segmented: Segmented;
}

/** A tomogram that can be shown, and searched by a worker. */
export interface TomogramChoice extends VolumeChoice {
  readonly place: VolumePlace;
}

/** The picks of a user's session: a file per object. */
export interface SetChoice {
  readonly label: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly files: readonly PickSet[];
}

/** A copick project. */
export function projectCollection(
  project: Project,
  {
    title,
    drafts,
    id = title,
  }: { readonly title: string; readonly drafts?: Store | undefined; readonly id?: string | undefined },
): Collection {
  return {
    title,
    idOf: () => id,
    drafts,
    objects: project.objects.filter(({ isParticle }) => isParticle),
    project,
    runs: async (signal) => (await project.runs({ signal })).map(({ name }) => name),
    async open(name, signal) {
      const run = await project.run(name, { signal });
      const [tomograms, sets, segmentations] = await Promise.all([
        run.tomograms({ signal }),
        run.pickSets({ signal }),
        run.segmentations({ signal }),
      ]);
      return {
        run,
        tomograms: tomograms.map((entry) => tomogramChoice(project, name, entry)),
        sets: setsOf(sets),
        segmentations: segmentations.map(segmentationChoice),
      };
    },
  };
}

function tomogramChoice(project: Project, run: string, entry: TomogramEntry): TomogramChoice {
  const { type, voxelSpacing } = entry;
  const { overlayStore: overlay, staticStore } = project;
  // The original is a function, which cannot be sent to a worker.
  const config = { ...project.config, original: undefined };
  const place: TomogramPlace = { kind: 'tomogram', config, overlay, static: staticStore, run, type, voxelSpacing };
  return {
    label: `${type}@${voxelSpacing.toFixed(3)}`,
    place,
    open: (signal) => openLevels((level) => entry.open({ level, cacheBytes: CACHE_BYTES, signal })),
  };
}

function segmentationChoice(entry: SegmentationEntry): SegmentationChoice {
  const { name, userId, sessionId, kind, voxelSpacing } = entry;
  const channel = kind === 'panoptic' ? ({ channel: 'label' } as const) : {};
  return {
    label: `${name} · ${userId}/${sessionId} · ${kind}@${voxelSpacing.toFixed(3)}`,
    segmented: { kind, name },
    open: async (signal) => [await entry.open({ ...channel, cacheBytes: CACHE_BYTES, signal })],
  };
}

/** Picks files by user and session, in the order of their labels: session 9 comes before session 10. */
export function setsOf(files: readonly PickSet[]): SetChoice[] {
  const sets = new Map<string, PickSet[]>();
  for (const file of files) {
    const label = labelOf(file);
    const own = sets.get(label);
    if (own) own.push(file);
    else sets.set(label, [file]);
  }
  return [...sets]
    .sort(([a], [b]) => byNumbers.compare(a, b) || (a < b ? -1 : 1))
    .map(([label, own]) => ({ label, userId: own[0]!.userId, sessionId: own[0]!.sessionId, files: own }));
}

/** Compares texts with the numbers in them taken as numbers. */
const byNumbers = new Intl.Collator('en', { numeric: true });

/** The label of a user's session. */
export function labelOf({ userId, sessionId }: { readonly userId: string; readonly sessionId: string }): string {
  return `${userId || 'unknown'}/${sessionId || '?'}`;
}

/** A volume without a project. */
export interface SingleVolume {
  readonly name: string;
  readonly place: FilePlace;
  /** Its levels, finest first, if it was opened already. */
  readonly sources?: readonly VolumeSource[] | undefined;
}

/** Volumes without a project: each is a run of its own. */
export function volumeCollection(volumes: readonly SingleVolume[], title: string): Collection {
  const byName = new Map(volumes.map((volume) => [volume.name, volume]));
  let given: number | undefined;
  const ids = new Map<string, string>();
  return {
    title,
    // Wherever a file lies, and whatever it is called by then.
    idOf: (name) => ids.get(name) ?? title,
    // Those of the network of this package, which are the only ones that can be known here.
    objects: cziiObjects(),
    giveVoxelSize(size) {
      given = size;
    },
    runs: async () => [...byName.keys()],
    async open(name, signal) {
      const { place: found, sources } = byName.get(name) ?? {};
      const place = found && { ...found, voxelSize: given ?? found.voxelSize };
      // Opened once, as a TIFF is read whole.
      const isOpen = sources !== undefined && given === undefined;
      let first = place && !ids.has(name) ? (isOpen ? Promise.resolve(sources) : openPlace(place, signal)) : undefined;
      // Why one cannot be opened is told when it is shown.
      const id = await first?.then((sources) => fingerprintOf(sources, signal)).catch(() => undefined);
      signal.throwIfAborted();
      if (id !== undefined) ids.set(name, id);
      const openFirst = (wait: AbortSignal) => {
        const opening = first ?? openPlace(place as FilePlace, wait);
        first = undefined;
        return opening;
      };
      const tomograms = place ? [{ label: name, place, open: openFirst }] : [];
      return { tomograms, sets: [], segmentations: [] };
    },
  };
}

/** A file of a set, as it was read. */
export interface ReadFile {
  readonly path: string;
  readonly file: PicksFile;
  /** What made these picks; absent if nothing was recorded, or the file has changed since. */
  readonly record: Provenance | undefined;
}

/** Picks of a set, and what to tell about files that cannot be read. */
export interface ReadSet {
  readonly picks: readonly ParticlePick[];
  readonly files: readonly ReadFile[];
  readonly errors: readonly unknown[];
}

/** Reads all files of a set; one that cannot be read does not hide the others. */
export async function readSet(set: SetChoice, signal: AbortSignal): Promise<ReadSet> {
  const read = await Promise.allSettled(set.files.map((file) => readFile(file, signal)));
  signal.throwIfAborted();
  const files = read.filter((one) => one.status === 'fulfilled').map(({ value }) => value);
  return {
    picks: files.flatMap(({ file }) => file.picks),
    files,
    errors: read.filter((one) => one.status === 'rejected').map(({ reason }) => reason),
  };
}

async function readFile(set: PickSet, signal: AbortSignal): Promise<ReadFile> {
  const [file, origin] = await Promise.all([set.read({ signal }), set.origin({ signal })]);
  // Between the two, somebody else may have written it.
  return { path: set.path, file, record: origin?.version === file.version ? origin?.provenance : undefined };
}

/** The candidates of a user and session, with what made them; undefined if none are kept. */
export async function readCandidates(
  run: Run | undefined,
  { userId, sessionId }: Pick<SetChoice, 'userId' | 'sessionId'>,
  signal: AbortSignal,
): Promise<StoredCandidates | undefined> {
  if (run === undefined || userId === '' || sessionId === '') return undefined;
  try {
    return await run.readCandidates({ userId, sessionId, signal });
  } catch (error) {
    if (isCryoetPicksError(error, 'not-found')) return undefined;
    throw error;
  }
}

/** The set that is taken for the truth unless somebody chooses another. */
export function truthOf(sets: readonly SetChoice[]): SetChoice | undefined {
  const users = new Set(sets.map(({ userId }) => userId));
  const user = truthUsers.find((one) => users.has(one));
  return sets.find(({ userId }) => userId === user);
}
