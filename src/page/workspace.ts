import type { Run } from '../entry/copick.ts';
import type { VolumeSource } from '../entry/index.ts';
import { type Collection, labelOf, type OpenRun, readSet, truthOf } from './collection.ts';
import { colorsOf } from './colors.ts';
import { counted } from './counted.ts';
import { createDetections, type Detection, type Detections, writeAsNetwork } from './detections.ts';
import {
  type DraftOf,
  type Drafts,
  draftFrom,
  draftKeeper,
  draftsIn,
  endedDraft,
  isEnded,
  withoutChanges,
} from './drafts.ts';
import { WHITE } from './grey-level.ts';
import { openGreyVolume } from './grey-volume.ts';
import { flyTo, nextOpen, selectedPick } from './navigate.ts';
import { assumedRadii, type Page } from './page.ts';
import { middleOf } from './planes.ts';
import { type Levels, scaledDetection, scaledDraft, sizeOf } from './rescale.ts';
import { goneOn, type Resumed, resumed } from './resume.ts';
import { lowestThresholds, type MovedReviewInput, type Review, raised } from './review.ts';
import { holdsRejects } from './review-record.ts';
import { shownRadii } from './scoring.ts';
import { readReview, reviewOfCandidates, type SetReview } from './set-review.ts';
import {
  emptyState,
  movedThresholds,
  NO_VOXEL_SIZE,
  NOT_READ,
  noReview,
  noRun,
  ownOf,
  type Picking,
  type ShownObject,
  type State,
  UNSAVED,
  unknownObject,
} from './state.ts';
import type { Place } from './url.ts';
import { createVisit, type OpenTomogram, type Task, type Visit } from './visit.ts';
import { hasVoxelSize } from './volume-place.ts';

/** Opens what the page shows: a collection, a run of it, a tomogram, a set of picks. */
export interface Workspace {
  readonly collection: Collection | undefined;
  /** The run that is open; absent while it is being opened, and if that failed. */
  readonly run: OpenRun | undefined;
  /** The tomogram that is open; absent while it is being opened, and if that failed. */
  readonly opened: OpenTomogram | undefined;
  /** The set under review, as it was read; absent without one. */
  readonly review: SetReview | undefined;
  open(collection: Collection, place: Place): Promise<void>;
  openRun(name: string, place?: Place): Promise<void>;
  /** Shows another place of what is open, as when a person changes the address. */
  openPlace(place: Place): Promise<void>;
  openTomogram(label: string): Promise<void>;
  /** Gives files that do not say their voxel size one, in Å, and opens the run again: its picks stay in their voxels. */
  giveVoxelSize(size: number): Promise<void>;
  openSet(label: string | undefined): Promise<void>;
  openTruth(label: string | undefined): Promise<void>;
  openOther(label: string | undefined): Promise<void>;
  openSegmentation(label: string | undefined): Promise<void>;
  /** What was found in the open run and is not saved. */
  readonly found: Detection | undefined;
  /**
   * Keeps what was just found until the page is closed or it has been saved; shows it, if its run is open, at thresholds of its own if
   * some are given.
   */
  showDetection(detection: Detection, thresholds?: State['thresholds']): Promise<void>;
  /** True while a save goes on. */
  readonly isSaving: boolean;
  /**
   * Saves what shows: `write` gets it as it is now, whatever happens meanwhile. Until it has ended no other save begins, and neither
   * its run nor a set of it is opened.
   *
   * @throws An error that says why nothing can be saved; what `write` throws.
   */
  save<T>(write: (saving: Saving) => Promise<T>): Promise<T>;
  /** Reads what shows now in other runs, at the thresholds that were moved here. */
  otherReviews(): OtherReviews;
}

/** A save, from the moment that it begins: what showed then, and the steps that change what shows. */
export interface Saving {
  readonly collection: Collection;
  /** Names of the objects of the project: picks of others cannot be written. */
  readonly known: ReadonlySet<string>;
  readonly run: Run;
  readonly state: State;
  readonly review: Review;
  /** The set under review, as it was read; absent without one. */
  readonly read: SetReview | undefined;
  /** Writes what the network has just found, if it is what showed, as a set of the network, under a session that nobody has used. */
  saveDetection(): Promise<SavedDetection | undefined>;
  /**
   * Goes on with the set that was written: what was decided meanwhile is shown over it, or, where something else shows by now, is in
   * its draft. `ids` has, by the id that a pick had when the save began, the one that it has in its file.
   */
  goOn(label: string, ids: ReadonlyMap<string, string>): Promise<void>;
}

