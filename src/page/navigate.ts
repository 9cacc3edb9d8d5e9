import type { Axis, ParticlePick, Point } from '../entry/index.ts';
import type { Page } from './page.ts';
import {
  along,
  type Camera,
  centerNear,
  distance,
  isWithin,
  type Plane,
  planeIndex,
  planePosition,
  pointAt,
  type Size,
  type Spot,
  withAlong,
} from './planes.ts';
import { isOpen, type ReviewedPick } from './review.ts';
import { type Edit, type LoadedPick, NO_VOXEL_SIZE, NOT_READ } from './state.ts';

/** Moves the slice across an axis by some planes. */
export function moveSlice({ live }: Page, axis: Axis, planes: number): void {
  const { grid, position } = live.state;
  if (grid === undefined) return;
  const index = Math.min(grid.shape[axis] - 1, Math.max(0, planeIndex(grid, axis, position) + planes));
  live.change({ position: withAlong(position, axis, planePosition(grid, axis, index)) });
}

/** Screen pixels per voxel. */
const HIGHEST_ZOOM = 50;

/** Zooms by a factor; what shows at a place of a panel stays there. */
export function zoomBy({ live }: Page, factor: number, about?: { plane: Plane; size: Size; spot: Spot }): void {
  const { camera, position, grid } = live.state;
  const highest = grid === undefined ? 5 : HIGHEST_ZOOM / Math.min(...grid.voxelSize);
  const zoom = Math.min(highest, Math.max(0.002, camera.zoom * factor));
  if (about === undefined) {
    live.change({ camera: { ...camera, zoom } });
    return;
  }
  const { plane, size, spot } = about;
  const held = pointAt(plane, camera, size, spot, position);
  live.change({ camera: { center: towards(camera, held, plane, camera.zoom / zoom), zoom } });
}

function towards({ center }: Camera, held: Point, { down, right }: Plane, ratio: number): Point {
  const moved = (axis: Axis) => along(held, axis) + (along(center, axis) - along(held, axis)) * ratio;
  return withAlong(withAlong(center, right, moved(right)), down, moved(down));
}

/** A pick to fly to; one without an id is not under review. */
type Flight = Pick<ParticlePick, 'object' | 'position'> & { readonly id: string | undefined };

/** Selects a pick and brings it into all slices, as near to their middle as the volume reaches. */
export function flyTo({ live }: Page, { id, object, position }: Flight): void {
  const { grid, camera, panels } = live.state;
  const center = grid ? centerNear(position, grid, camera.zoom, panels) : position;
  live.change({ selected: id, object, position, camera: { ...camera, center } });
}

/** The picks of the object at hand, best first, rejected ones among them. */
export function listed({ live, review }: Page): readonly ReviewedPick[] {
  return review().all.filter(({ object }) => object === live.state.object);
}

/** The pick that is selected, if it is among those under review, or a candidate below the threshold that was gone to as doubtful. */
export function selectedPick(page: Page): ReviewedPick | undefined {
  const { selected } = page.live.state;
  return page.review().all.find(({ id }) => id === selected) ?? doubtfulPick(page);
}

/** The selected candidate that is below the threshold, if it was gone to as doubtful: it is no pick unless it is accepted. */
export function doubtfulPick({ live, review }: Page): ReviewedPick | undefined {
  const { doubtful, selected, loaded, edits } = live.state;
  if (doubtful === undefined || doubtful !== selected || edits.has(doubtful)) return undefined;
  if (review().all.some(({ id }) => id === doubtful)) return undefined;
  const pick = loaded.find(({ id }) => id === doubtful);
  return pick && { ...pick, source: 'found', decision: undefined };
}

/** Selects the next pick of the list, or the one before, and flies there. */
export function step(page: Page, by: 1 | -1): void {
  const picks = listed(page);
  const at = picks.findIndex(({ id }) => id === page.live.state.selected);
  const next = picks[at === -1 ? (by === 1 ? 0 : picks.length - 1) : at + by];
  if (next) flyTo(page, next);
}

