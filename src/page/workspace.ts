import { type Candidates, isCryoetPicksError, type Point, type VolumeSource } from '../entry/index.ts';
import {
  type Collection,
  type OpenRun,
  type ReadSet,
  readCandidates,
  readSet,
  type SetChoice,
  type TomogramChoice,
  truthOf,
} from './collection.ts';
import { colorsOf } from './colors.ts';
import { createDetections, type Detection, writeAsNetwork } from './detections.ts';
import { type Draft, type DraftOf, type Drafts, draftsIn } from './drafts.ts';
import { WHITE } from './grey-level.ts';
import { openGreyVolume } from './grey-volume.ts';
import type { Page } from './page.ts';
import { middleOf } from './planes.ts';
import { candidatePicks } from './review.ts';
import { emptyState, named, type State, UNSAVED } from './state.ts';
import { formatPlace, type Place } from './url.ts';

/** Opens what the page shows: a collection, a run of it, a tomogram, a set of picks. */
export interface Workspace {
  readonly collection: Collection | undefined;
  readonly run: OpenRun | undefined;
  /** The tomogram that is open. */
  readonly opened: OpenTomogram | undefined;
  open(collection: Collection, place: Place): Promise<void>;
  openRun(name: string, place?: Place): Promise<void>;
  openTomogram(label: string, place?: Place): Promise<void>;
  openSet(label: string | undefined, place?: Place): Promise<void>;
  openTruth(label: string | undefined): Promise<void>;
  /** Shows what was just found, and keeps it until the page is closed or `saveDetection` has written it. */
  showDetection(detection: Detection): Promise<void>;
  /**
   * Writes what was found in this run as a set of the network, under a session that nobody has used, if it is what shows; gives the
   * label of the set.
   */
  saveDetection(): Promise<string | undefined>;
  openOther(label: string | undefined): Promise<void>;
  openSegmentation(label: string | undefined): Promise<void>;
  /** Lists the sets of the run again, after one was written. */
  relist(): Promise<void>;
  /** The review of a set that was not saved yet, if there is one. */
  draftOf(run: string | undefined, set: string | undefined): Promise<Draft | undefined>;
  /** The versions of the files of a set, by object, as they were read or written last; none for a set that was not. */
  versionsOf(label: string): ReadSet['versions'];
  /** Reads the versions of a set that was just written. */
  learnVersions(label: string): Promise<void>;
  /** Begins long work, which stops the one before; `cancel` aborts it. */
  beginWork(): AbortSignal;
  cancel(): void;
  /** Shows a line at the bottom; errors say what failed. */
  tell(problem: unknown): void;
}

/** A tomogram with its levels, finest first. */
export interface OpenTomogram {
  readonly choice: TomogramChoice;
  readonly sources: readonly VolumeSource[];
}

const nowhere: Place = { thresholds: {}, hidden: [] };
const UNKNOWN_COLOR = 'rgb(138 147 163)';
/** The radius of an object for which the project gives none, in Å. */
const DEFAULT_RADIUS = 80;

/** What happens to a run while it is open; the next run, tomogram or set stops it. */
type Task = 'work' | 'run' | 'tomogram' | 'set' | 'truth' | 'other' | 'segmentation';