/** A set of the network that was written. */
export interface SavedDetection {
  readonly label: string;
  readonly picking: Picking;
}

/** The save that goes on. */
interface CurrentSave {
  readonly collection: Collection;
  readonly state: State;
  /** The state in which its picks were left, if they do not show any more. */
  left: State | undefined;
  readonly ended: Promise<void>;
}

/** What a review goes on with. */
interface Resuming {
  readonly run: OpenRun;
  readonly from: { readonly drafts: Drafts; readonly detections: Pick<Detections, 'of'> };
  readonly levels: Levels;
  readonly signal: AbortSignal;
}

/**
 * Reads the review of a run that is not open, as its files and its draft say, or as it was found; undefined if the run does not have
 * the set. `levels` are those of its tomogram.
 */
export type OtherReviews = (
  name: string,
  run: OpenRun,
  options: { readonly levels: readonly VolumeSource[]; readonly signal: AbortSignal },
) => Promise<MovedReviewInput | undefined>;

const nowhere: Place = { thresholds: {}, hidden: [] };

/** What is open, whatever the run. The next collection replaces it as a whole. */
interface Opened {
  readonly collection: Collection;
  readonly drafts: Drafts;
  readonly detections: Detections;
  /** What a person has chosen, to be chosen in the next run again, where it is there. */
  readonly wishes: Wishes;
}

interface Wishes {
  tomogram?: string | undefined;
  /** Null if none shall show. */
  set?: string | null | undefined;
  /** Null if none shall show. */
  truthSet?: string | null | undefined;
  otherSet?: string | undefined;
  segmentation?: string | undefined;
  /** Of candidates; those over a file of picks are its own. Absent until a run was left. */
  thresholds?: State['thresholds'] | undefined;
}

/** A step of a task: it shows nothing once the task was stopped. */
interface Step {
  readonly signal: AbortSignal;
  /** @throws The abort reason of a task that was stopped. */
  show(changes: Partial<State>): void;
}