/** The next pick that nobody has decided about: of the object at hand, then of the objects after it; undefined if all are decided. */
export function nextOpen(page: Page): ReviewedPick | undefined {
  const { object, objects, selected } = page.live.state;
  const { all } = page.review();
  const own = all.filter((pick) => pick.object === object);
  const at = own.findIndex(({ id }) => id === selected);
  const names = objects.map(({ name }) => name);
  const from = names.indexOf(object ?? '');
  const others = [...names.slice(from + 1), ...names.slice(0, Math.max(0, from))];
  return [
    ...own.slice(at + 1),
    ...own.slice(0, at + 1),
    ...others.flatMap((name) => all.filter((pick) => pick.object === name)),
  ].find(isOpen);
}

/** Flies to the next pick that nobody has decided about, of whatever object. */
export function stepToOpen(page: Page): void {
  const next = nextOpen(page);
  if (next) flyTo(page, next);
  else page.live.change({ message: { text: 'Every pick of this set is decided.', isError: false } });
}

/** The candidates that what was learned is least sure of and nobody has decided about: those of the object at hand, then the others. */
export function doubtfulPicks({ live }: Page): readonly LoadedPick[] {
  const { lesson, object, loaded, edits } = live.state;
  const own = (one: { readonly object: string }) => Number(one.object === object);
  const ids = [...(lesson?.objects ?? [])].sort((a, b) => own(b) - own(a)).flatMap(({ unsure }) => unsure);
  if (ids.length === 0) return [];
  const wanted = new Set(ids.filter((id) => !edits.has(id)));
  const found = new Map(loaded.filter(({ id }) => wanted.has(id)).map((pick) => [pick.id, pick]));
  return ids.flatMap((id) => found.get(id) ?? []);
}

/** Flies to the next candidate that what was learned is least sure of, after the last to the first. */
export function stepToDoubtful(page: Page): void {
  const picks = doubtfulPicks(page);
  const at = picks.findIndex(({ id }) => id === page.live.state.selected);
  const next = picks[(at + 1) % picks.length];
  if (next === undefined) {
    const { lesson } = page.live.state;
    page.desk.tell(lesson ? 'You have decided about all that it was least sure of: T learns from it.' : NOTHING_TAUGHT);
    return;
  }
  page.live.change({ doubtful: next.id });
  flyTo(page, next);
}

/** What to tell who asks for the least sure picks before anything was taught. */
const NOTHING_TAUGHT = 'Nothing was taught in this run yet: T teaches the network an object by its picks.';

/** Flies to the next pick that only the shown set has, or only the one that it is compared with; after the last to the first. */
export function stepDifference(page: Page, side: 'onlyHere' | 'onlyThere'): void {
  const picks: readonly (ParticlePick & { readonly id?: string })[] = page.difference()?.[side] ?? [];
  const { position } = page.live.state;
  const at = picks.findIndex((pick) => distance(pick.position, position) === 0);
  const next = picks[(at + 1) % picks.length];
  // A pick of the other set is no pick under review: nothing is selected there.
  if (next) flyTo(page, { ...next, id: next.id });
}

/** Accepts or rejects the selected pick, and goes on to the next; a second time changes nothing. */
export function decide(page: Page, decision: 'accepted' | 'rejected'): void {
  const pick = selectedPick(page);
  if (pick === undefined) {
    step(page, 1);
    return;
  }
  const before = page.live.state.edits.get(pick.id);
  const isDoubtful = page.live.state.doubtful === pick.id;
  if (pick.decision !== decision) editPick(page, pick.id, { ...before, decision });
  if (isDoubtful && doubtfulPicks(page).length > 0) stepToDoubtful(page);
  else step(page, 1);
}

/** Changes what a person did to a pick; an empty edit takes earlier ones back. */
export function editPick({ live }: Page, id: string, edit: Edit): void {
  const isEmpty = Object.values(edit).every((value) => value === undefined);
  endMessage(live);
  live.dispatch({ type: 'edit', changes: new Map([[id, isEmpty ? undefined : edit]]) });
}

/** Takes the last edit back. A save ends what can be taken back: the picks of its files have other names. */
export function undo({ live, desk }: Page): void {
  if (live.state.undo.length === 0) desk.tell('There is nothing to undo since the picks were opened or saved.');
  else {
    endMessage(live);
    live.dispatch({ type: 'undo' });
  }
}