/** Makes the workspace of a page. */
export function createWorkspace(page: Page): Workspace {
  const { live } = page;
  const tasks = new Map<Task, AbortController>();
  let collection: Collection | undefined;
  let run: OpenRun | undefined;
  let drafts: Drafts | undefined;
  const versions = new Map<string, ReadSet['versions']>();
  let opened: OpenTomogram | undefined;
  let detections = createDetections();
  /** Thresholds over candidates go along to the next run; those over a file of picks are its own. */
  let carried: State['thresholds'] = {};

  const begin = (task: Task): AbortSignal => {
    tasks.get(task)?.abort();
    const controller = new AbortController();
    tasks.set(task, controller);
    return controller.signal;
  };
  const tell = (problem: unknown) => live.change({ message: messageOf(problem) });
  /** Does a task; a later one of its kind stops it without a word. */
  const during = async (task: Task, work: (signal: AbortSignal) => Promise<void>) => {
    const signal = begin(task);
    try {
      await work(signal);
    } catch (error) {
      if (!signal.aborted) tell(error);
    }
  };
  const setNamed = (label: string | undefined): SetChoice | undefined => run?.sets.find((set) => set.label === label);
  const picksOf = async (label: string | undefined, signal: AbortSignal) => {
    const set = setNamed(label);
    const read = set ? await readSet(set, signal) : { picks: [], versions: {}, errors: [] };
    for (const error of read.errors) tell(error);
    if (label !== undefined) versions.set(label, read.versions);
    return read;
  };

  const candidatesOf = async (label: string | undefined, signal: AbortSignal): Promise<Candidates | undefined> => {
    const set = setNamed(label);
    try {
      return set && (await readCandidates(run?.run, set, signal));
    } catch (error) {
      signal.throwIfAborted();
      // Without them the picks of the files are shown.
      tell(error);
      return undefined;
    }
  };
  const draftOf: Workspace['draftOf'] = async (name, set) => {
    const { userId } = live.state;
    return set === undefined || name === undefined ? undefined : drafts?.read({ run: name, set, userId });
  };

  const workspace: Workspace = {
    get collection() {
      return collection;
    },
    get run() {
      return run;
    },
    get opened() {
      return opened;
    },
    tell,
    draftOf,
    beginWork: () => begin('work'),
    cancel: () => tasks.get('work')?.abort(new Error('Cancelled.')),

    async open(next, place) {
      for (const controller of tasks.values()) controller.abort();
      collection = next;
      detections = createDetections();
      opened = undefined;
      drafts = draftsIn(next.drafts, next.title);
      page.volume = undefined;
      const colors = colorsOf(next.objects);
      const objects = next.objects.map(({ name, radius, label }) => ({
        name,
        label,
        radius: radius ?? DEFAULT_RADIUS,
        color: colors.get(name) as string,
      }));
      const { thresholds, hidden } = place;
      const object = place.object ?? objects[0]?.name;
      const { userId, sessionId, canWrite } = live.state;
      live.change({
        ...emptyState,
        userId,
        sessionId,
        canWrite,
        title: next.title,
        objects,
        thresholds,
        hidden: new Set(hidden),
        object,
      });
      await during('run', async (signal) => {
        const runs = await next.runs(signal);
        live.change({ runs });
        const first = runs.find((name) => name === place.run) ?? runs[0];
        if (first === undefined) return tell('The project has no runs yet.');
        await workspace.openRun(first, place);
        // Opening a run takes earlier messages away.
        if (place.run !== undefined && place.run !== first) tell(`There is no run "${place.run}" here.`);
      });
    },

    async openRun(name, place = nowhere) {
      for (const task of ['tomogram', 'set', 'truth', 'other', 'segmentation'] as const) tasks.get(task)?.abort();
      detections.remember(live.state);
      const before = live.state;
      carried = before.candidates ? before.thresholds : {};
      page.volume = undefined;
      page.overlay = undefined;
      opened = undefined;
      versions.clear();
      live.change({ ...ofRun, run: name });
      await during('run', async (signal) => {
        run = await collection?.open(name, signal);
        signal.throwIfAborted();
        const tomograms = run?.tomograms.map(({ label }) => label) ?? [];
        const sets = run?.sets.map(({ label }) => label) ?? [];
        live.change({ tomograms, sets, segmentations: run?.segmentations.map(({ label }) => label) ?? [] });
        const tomogram = firstOf(tomograms, [
          place.tomogram,
          before.tomogram,
          tomograms.find(isDenoised),
          tomograms[0],
        ]);
        const truth = firstOf(sets, [place.truthSet, before.truthSet, truthOf(run?.sets ?? [])?.label]);
        const others = sets.filter((label) => label !== truth && !/-rejected\//.test(label));
        const found = live.state.unsaved.has(name) ? UNSAVED : undefined;
        const wishes = [place.set, found, before.set, others.find(isOfNetwork), others[0]];
        const set = firstOf(found === undefined ? sets : [found, ...sets], wishes);
        if (tomogram === undefined) tell(`Run ${name} has no tomogram.`);
        await Promise.all([
          tomogram === undefined ? undefined : workspace.openTomogram(tomogram, place),
          workspace.openTruth(truth),
          workspace.openSet(set, place),
        ]);
      });
    },

    async openTomogram(label, place = nowhere) {
      await during('tomogram', async (signal) => {
        live.change({ tomogram: label });
        const choice = run?.tomograms.find((one) => one.label === label);
        if (choice === undefined) return;
        const sources = await choice.open(signal);
        signal.throwIfAborted();
        opened = { choice, sources };
        const [finest] = sources as [VolumeSource];
        // Another tomogram of the same run shows the same place.
        const isNew = live.state.grid === undefined;
        const middle = middleOf(finest.grid);
        const position: Point = place.position ?? (isNew ? middle : live.state.position);
        const center = place.center ?? (isNew ? middle : live.state.camera.center);
        const zoom = place.zoom ?? (isNew ? 0 : live.state.camera.zoom);
        live.change({ position, camera: { center, zoom } });
        const volume = await openGreyVolume(sources, {
          focus: () => live.state.position,
          onBrick: () => live.change({ bricks: live.state.bricks + 1, ...loading(page) }),
          onError: tell,
          signal,
        });
        signal.throwIfAborted();
        page.volume = volume;
        live.change({ grid: finest.grid, window: volume.window });
      });
    },

    async openSet(label, place = nowhere) {
      detections.remember(live.state);
      await during('set', async (signal) => {
        const detection = label === UNSAVED ? detections.of(live.state.run) : undefined;
        const [{ picks }, candidates, draft] = detection
          ? [{ picks: [] }, detection.candidates, detection.draft]
          : await Promise.all([picksOf(label, signal), candidatesOf(label, signal), draftOf(live.state.run, label)]);
        signal.throwIfAborted();
        const loaded = candidates ? candidatePicks(candidates) : named(picks);
        const lowest: Record<string, number> = {};
        for (const { object, score } of picks) lowest[object] = Math.min(lowest[object] ?? score, score);
        const before = live.state;
        live.change({
          set: label,
          loaded,
          candidates,
          thresholds: {
            ...(candidates ? { ...candidates.thresholds, ...carried } : lowest),
            ...draft?.thresholds,
            ...place.thresholds,
          },
          minDistances: candidates?.minDistances ?? {},
          edits: draft?.edits ?? emptyState.edits,
          savedEdits: draft?.isSaved ? draft.edits : emptyState.savedEdits,
          undo: [],
          redo: [],
          selected: undefined,
          objects: withUnknown(before.objects, picks),
        });
      });
    },

    async showDetection(detection) {
      detections.keep(detection);
      live.change({ unsaved: detections.runs });
      if (live.state.run !== detection.run) return;
      await workspace.openSet(UNSAVED, { ...nowhere, thresholds: detection.candidates.thresholds });
    },

    async saveDetection() {
      const { run: name, set } = live.state;
      const detection = detections.of(name);
      if (set !== UNSAVED || run?.run === undefined || detection === undefined) return undefined;
      const label = await writeAsNetwork(run.run, detection);
      detections.forget(detection.run);
      await workspace.relist();
      // The picks are the same, and so are their edits.
      live.change({ set: label, unsaved: detections.runs });
      return label;
    },

    async openTruth(label) {
      await during('truth', async (signal) => {
        const { picks } = await picksOf(label, signal);
        live.change({ truthSet: label, truth: picks, objects: withUnknown(live.state.objects, picks) });
      });
    },

    async openOther(label) {
      await during('other', async (signal) => {
        const { picks } = await picksOf(label, signal);
        live.change({ otherSet: label, others: picks });
      });
    },

    async openSegmentation(label) {
      await during('segmentation', async (signal) => {
        page.overlay = undefined;
        const choice = run?.segmentations.find((one) => one.label === label);
        live.change({ segmentation: label, segmented: choice?.segmented, bricks: live.state.bricks + 1 });
        if (choice === undefined) return;
        page.overlay = await openGreyVolume(await choice.open(signal), {
          range: { low: 0, high: WHITE },
          focus: () => live.state.position,
          onBrick: () => live.change({ bricks: live.state.bricks + 1 }),
          onError: tell,
          signal,
        });
      });
    },

    async relist() {
      const { run: name } = live.state;
      if (collection === undefined || name === undefined) return;
      const signal = tasks.get('run')?.signal ?? begin('run');
      run = await collection.open(name, signal);
      live.change({ sets: run.sets.map(({ label }) => label) });
    },

    versionsOf: (label) => versions.get(label) ?? {},
    async learnVersions(label) {
      const set = setNamed(label);
      if (set) versions.set(label, (await readSet(set, AbortSignal.timeout(60_000))).versions);
    },
  };

  keepDrafts(page, (of, draft) => drafts?.write(of, draft).catch(tell));
  live.watch(['position'], () => {
    page.volume?.wake();
    page.overlay?.wake();
  });
  return workspace;
}

/** What belongs to one run and goes with it. */
const ofRun: Partial<State> = {
  tomograms: [],
  tomogram: undefined,
  grid: undefined,
  sets: [],
  set: undefined,
  truthSet: undefined,
  otherSet: undefined,
  segmentations: [],
  segmentation: undefined,
  segmented: undefined,
  loaded: [],
  candidates: undefined,
  truth: [],
  others: [],
  edits: new Map(),
  undo: [],
  redo: [],
  savedEdits: emptyState.savedEdits,
  selected: undefined,
  message: undefined,
};

/** The first wish that is there. */
function firstOf(available: readonly string[], wishes: readonly (string | undefined)[]): string | undefined {
  return wishes.find((wish) => wish !== undefined && available.includes(wish));
}

function isDenoised(label: string): boolean {
  return label.startsWith('denoised');
}

function isOfNetwork(label: string): boolean {
  return label.startsWith('cryoet-picks/');
}

/** The objects with those of picks that the project does not know. */
function withUnknown(objects: State['objects'], picks: readonly { readonly object: string }[]): State['objects'] {
  const known = new Set(objects.map(({ name }) => name));
  const unknown = [...new Set(picks.map(({ object }) => object))].filter((name) => !known.has(name));
  if (unknown.length === 0) return objects;
  return [...objects, ...unknown.map((name) => ({ name, color: UNKNOWN_COLOR, radius: DEFAULT_RADIUS }))];
}

/** How far reading has come, shown while it lasts. */
function loading({ volume, live }: Page): Pick<State, 'work'> {
  const { done, total } = volume?.progress() ?? { done: 0, total: 0 };
  const { work } = live.state;
  if (work !== undefined && work.what !== 'Reading voxels') return { work };
  if (done >= total) return { work: undefined };
  return { work: { what: 'Reading voxels', done, total, since: work?.since ?? performance.now() } };
}

/** One line about what went wrong, or another message. */
export function messageOf(problem: unknown): State['message'] {
  if (typeof problem === 'string') return { text: problem, isError: false };
  const text = isCryoetPicksError(problem) || problem instanceof Error ? problem.message : String(problem);
  return { text, isError: true };
}

/** Keeps the review that is going on, a second after each change, so that it resumes where it stopped. */
function keepDrafts({ live }: Page, write: (of: DraftOf, draft: Draft) => void): void {
  let waiting: { readonly of: DraftOf; readonly draft: Draft } | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    clearTimeout(timer);
    if (waiting) write(waiting.of, waiting.draft);
    waiting = undefined;
  };
  live.watch(['edits', 'savedEdits', 'thresholds'], ({ run, set, userId, edits, undo, savedEdits, thresholds }) => {
    if (waiting?.of.run !== run || waiting?.of.set !== set) flush();
    if (run === undefined || set === undefined || set === UNSAVED || (edits.size === 0 && undo.length === 0)) return;
    waiting = { of: { run, set, userId }, draft: { edits, thresholds, isSaved: edits === savedEdits } };
    clearTimeout(timer);
    timer = setTimeout(flush, 1000);
  });
  addEventListener('pagehide', flush);
}

/** Keeps the fragment of the address up to date. */
export function followAddress({ live }: Page): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  live.watch(
    ['run', 'tomogram', 'set', 'truthSet', 'position', 'camera', 'object', 'thresholds', 'hidden', 'grid'],
    () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (live.state.run !== undefined) history.replaceState(null, '', formatPlace(live.state));
      }, 300);
    },
  );
}