/** Makes the workspace of a page. */
export function createWorkspace(page: Page): Workspace {
  const { live, desk } = page;
  const { tell } = desk;
  let opened: Opened | undefined;
  let visit = createVisit();
  let current: CurrentSave | undefined;
  const keeper = draftKeeper(live, () => opened?.drafts, tell);

  /** Does a task of the open run; a later one of its kind, and the next run, stop it without a word. */
  const during = async (task: Task, does: (step: Step) => Promise<void>) => {
    const signal = visit.begin(task);
    const show = (changes: Partial<State>) => {
      signal.throwIfAborted();
      live.change(changes);
    };
    try {
      await does({ signal, show });
    } catch (error) {
      if (!signal.aborted) tell(error);
    }
  };
  /** Keeps what a person has done, before another set is shown. */
  const keep = () => {
    keeper.flush();
    opened?.detections.remember(live.state);
    if (current?.state.loaded === live.state.loaded) current.left = live.state;
  };
  /** Leaves the run. */
  const leave = () => {
    keep();
    visit.end();
    visit = createVisit();
    page.volume = undefined;
    page.overlay = undefined;
  };

  const showTomogram = async (label: string, place: Place) => {
    const here = visit;
    here.tomogram = undefined;
    page.volume = undefined;
    live.change({
      tomogram: label,
      grid: undefined,
      isUnscaled: false,
      bricks: live.state.bricks + 1,
      ...loading(page),
    });
    await during('tomogram', async ({ signal, show }) => {
      const choice = here.run?.tomograms.find((one) => one.label === label);
      if (choice === undefined) return;
      const sources = await choice.open(signal);
      signal.throwIfAborted();
      const [finest] = sources as [VolumeSource];
      const isUnscaled = choice.place.kind === 'file' && !hasVoxelSize(finest.grid);
      if (isUnscaled) tell(NO_VOXEL_SIZE);
      if (!here.isPlaced) {
        const middle = middleOf(finest.grid);
        const { position = selectedPick(page)?.position ?? middle, center = middle, zoom = 0 } = place;
        show({ position, camera: { center, zoom } });
        here.isPlaced = true;
      }
      const volume = await openGreyVolume(sources, {
        focus: () => live.state.position,
        onBrick: () => signal.aborted || live.change({ bricks: live.state.bricks + 1, ...loading(page) }),
        onError: tell,
        signal,
      });
      signal.throwIfAborted();
      here.tomogram = { choice, sources };
      page.volume = volume;
      show({ grid: finest.grid, isUnscaled, window: volume.window, ...loading(page) });
    });
  };

  const readResumed = async (
    of: DraftOf,
    { run, from: { drafts, detections }, levels, signal }: Resuming,
  ): Promise<Resumed & { readonly review: SetReview }> => {
    const found = of.set === UNSAVED ? detections.of(of.run) : undefined;
    if (found) {
      const scaled = scaledDetection(found, levels);
      const review = reviewOfCandidates(scaled.candidates, scaled.told);
      return { review, ...resumed(review, scaled.draft), since: undefined };
    }
    const [review, draft] = await Promise.all([
      readReview(run, of.set, { person: of.person, signal }),
      drafts.read(of),
    ]);
    return { review, ...resumed(review, draft && scaledDraft(draft, levels)) };
  };
  /** The set of a run whose review was left last, first of those not saved; null if it is of no set, undefined without one. */
  const leftIn = async (name: string, { sets }: OpenRun): Promise<string | null | undefined> => {
    const { person } = live.state;
    const drafts = await Promise.all(
      [undefined, ...sets.map(({ label }) => label)].map(async (set) => {
        // One that cannot be read is told of when its set is shown.
        const of = { run: name, set, person };
        const draft = await opened?.drafts.readLast(of).catch(() => undefined);
        const isSaved = draft && isEnded(draft);
        return draft && !(isSaved && set === undefined) ? [{ set, time: draft.time, isSaved }] : [];
      }),
    );
    const [latest] = drafts.flat().sort((a, b) => Number(a.isSaved) - Number(b.isSaved) || b.time - a.time);
    return latest && (latest.set ?? null);
  };
  /** Selects the first pick that is not decided, and flies there, unless the slices show another place on purpose. */
  const resumeHere = (here: Visit, place: Place) => {
    const next = nextOpen(page);
    if (next === undefined) return;
    if (here.isPlaced && place.position === undefined) flyTo(page, next);
    else live.change({ selected: next.id, object: next.object });
  };
  const showSet = async (label: string | undefined, place: Place) => {
    const here = visit;
    // Its own draft is read, if it is the set that shows.
    keep();
    await during('set', async ({ signal, show }) => {
      const { run: name, person } = live.state;
      // Where a person gives the voxel size, only the volume says where picks lie.
      const isPlaceless = opened?.collection.giveVoxelSize !== undefined && here.tomogram === undefined;
      if (opened === undefined || here.run === undefined || name === undefined || isPlaceless) {
        keep();
        here.review = undefined;
        show(noReview);
        return;
      }
      const { drafts, detections, collection } = opened;
      const levels = collection.giveVoxelSize && here.tomogram?.sources;
      const found = label === UNSAVED ? detections.of(name) : undefined;
      if (found) detections.keep(scaledDetection(found, levels));
      const of = { run: name, set: label, person };
      const from = { drafts, detections };
      const { review, edits, moved, lost, since } = await readResumed(of, { run: here.run, from, levels, signal });
      signal.throwIfAborted();
      keep();
      const carried = here.thresholds.get(label) ?? (review.candidates && opened.wishes.thresholds);
      const lowest = lowestThresholds(review);
      const openedAt = { ...review.thresholds, ...raised({ ...carried }, lowest) };
      // Those of the draft are older than those that go along.
      const asked = { ...(carried ? {} : moved), ...place.thresholds };
      show({
        ...noReview,
        ...shown(review, label),
        arePicksRead: true,
        edits,
        picksVoxelSize: sizeOf(levels),
        openedThresholds: openedAt,
        thresholds: Object.keys(asked).length === 0 ? openedAt : { ...openedAt, ...raised(asked, lowest) },
        objects: withUnknown(live.state.objects, [...review.loaded, ...namedIn(edits)]),
        ...(found?.lesson && { lesson: found.lesson }),
      });
      here.review = label === undefined ? undefined : review;
      if (label === UNSAVED) listFound(page);
      if (edits !== review.edits || (review.isOwn && edits.size > 0)) resumeHere(here, place);
      const goesOn = since === undefined ? [] : [`The review of ${shownTime(since)} goes on; it is not saved yet.`];
      const gone =
        lost === 0 ? [] : [`${counted(lost, 'unsaved decision')} cannot go on: ${label} no longer has the picks.`];
      tell(...goesOn, ...review.problems, ...tooLow(place.thresholds, lowest), ...gone);
    });
  };
  const picksOf = async (run: OpenRun | undefined, label: string | undefined, signal: AbortSignal) => {
    const set = run?.sets.find((one) => one.label === label);
    const { picks, errors } = set ? await readSet(set, signal) : { picks: [], errors: [] };
    tell(...errors);
    return picks;
  };
  const showTruth = async (label: string | undefined) => {
    const { run } = visit;
    await during('truth', async ({ signal, show }) => {
      const picks = await picksOf(run, label, signal);
      show({ truthSet: label, truth: picks, objects: withUnknown(live.state.objects, picks) });
    });
  };
  const showOther = async (label: string | undefined) => {
    const { run } = visit;
    await during('other', async ({ signal, show }) => {
      const picks = await picksOf(run, label, signal);
      show({ otherSet: label, others: picks, objects: withUnknown(live.state.objects, picks) });
    });
  };
  const showSegmentation = async (label: string | undefined) => {
    const { run } = visit;
    const choice = run?.segmentations.find((one) => one.label === label);
    page.overlay = undefined;
    live.change({ segmentation: label, segmented: choice?.segmented, bricks: live.state.bricks + 1 });
    await during('segmentation', async ({ signal, show }) => {
      if (choice === undefined) return;
      const overlay = await openGreyVolume(await choice.open(signal), {
        range: { low: 0, high: WHITE },
        focus: () => live.state.position,
        onBrick: () => signal.aborted || live.change({ bricks: live.state.bricks + 1 }),
        onError: tell,
        signal,
      });
      signal.throwIfAborted();
      page.overlay = overlay;
      show({ bricks: live.state.bricks + 1 });
    });
  };

  /** Waits until a run is not being saved: it would be read half written. */
  const untilSaved = async (run: string | undefined) => {
    if (current?.state.run === run && current?.collection === opened?.collection) await current?.ended;
  };
  const beginSave = (): Saving => {
    const { state } = live;
    const { run: name, person, loaded } = state;
    const here = visit;
    if (opened?.collection.project === undefined) {
      throw new Error('There is no project to save into; export the picks instead.');
    }
    const run = here.run?.run;
    if (run === undefined || name === undefined) throw new Error('This run is not open: nothing was saved.');
    if (!state.arePicksRead) throw new Error(NOT_READ);
    const before = opened;
    const { collection, drafts, detections, wishes } = before;
    const { signal } = new AbortController();
    const isShown = () => live.state.loaded === loaded;
    const known = new Set(opened.collection.project.objects.map((object) => object.name));
    let { set } = state;
    const found = set === UNSAVED ? detections.of(name) : undefined;
    return {
      ...{ collection, run, state, review: page.review(), read: here.review },
      known,
      async saveDetection() {
        const author = found && (await writeAsNetwork(run, found, { known }));
        if (author === undefined) return undefined;
        const { provenance: madeBy } = await run.readCandidates(author);
        const picking = { candidatesOf: author, madeBy };
        const label = labelOf(author);
        set = label;
        if (isShown()) detections.remember(live.state);
        // Else picks of objects that the project does not have would be lost.
        if (found?.candidates.objects.every((object) => known.has(object))) detections.forget(found);
        // The picks are the same, and so are their edits.
        if (isShown()) live.change({ set, sets: [...live.state.sets, label], picking });
        else if (current?.left) keeper.replace(drafts, { run: name, set, person }, draftFrom(current.left));
        if (opened === before) live.change({ unsaved: detections.runs });
        here.run = await collection.open(name, signal);
        return { label, picking };
      },
      async goOn(label, ids) {
        const now = await collection.open(name, signal);
        const read = await readReview(now, label, { person, signal });
        const { from } = found?.told ?? {};
        const told = from && { run: name, set: from.set, person };
        const draftOfTold = told && (await drafts.readLast(told));
        // From here on nothing waits, so that no decision falls between.
        const last = isShown() ? live.state : (current?.left ?? state);
        const after = { ...shown(read, label), ...goneOn({ state, ids }, read, last) };
        const time = Date.now();
        // The next visit goes on with the draft that was written last.
        if (set !== label) keeper.replace(drafts, { run: name, set, person }, endedDraft(time - 1));
        if (told && draftOfTold) keeper.replace(drafts, told, withoutChanges(draftOfTold, from.ids));
        keeper.replace(drafts, { run: name, set: label, person }, draftFrom(after));
        here.run = now;
        if (isShown() || wishes.set === undefined || wishes.set === (set ?? null)) wishes.set = label;
        if (visit !== here) return;
        live.change({ sets: now.sets.map((one) => one.label) });
        if (!isShown()) return;
        here.review = read;
        live.change({ ...noReview, ...after });
        tell(...read.problems);
      },
    };
  };

  const workspace: Workspace = {
    get collection() {
      return opened?.collection;
    },
    get run() {
      return visit.run;
    },
    get opened() {
      return visit.tomogram;
    },
    get review() {
      return visit.review;
    },
    async open(collection, place) {
      leave();
      desk.stop();
      const { objects: all, title } = collection;
      opened = {
        collection,
        drafts: draftsIn(collection),
        detections: createDetections(),
        wishes: { tomogram: place.tomogram, truthSet: place.truthSet },
      };
      if (place.voxelSize !== undefined) collection.giveVoxelSize?.(place.voxelSize);
      const colors = colorsOf(all);
      const radii = shownRadii(all);
      const objects = all.map(({ name, label }) => ({
        name,
        label,
        ...(radii.get(name) as Pick<ShownObject, 'radius' | 'isRadiusAssumed'>),
        color: colors.get(name) as string,
      }));
      const { person, userId, sessionId, canWrite, networkObjects } = live.state;
      live.change({
        ...emptyState,
        ...{ person, userId, sessionId, canWrite, networkObjects, title, objects },
        hidden: new Set(place.hidden),
        voxelSize: collection.giveVoxelSize && place.voxelSize,
        object: place.object ?? objects[0]?.name,
      });
      const assumed = assumedRadii(objects);
      await during('run', async ({ signal, show }) => {
        const runs = await collection.runs(signal);
        show({ runs });
        const first = runs.find((name) => name === place.run) ?? runs[0];
        const opening = first === undefined ? undefined : workspace.openRun(first, place);
        if (first === undefined) tell('The project has no runs yet.');
        else if (place.run !== undefined && place.run !== first) tell(`There is no run "${place.run}" here.`);
        else if (assumed !== undefined) tell(assumed);
        await opening;
      });
    },

    async openRun(name, place = nowhere) {
      if (opened === undefined) return;
      const { collection, wishes } = opened;
      // An address says all thresholds that are not the usual ones.
      if (live.state.candidates && place === nowhere)
        wishes.thresholds = goingAlong(wishes.thresholds ?? {}, live.state);
      leave();
      live.change({ ...noRun, run: name, ...loading(page) });
      const here = visit;
      await during('run', async ({ signal, show }) => {
        await untilSaved(name);
        const run = await collection.open(name, signal);
        const tomograms = run.tomograms.map(({ label }) => label);
        const sets = run.sets.map(({ label }) => label);
        show({ tomograms, sets, segmentations: run.segmentations.map(({ label }) => label) });
        here.run = run;
        const tomogram = firstOf(tomograms, [wishes.tomogram, tomograms.find(isDenoised), tomograms[0]]);
        const byCustom = truthOf(run.sets)?.label;
        const truth = wishes.truthSet === null ? undefined : firstOf(sets, [wishes.truthSet, byCustom]);
        const other = firstOf(sets, [wishes.otherSet]);
        const overlay = run.segmentations.find(({ label }) => label === wishes.segmentation)?.label;
        const others = run.sets
          .filter((set) => ![truth, byCustom].includes(set.label) && !holdsRejects(set))
          .map(({ label }) => label);
        const own = others.filter((label) => label.startsWith(`${live.state.person}/`)).at(-1);
        if (tomogram === undefined) tell(`Run ${name} has no tomogram.`);
        const placed = tomogram === undefined ? undefined : showTomogram(tomogram, place);
        if (collection.giveVoxelSize) await placed;
        signal.throwIfAborted();
        const found = live.state.unsaved.has(name) ? [UNSAVED] : [];
        const isChosen = [place.set, wishes.set].some((wish) => wish === null || (wish && sets.includes(wish)));
        const left = isChosen || found.length > 0 ? undefined : await leftIn(name, run);
        signal.throwIfAborted();
        const usual =
          wishes.set === null || left === null ? [] : [wishes.set, left, own, others.find(isOfNetwork), others[0]];
        const set = firstOf([...found, ...sets], [place.set, ...found, ...usual]);
        await Promise.all([placed, showTruth(truth), showOther(other), showSet(set, place)]);
        if (overlay !== undefined) await showSegmentation(overlay);
        signal.throwIfAborted();
        const { objects, object } = live.state;
        const absent = [
          ...absentFrom(tomograms, 'tomogram', place.tomogram),
          ...absentFrom(sets, 'pick set', place.set),
          ...absentFrom(sets, 'truth', place.truthSet),
          ...absentFrom(
            objects.map((one) => one.name),
            'object',
            object,
          ),
        ];
        if (absent.some(({ what }) => what === 'object')) show({ object: objects[0]?.name });
        const names = absent.map(({ what, name: absentName }) => `no ${what} "${absentName}"`);
        if (names.length > 0) tell(`The address asks for what is not in ${name}: ${names.join(', ')}.`);
      });
    },

    async openPlace(place) {
      const { run = live.state.run } = place;
      if (opened === undefined || run === undefined) return;
      if (!live.state.runs.includes(run)) return tell(`There is no run "${run}" here.`);
      const { collection } = opened;
      const { tomogram, truthSet } = place;
      Object.assign(opened.wishes, { tomogram, truthSet, thresholds: undefined, set: undefined } satisfies Wishes);
      const { object = live.state.object, voxelSize = live.state.voxelSize } = place;
      if (voxelSize !== undefined) collection.giveVoxelSize?.(voxelSize);
      live.change({
        hidden: new Set(place.hidden),
        object,
        voxelSize: collection.giveVoxelSize && voxelSize,
      });
      await workspace.openRun(run, place);
    },

    async openTomogram(label) {
      if (opened) opened.wishes.tomogram = label;
      await showTomogram(label, nowhere);
    },

    async giveVoxelSize(size) {
      const { run, picksVoxelSize: before } = live.state;
      if (opened?.collection.giveVoxelSize === undefined || run === undefined) return;
      opened.collection.giveVoxelSize(size);
      live.change({ voxelSize: size });
      await workspace.openRun(run);
      const { set, picksVoxelSize: now } = live.state;
      if (set === UNSAVED && before !== now) {
        tell(
          `The picks stay in their voxels. They were searched for with voxels of ${before} Å: detect again with the new size.`,
        );
      }
    },

    async openSet(label) {
      const here = visit;
      await untilSaved(live.state.run);
      if (visit !== here) return;
      // What was told of the set before.
      if (live.state.message?.isError === false) live.change({ message: undefined });
      if (opened && label !== UNSAVED) opened.wishes.set = label ?? null;
      if (live.state.arePicksRead) here.thresholds.set(live.state.set, live.state.thresholds);
      await showSet(label, nowhere);
    },

    async openTruth(label) {
      if (opened) opened.wishes.truthSet = label ?? null;
      await showTruth(label);
    },

    async openOther(label) {
      if (opened) opened.wishes.otherSet = label;
      await showOther(label);
    },

    async openSegmentation(label) {
      if (opened) opened.wishes.segmentation = label;
      await showSegmentation(label);
    },

    get found() {
      return opened?.detections.of(live.state.run);
    },

    async showDetection(detection, thresholds = {}) {
      if (opened === undefined) return;
      opened.detections.keep(detection);
      live.change({ unsaved: opened.detections.runs });
      await untilSaved(detection.run);
      if (live.state.run === detection.run) await showSet(UNSAVED, { ...nowhere, thresholds });
    },

    get isSaving() {
      return current !== undefined;
    },

    async save(write) {
      if (current) throw new Error('The picks are still being saved: nothing was saved again.');
      const saving = beginSave();
      let end: () => void = () => undefined;
      const ended = new Promise<void>((resolve) => {
        end = resolve;
      });
      current = { collection: saving.collection, state: saving.state, left: undefined, ended };
      try {
        return await write(saving);
      } finally {
        current = undefined;
        end();
      }
    },

    otherReviews() {
      const { person, set } = live.state;
      const carried = movedThresholds(live.state);
      if (opened === undefined) return async () => undefined;
      const { collection, drafts } = opened;
      const detections = opened.detections.copy();
      return async (name, run, { levels, signal }) => {
        const isFound = detections.of(name) !== undefined;
        const label = collection.project !== undefined ? set : isFound ? UNSAVED : undefined;
        const isThere =
          label === undefined || (label === UNSAVED ? isFound : run.sets.some((one) => one.label === label));
        if (!isThere) return undefined;
        const of = { run: name, set: label, person };
        const from = { drafts, detections };
        const given = collection.giveVoxelSize && levels;
        const { review, edits } = await readResumed(of, { run, from, levels: given, signal });
        const { thresholds: usualThresholds } = review;
        return { ...review, edits, usualThresholds, thresholds: { ...usualThresholds, ...carried } };
      };
    },
  };

  live.watch(['position'], () => {
    page.volume?.wake();
    page.overlay?.wake();
  });
  return workspace;
}

