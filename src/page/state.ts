import type { Provenance } from '../entry/copick.ts';
import type { Candidates, Learned, ParticlePick, PickingOptions, Point, VoxelGrid } from '../entry/index.ts';
import type { Segmented } from './colors.ts';
import type { Window } from './grey-volume.ts';
import type { Camera, Panels } from './planes.ts';

/** An object of the project, as the page shows it. */
export interface ShownObject {
  readonly name: string;
  /** CSS colour: `rgb(230 159 0)`. */
  readonly color: string;
  /** Its value in segmentations. */
  readonly label?: number | undefined;
  /** In Å. */
  readonly radius: number;
  /** True if the project gives no radius, so that this one is assumed. */
  readonly isRadiusAssumed?: boolean | undefined;
  /** True for one that the project does not have, but some of its picks. */
  readonly isUnknown?: boolean | undefined;
}

/** The radius of an object for which neither the project nor the competition gives one, in Å. */
export const DEFAULT_RADIUS = 80;

/** An object that the project does not know. */
export function unknownObject(name: string): ShownObject {
  return { name, color: 'rgb(138 147 163)', radius: DEFAULT_RADIUS, isUnknown: true };
}

/** What a network has learned from the picks of a person. */
export interface Lesson {
  /** Of the ONNX file; undefined where the browser cannot tell. */
  readonly sha256: string | undefined;
  readonly objects: readonly LessonObject[];
  /** The model that was taught: an ONNX file and its card. */
  readonly files: readonly { readonly name: string; readonly content: Uint8Array }[];
}

/** What was learned of an object. */
export interface LessonObject
  extends Pick<Learned, 'object' | 'picks' | 'rejects' | 'rejectsDropped' | 'particles' | 'curve'> {
  /** Ids of the candidates that it is least sure of, the most doubtful first. */
  readonly unsure: readonly string[];
}

/** A pick that was loaded, with a name that stays the same however often it is loaded. */
export interface LoadedPick extends ParticlePick {
  readonly id: string;
  /** True for a pick of the set that was not made of its candidates; it stays at every threshold. */
  readonly isFixed?: boolean | undefined;
}

/** How the picks of a set were made of candidates, beside thresholds and distances. */
export interface Picking extends Pick<PickingOptions, 'max' | 'acrossObjects'> {
  /** Whose the candidates are; absent for those that were just found and are kept nowhere yet. */
  readonly candidatesOf?: { readonly userId: string; readonly sessionId: string } | undefined;
  /** What made the candidates. */
  readonly madeBy: Provenance;
}

/** What a person did to a pick, or a pick that a person added. */
export interface Edit {
  /** Absent: not decided yet. */
  readonly decision?: 'accepted' | 'rejected' | 'deleted' | undefined;
  /** Another object, or another place, than it was loaded with; an added pick has both. */
  readonly object?: string | undefined;
  readonly position?: Point | undefined;
  /** True for a pick that was not loaded. */
  readonly isAdded?: boolean | undefined;
}

/** Edits by the id of their pick. */
export type Edits = ReadonlyMap<string, Edit>;

/** Edits to make; `undefined` takes one back. */
export type EditChanges = ReadonlyMap<string, Edit | undefined>;

/** The label of what the network has just found, in the list of pick sets. */
export const UNSAVED = 'found, not saved';

/** What the page shows, apart from voxels: plain values only. */
export interface State {
  readonly title: string;
  readonly objects: readonly ShownObject[];
  readonly runs: readonly string[];
  readonly run?: string | undefined;
  /** Labels such as `denoised@10.012`. */
  readonly tomograms: readonly string[];
  readonly tomogram?: string | undefined;
  /** The grid of the finest level. */
  readonly grid?: VoxelGrid | undefined;
  /** True for a file that does not say its voxel size: lengths are in voxels, and what needs Å waits. */
  readonly isUnscaled: boolean;
  /** The voxel size in Å that a person gave for such files. */
  readonly voxelSize?: number | undefined;
  /** Counts bricks that arrived, so that slices are drawn again. */
  readonly bricks: number;
  /** Labels of the pick sets of the run: `user/session`. */
  readonly sets: readonly string[];
  readonly set?: string | undefined;
  /** True once the picks of the run have been read, or that it has none; before that, none are added, saved or exported. */
  readonly arePicksRead: boolean;
  /** Runs in which something was found that is not saved. */
  readonly unsaved: ReadonlySet<string>;
  readonly truthSet?: string | undefined;
  readonly otherSet?: string | undefined;
  readonly segmentations: readonly string[];
  readonly segmentation?: string | undefined;
  /** What the segmentation is of. */
  readonly segmented?: Segmented | undefined;

