import type { Axis, Point } from '../entry/index.ts';
import type { Page } from './page.ts';
import {
  along,
  type Camera,
  centerNear,
  type Plane,
  planeIndex,
  planePosition,
  pointAt,
  type Size,
  type Spot,
  withAlong,
} from './planes.ts';
import type { ReviewedPick } from './review.ts';
import type { Edit } from './state.ts';

/** Moves the slice across an axis by some planes. */
export function moveSlice({ live }: Page, axis: Axis, planes: number): void {
  const { grid, position } = live.state;
  if (grid === undefined) return;
  const index = Math.min(grid.shape[axis] - 1, Math.max(0, planeIndex(grid, axis, position) + planes));
  live.change({ position: withAlong(position, axis, planePosition(grid, axis, index)) });
}

/** Zooms by a factor; what shows at a place of a panel stays there. */
export function zoomBy({ live }: Page, factor: number, about?: { plane: Plane; size: Size; spot: Spot }): void {
  const { camera, position } = live.state;
  const zoom = Math.min(5, Math.max(0.002, camera.zoom * factor));
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

/** Selects a pick and brings it into all slices, as near to their middle as the volume reaches. */
export function flyTo({ live }: Page, { id, object, position }: ReviewedPick): void {
  const { grid, camera, panels } = live.state;
  const center = grid ? centerNear(position, grid, camera.zoom, panels) : position;
  live.change({ selected: id, object, position, camera: { ...camera, center } });
}

/** The picks of the object at hand, best first, rejected ones among them. */
export function listed({ live, review }: Page): readonly ReviewedPick[] {
  return review().all.filter(({ object }) => object === live.state.object);
}

/** The pick that is selected, if it is among those under review. */
export function selectedPick({ live, review }: Page): ReviewedPick | undefined {
  return review().all.find(({ id }) => id === live.state.selected);
}

/** Selects the next pick of the list, or the one before, and flies there. */
export function step(page: Page, by: 1 | -1): void {
  const picks = listed(page);
  const at = picks.findIndex(({ id }) => id === page.live.state.selected);
  const next = picks[at === -1 ? (by === 1 ? 0 : picks.length - 1) : at + by];
  if (next) flyTo(page, next);
}

/** Accepts or rejects the selected pick, or takes that back, and goes on to the next. */
export function decide(page: Page, decision: 'accepted' | 'rejected'): void {
  const pick = selectedPick(page);
  if (pick === undefined) {
    step(page, 1);
    return;
  }
  const before = page.live.state.edits.get(pick.id);
  editPick(page, pick.id, { ...before, decision: pick.decision === decision ? undefined : decision });
  step(page, 1);
}

/** Changes what a person did to a pick; an empty edit takes earlier ones back. */
export function editPick({ live }: Page, id: string, edit: Edit): void {
  const isEmpty = Object.values(edit).every((value) => value === undefined);
  live.dispatch({ type: 'edit', changes: new Map([[id, isEmpty ? undefined : edit]]) });
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

/** Adds a pick of the object at hand and selects it. */
export function addPick(page: Page, position: Point): void {
  const { object, edits } = page.live.state;
  if (object === undefined) return;
  let number = edits.size + 1;
  while (edits.has(`added ${number}`)) number++;
  const id = `added ${number}`;
  editPick(page, id, { isAdded: true, object, position, decision: 'accepted' });
  page.live.change({ selected: id, position });
}

/** Moves a pick. */
export function movePick(page: Page, id: string, position: Point): void {
  editPick(page, id, { ...page.live.state.edits.get(id), position });
  page.live.change({ position });
}

/** Makes the selected pick one of another object. */
export function renamePick(page: Page, object: string): void {
  const pick = selectedPick(page);
  if (pick === undefined || pick.object === object) return;
  editPick(page, pick.id, { ...page.live.state.edits.get(pick.id), object });
  page.live.change({ object });
}