/** Lists an object that has picks, if the one at hand has no picks. */
function listFound({ live, review }: Page): void {
  const found = new Set(review().kept.map(({ object }) => object));
  const { object, objects } = live.state;
  const first = objects.find(({ name }) => found.has(name));
  if (first !== undefined && !found.has(object ?? '')) live.change({ object: first.name });
}

/** A set that is shown, as its files are. */
function shown(review: SetReview, label: string | undefined) {
  const { loaded, edits, candidates, picking, thresholds, minDistances, isOwn, picks } = review;
  const [first] = picks.files;
  return {
    ...{ set: label, loaded, edits, savedEdits: edits, candidates, picking, minDistances },
    thresholds,
    usualThresholds: thresholds,
    openedThresholds: thresholds,
    // It goes on to be saved where it is.
    ...(isOwn && first && { userId: first.file.userId, sessionId: first.file.sessionId }),
  };
}

/** The thresholds for the next run: those that were moved, and those that were wished before and only raised for this run. */
function goingAlong(wished: State['thresholds'], state: State): State['thresholds'] {
  const shown = raised(wished, lowestThresholds(state));
  const kept = Object.entries(wished).filter(([object]) => state.thresholds[object] === shown[object]);
  return { ...movedThresholds(state), ...Object.fromEntries(kept) };
}