  readonly position: Point;
  readonly camera: Camera;
  readonly panels: Panels;
  readonly window: Window;
  readonly mean: number;
  readonly isInverted: boolean;
  readonly hasRings: boolean;
  readonly isGallery: boolean;
  readonly isHelp: boolean;
  readonly mode: 'look' | 'edit';

  /** The picks of the chosen set, or its candidates. */
  readonly loaded: readonly LoadedPick[];
  /** What the picks are made of, if it was kept: thresholds move without the network then. */
  readonly candidates?: Candidates | undefined;
  readonly picking?: Picking | undefined;
  readonly truth: readonly ParticlePick[];
  readonly others: readonly ParticlePick[];
  /** Lowest score that is kept, by object; everything where absent. */
  readonly thresholds: Readonly<Record<string, number>>;
  /** The thresholds at which the picks are those of the set. */
  readonly usualThresholds: Readonly<Record<string, number>>;
  /** Those with which the set was opened, moved in other runs or not: what differs was moved here, and is not saved. */
  readonly openedThresholds: Readonly<Record<string, number>>;
  /** In Å, by object; two kept picks are not closer. */
  readonly minDistances: Readonly<Record<string, number>>;
  /** The objects that the network of the package finds by itself; undefined until its card has been read. */
  readonly networkObjects?: readonly string[] | undefined;
  /** What was taught last in this run. */
  readonly lesson?: Lesson | undefined;
  readonly hidden: ReadonlySet<string>;
  /** The object whose picks are listed, and that a click adds. */
  readonly object?: string | undefined;
  /** Id of the selected pick. */
  readonly selected?: string | undefined;
  /** Id of the candidate that was gone to since what was learned is least sure of it. */
  readonly doubtful?: string | undefined;

  readonly edits: Edits;
  readonly undo: readonly EditChanges[];
  readonly redo: readonly EditChanges[];
  /** The edits that the files of the set hold already. */
  readonly savedEdits: Edits;
  /** The edge of the voxels along x in Å with which these picks lie where they do, of a volume whose voxel size a person may give. */
  readonly picksVoxelSize?: number | undefined;

  /** Who looks at the picks; the name that they are saved under may be another. */
  readonly person: string;
  /** Whose picks are saved, and in which session. */
  readonly userId: string;
  readonly sessionId: string;
  readonly canWrite: boolean;
  /** Long work. */
  readonly work?:
    | {
        readonly what: string;
        readonly done: number;
        readonly total: number;
        readonly since: number;
        /** Where it is done, and why there. */
        readonly where?: string | undefined;
      }
    | undefined;
  readonly message?: { readonly text: string; readonly isError: boolean } | undefined;
}

/** What can happen. `change` sets what has no history; edits can be undone. */
export type Action =
  | { readonly type: 'change'; readonly changes: Partial<State> }
  | { readonly type: 'edit'; readonly changes: EditChanges }
  | { readonly type: 'undo' }
  | { readonly type: 'redo' };

const noEdits: Edits = new Map();
const noThresholds: State['thresholds'] = {};

/** No picks under review. */
export const noReview: Pick<
  State,
  | 'set'
  | 'loaded'
  | 'candidates'
  | 'picking'
  | 'thresholds'
  | 'usualThresholds'
  | 'openedThresholds'
  | 'minDistances'
  | 'edits'
  | 'undo'
  | 'redo'
  | 'savedEdits'
  | 'picksVoxelSize'
  | 'selected'
> = {
  set: undefined,
  loaded: [],
  candidates: undefined,
  picking: undefined,
  thresholds: noThresholds,
  usualThresholds: {},
  openedThresholds: noThresholds,
  minDistances: {},
  edits: noEdits,
  undo: [],
  redo: [],
  savedEdits: noEdits,
  picksVoxelSize: undefined,
  selected: undefined,
};

/** A run of which nothing has been read yet. */
export const noRun: typeof noReview &
  Pick<
    State,
    | 'tomograms'
    | 'tomogram'
    | 'grid'
    | 'isUnscaled'
    | 'sets'
    | 'arePicksRead'
    | 'truthSet'
    | 'otherSet'
    | 'segmentations'
    | 'segmentation'
    | 'segmented'
    | 'truth'
    | 'others'
    | 'lesson'
    | 'message'
  > = {
  ...noReview,
  tomograms: [],
  tomogram: undefined,
  grid: undefined,
  isUnscaled: false,
  sets: [],
  arePicksRead: false,
  truthSet: undefined,
  otherSet: undefined,
  segmentations: [],
  segmentation: undefined,
  segmented: undefined,
  truth: [],
  others: [],
  lesson: undefined,
  message: undefined,
};