/** Takes away what was told of the edit before: it is true no longer. Errors stay. */
function endMessage(live: Page['live']): void {
  if (live.state.message?.isError === false) live.change({ message: undefined });
}

/** Makes the edit again that was taken back last. */
export function redo({ live, desk }: Page): void {
  if (live.state.redo.length === 0) desk.tell('There is nothing to redo.');
  else live.dispatch({ type: 'redo' });
}

/** Deletes the selected pick: an added one goes, any other is neither kept nor taught as wrong. */
export function deletePick(page: Page): void {
  const pick = selectedPick(page);
  if (pick === undefined) return;
  const before = page.live.state.edits.get(pick.id);
  step(page, 1);
  // One that a file holds stays deleted, so that saving takes it out.
  editPick(page, pick.id, before?.isAdded ? {} : { ...before, decision: 'deleted' });
}

/** Options of {@link addPick} and {@link movePick}. */
export interface PlacingOptions {
  /** The axis across the slice that a hand is on: this slice stays. Without it, all three slices go to the pick. */
  readonly across?: Axis | undefined;
}

/** Adds a pick of the object at hand and selects it, unless its place is outside the volume; tells if it lies on another. */
export function addPick(page: Page, position: Point, { across }: PlacingOptions = {}): void {
  const { object, edits, isUnscaled, arePicksRead, grid } = page.live.state;
  const isOutside = grid !== undefined && !isWithin(grid, position);
  const reason = isUnscaled ? NO_VOXEL_SIZE : !arePicksRead ? NOT_READ : isOutside ? OUTSIDE : undefined;
  if (reason !== undefined) page.desk.tell(reason);
  if (object === undefined || reason !== undefined) return;
  let number = edits.size + 1;
  while (edits.has(`added ${number}`)) number++;
  const id = `added ${number}`;
  const below = pickUnder(page, object, position);
  editPick(page, id, { isAdded: true, object, position, decision: 'accepted' });
  page.live.change({ selected: id, position: shownAt(page, position, across) });
  if (below === undefined) return;
  const away = distance(below.position, position).toFixed(0);
  page.desk.tell(`The new ${object} lies on a pick of ${below.object}, ${away} Å from its middle; Z takes it back.`);
}

/** What to tell who puts a pick where there is no voxel. */
const OUTSIDE = 'This place is outside the volume: no pick was put there.';

/** Moves a pick and selects it; one that would leave the volume stays. */
export function movePick(page: Page, id: string, position: Point, { across }: PlacingOptions = {}): void {
  const { grid } = page.live.state;
  if (grid !== undefined && !isWithin(grid, position)) {
    page.desk.tell(OUTSIDE);
    return;
  }
  editPick(page, id, { ...page.live.state.edits.get(id), position });
  const object = page.review().all.find((pick) => pick.id === id)?.object ?? page.live.state.object;
  page.live.change({ selected: id, object, position: shownAt(page, position, across) });
}

/** Where the slices meet to show a pick, one of them where it is. */
function shownAt({ live }: Page, position: Point, across: Axis | undefined): Point {
  return across === undefined ? position : withAlong(position, across, along(live.state.position, across));
}

/** The nearest kept pick such that its sphere, or that of a pick of an object at a place, holds the middle of the other. */
function pickUnder(page: Page, object: string, position: Point): ReviewedPick | undefined {
  const own = page.objectNamed(object).radius;
  const away = (pick: ReviewedPick) => distance(pick.position, position);
  return page
    .review()
    .kept.filter((pick) => away(pick) < Math.max(own, page.objectNamed(pick.object).radius))
    .sort((a, b) => away(a) - away(b))[0];
}

/** Makes the selected pick one of another object, and goes on in the list that it was in: to the next, else to the one before. */
export function renamePick(page: Page, object: string): void {
  const pick = selectedPick(page);
  if (pick === undefined || pick.object === object) return;
  const list = page.review().all.filter((one) => one.object === pick.object);
  const at = list.findIndex(({ id }) => id === pick.id);
  const next = list[at + 1] ?? list[at - 1];
  editPick(page, pick.id, { ...page.live.state.edits.get(pick.id), object });
  if (next) flyTo(page, next);
  else page.live.change({ selected: undefined });
}