/** What to say about thresholds of an address that are below the lowest. */
function tooLow(asked: State['thresholds'], lowest: State['thresholds']): string[] {
  const objects = Object.keys(asked).filter((object) => asked[object]! < (ownOf(lowest, object) ?? asked[object]!));
  return objects.map(
    (object) =>
      `The lowest threshold of ${object} is ${lowest[object]!.toFixed(3)}; the address asks for ${asked[object]}.`,
  );
}

/** A time as it is told: `30 Nov, 10:05`. */
function shownTime(time: number): string {
  return new Date(time).toLocaleString('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
}

/** What an address asks for, if it is not there. */
function absentFrom(
  available: readonly string[],
  what: string,
  name: string | undefined,
): readonly { readonly what: string; readonly name: string }[] {
  return name === undefined || available.includes(name) ? [] : [{ what, name }];
}

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
  return [...objects, ...unknown.map(unknownObject)];
}

/** The objects that edits name: of picks that were added or renamed. */
function namedIn(edits: State['edits']): { readonly object: string }[] {
  return [...edits.values()].flatMap(({ object }) => (object === undefined ? [] : [{ object }]));
}

/** How far reading has come, shown while it lasts. */
function loading({ volume, live }: Page): Pick<State, 'work'> {
  const { done, total } = volume?.progress() ?? { done: 0, total: 0 };
  const { work } = live.state;
  if (work !== undefined && work.what !== 'Reading voxels') return { work };
  if (done >= total) return { work: undefined };
  return { work: { what: 'Reading voxels', done, total, since: work?.since ?? performance.now() } };
}