/** The state before anything is open. */
export const emptyState: State = {
  ...noRun,
  work: undefined,
  title: '',
  objects: [],
  runs: [],
  run: undefined,
  bricks: 0,
  unsaved: new Set(),
  position: { x: 0, y: 0, z: 0 },
  camera: { center: { x: 0, y: 0, z: 0 }, zoom: 0 },
  panels: { width: 0, height: 0, depth: 0 },
  window: { black: 0, white: 1 },
  mean: 1,
  isInverted: false,
  hasRings: true,
  isGallery: false,
  isHelp: false,
  mode: 'look',
  networkObjects: undefined,
  hidden: new Set(),
  object: undefined,
  person: 'me',
  userId: 'me',
  sessionId: '1',
  canWrite: false,
};

/** What to do about a file that does not say its voxel size. */
export const NO_VOXEL_SIZE =
  'This file does not say its voxel size, so lengths are in voxels: give it under "Voxel size", beside the slices, to add, detect and export picks.';

/** What to tell who adds, saves or exports picks before those of a run have been read. */
export const NOT_READ = 'The picks of this run have not been read yet: nothing can be added, saved or exported before.';

/** The unit of lengths. */
export function lengthUnit({ isUnscaled }: Pick<State, 'isUnscaled'>): 'Å' | 'voxels' {
  return isUnscaled ? 'voxels' : 'Å';
}

/** The thresholds that a person has moved. */
export function movedThresholds({
  thresholds,
  usualThresholds,
}: Pick<State, 'thresholds' | 'usualThresholds'>): State['thresholds'] {
  return Object.fromEntries(
    Object.entries(thresholds).filter(([name, value]) => ownOf(usualThresholds, name) !== value),
  );
}

/** What has to be done to some edits to get others. */
export function editsSince(before: Edits, now: Edits): EditChanges {
  const ids = new Set([...before.keys(), ...now.keys()]);
  const changed = [...ids].filter((id) => before.get(id) !== now.get(id));
  return new Map(changed.map((id) => [id, now.get(id)]));
}

/** True if the files of the set do not hold all that a person has decided: some of it would be lost with the page. */
export function hasUnsavedEdits({ edits, savedEdits }: Pick<State, 'edits' | 'savedEdits'>): boolean {
  return editsSince(savedEdits, edits).size > 0;
}

/** True if the files of the set hold neither all that a person has decided nor the thresholds that were moved. */
export function isUnsaved(state: Pick<State, 'edits' | 'savedEdits' | 'thresholds' | 'openedThresholds'>): boolean {
  const { thresholds, openedThresholds } = state;
  const isMoved = Object.entries(thresholds).some(([name, value]) => ownOf(openedThresholds, name) !== value);
  return isMoved || hasUnsavedEdits(state);
}

/** The state after an action. Undo is a stack of inverse edits. */
export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case 'change':
      return { ...state, ...action.changes };
    case 'edit': {
      const { edits, inverse } = edited(state.edits, action.changes);
      return { ...state, edits, undo: [...state.undo, inverse], redo: [] };
    }
    case 'undo': {
      const changes = state.undo.at(-1);
      if (changes === undefined) return state;
      const { edits, inverse } = edited(state.edits, changes);
      return { ...state, edits, undo: state.undo.slice(0, -1), redo: [...state.redo, inverse] };
    }
    case 'redo': {
      const changes = state.redo.at(-1);
      if (changes === undefined) return state;
      const { edits, inverse } = edited(state.edits, changes);
      return { ...state, edits, undo: [...state.undo, inverse], redo: state.redo.slice(0, -1) };
    }
  }
}

/** Edits after some more, and what takes these back. */
export function edited(before: Edits, changes: EditChanges): { readonly edits: Edits; readonly inverse: EditChanges } {
  const edits = new Map(before);
  const inverse = new Map<string, Edit | undefined>();
  for (const [id, edit] of changes) {
    inverse.set(id, before.get(id));
    if (edit === undefined) edits.delete(id);
    else edits.set(id, edit);
  }
  return { edits, inverse };
}

/** Names picks by what they are, so that a later load finds the edits of an earlier one. */
export function named(picks: readonly ParticlePick[]): LoadedPick[] {
  const seen = new Map<string, number>();
  return picks.map((pick) => {
    const { x, y, z } = pick.position;
    const place = `${pick.object}@${x},${y},${z}`;
    const before = seen.get(place) ?? 0;
    seen.set(place, before + 1);
    return { ...pick, id: before === 0 ? place : `${place}#${before}` };
  });
}

/** The value of a name; undefined if the name has no value, also for the names that every object of JavaScript has. */
export function ownOf<T>(values: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return values !== undefined && Object.hasOwn(values, name) ? values[name] : undefined;
}
