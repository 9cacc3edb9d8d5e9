import type { Point } from '../entry/index.ts';
import { marksOf } from './compare.ts';
import { element } from './element.ts';
import { darkestNear } from './extremum.ts';
import { addPick, doubtfulPick, movePick, moveSlice, zoomBy } from './navigate.ts';
import type { Page } from './page.ts';
import {
  along,
  letterOf,
  type Plane,
  planeIndex,
  planePosition,
  pointAt,
  type Size,
  type Spot,
  scaleBarLength,
  spotOf,
  withAlong,
} from './planes.ts';
import { type ReviewedPick, scoreText } from './review.ts';
import { drawRing, type Ring, ringAt, ringsOf } from './rings.ts';
import { slicePicture } from './slice-picture.ts';
import { lengthUnit, type State } from './state.ts';

/** A press that moves less than this, in screen pixels, is a click. */
const CLICK = 4;

/** A pick follows a mouse or a pen from here on: a centre can be off by little. */
const NUDGE = 2;

/** What a slice shows. */
const shown = [
  ...(['grid', 'isUnscaled', 'position', 'camera', 'window', 'mean', 'isInverted', 'hasRings'] as const),
  ...(['loaded', 'edits', 'thresholds', 'hidden', 'selected', 'truth', 'others', 'objects', 'isGallery'] as const),
];

/** A slice of the volume with the rings of its picks, and what a hand can do to it. */
export interface SliceView {
  readonly root: HTMLElement;
  size(): Size;
}

/** Makes the panel of a plane. */
export function sliceView(page: Page, plane: Plane): SliceView {
  const { live } = page;
  const canvas = element('canvas', {
    tabIndex: 0,
    role: 'img',
    'aria-label': `${plane.name} slice`,
    className: 'slice-canvas',
  });
  const tip = element('div', { className: 'tip', hidden: true });
  const caption = element('span', { className: 'caption' });
  const slider = element('input', {
    type: 'range',
    min: '0',
    className: 'slice-slider',
    title: `Slice across ${letterOf(plane.across)}`,
    'aria-label': `Slice across ${letterOf(plane.across)}`,
  });
  slider.addEventListener('input', () => {
    const { grid, position } = live.state;
    if (grid === undefined) return;
    live.change({
      position: withAlong(position, plane.across, planePosition(grid, plane.across, Number(slider.value))),
    });
  });
  const root = element('section', { className: `slice slice-${plane.name}` }, canvas, caption, slider, tip);
  const ice = slicePicture(page, plane, () => ({
    levels: page.volume?.levels ?? [],
    colors: page.colors,
    mean: live.state.mean,
  }));
  const labels = slicePicture(page, plane, () => ({
    levels: page.overlay?.levels ?? [],
    colors: page.labelColors,
    mean: 1,
  }));
  let size: Size = { width: 0, height: 0 };
  let rings: readonly Ring<ReviewedPick>[] = [];

  const draw = () => {
    const { grid, position } = live.state;
    if (size.width === 0) return;
    const context = canvas.getContext('2d', { alpha: false }) as CanvasRenderingContext2D;
    const density = devicePixelRatio;
    context.setTransform(density, 0, 0, density, 0, 0);
    context.fillStyle = '#101216';
    context.fillRect(0, 0, size.width, size.height);
    if (grid === undefined) return;
    ice.draw(context, size);
    labels.draw(context, size);
    rings = drawPicks(page, plane, context, size);
    drawCross(page, plane, context, size);
    if (plane.name === 'xy') drawScaleBar(context, live.state, size);
    const index = planeIndex(grid, plane.across, position);
    slider.max = String(grid.shape[plane.across] - 1);
    slider.value = String(index);
    const at = along(position, plane.across).toFixed(0);
    caption.textContent = `${plane.name} · ${letterOf(plane.across)} ${at} ${lengthUnit(live.state)} · slice ${index + 1} of ${grid.shape[plane.across]}`;
  };

  new ResizeObserver(() => {
    size = { width: canvas.clientWidth, height: canvas.clientHeight };
    canvas.width = Math.round(size.width * devicePixelRatio);
    canvas.height = Math.round(size.height * devicePixelRatio);
    draw();
  }).observe(canvas);
  live.watch(shown, draw);
  live.watch(['bricks'], () => {
    if (ice.isOutdated() || labels.isOutdated()) draw();
  });

  attachHands(page, plane, canvas, { size: () => size, rings: () => rings, tip });
  return { root, size: () => size };
}

/** Draws the rings of a plane, and returns those of picks under review. */
function drawPicks(
  page: Page,
  plane: Plane,
  context: CanvasRenderingContext2D,
  size: Size,
): readonly Ring<ReviewedPick>[] {
  const { grid, position, camera, hasRings, hidden, selected } = page.live.state;
  if (!hasRings || grid === undefined) return [];
  const shownPosition = planePosition(grid, plane.across, planeIndex(grid, plane.across, position));
  const cut = {
    plane,
    position: shownPosition,
    camera,
    size,
    radiusOf: (object: string) => page.objectNamed(object).radius,
  };
  const isShown = ({ object }: { readonly object: string }) => !hidden.has(object);
  const colorOf = ({ object }: { readonly object: string }) => page.objectNamed(object).color;
  const review = page.review();
  const { partners, missed, onlyThere } = marksOf(page.difference(), page.comparison());
  for (const ring of ringsOf(onlyThere.filter(isShown), cut)) {
    drawRing(context, ring, { color: '#fff', style: 'dashed' });
  }
  for (const ring of ringsOf(missed.filter(isShown), cut)) {
    drawRing(context, ring, { color: colorOf(ring.pick), style: 'missed' });
  }
  const rejected = ringsOf(review.rejected.filter(isShown), cut);
  const kept = ringsOf(review.kept.filter(isShown), cut);
  for (const ring of rejected) {
    drawRing(context, ring, { color: colorOf(ring.pick), style: 'dashed', isSelected: ring.pick.id === selected });
  }
  for (const ring of kept) {
    const style = partners === undefined ? 'plain' : partners.has(ring.pick.id) ? 'hit' : 'false';
    drawRing(context, ring, { color: colorOf(ring.pick), style, isSelected: ring.pick.id === selected });
  }
  const below = doubtfulPick(page);
  for (const ring of ringsOf(below ? [below] : [], cut)) {
    drawRing(context, ring, { color: colorOf(ring.pick), style: 'dashed', isSelected: true });
  }
  return [...kept, ...rejected];
}

/** Two hairlines through the position where the three slices meet. */
function drawCross({ live }: Page, plane: Plane, context: CanvasRenderingContext2D, size: Size): void {
  const { left, top } = spotOf(plane, live.state.camera, size, live.state.position);
  context.strokeStyle = 'rgb(76 155 232 / 0.45)';
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(Math.round(left) + 0.5, 0);
  context.lineTo(Math.round(left) + 0.5, size.height);
  context.moveTo(0, Math.round(top) + 0.5);
  context.lineTo(size.width, Math.round(top) + 0.5);
  context.stroke();
}

function drawScaleBar(
  context: CanvasRenderingContext2D,
  { camera: { zoom }, isUnscaled }: Pick<State, 'camera' | 'isUnscaled'>,
  { height }: Size,
): void {
  const length = scaleBarLength(zoom);
  const [left, top] = [14, height - 26];
  context.fillStyle = 'rgb(10 12 16 / 0.75)';
  context.fillRect(left - 6, top - 20, length * zoom + 12, 30);
  context.fillStyle = '#fff';
  context.fillRect(left, top, length * zoom, 3);
  context.font = '12px system-ui, sans-serif';
  context.fillText(isUnscaled ? `${length} voxels` : `${length / 10} nm`, left, top - 6);
}

interface HandsOptions {
  readonly size: () => Size;
  readonly rings: () => readonly Ring<ReviewedPick>[];
  readonly tip: HTMLElement;
}

/** What a press is for. */
type Grip =
  | { readonly what: 'pan'; readonly center: Point; readonly isClick: boolean }
  | { readonly what: 'contrast'; readonly black: number; readonly white: number }
  | { readonly what: 'move'; readonly pick: ReviewedPick }
  | { readonly what: 'pinch'; readonly spread: number; readonly zoom: number };

/** Mouse, pen and fingers: drag pans, two fingers or ctrl-wheel zoom, the wheel moves the slice, the right button sets contrast. */
function attachHands(page: Page, plane: Plane, canvas: HTMLCanvasElement, { size, rings, tip }: HandsOptions): void {
  const { live } = page;
  const down = new Map<number, Spot>();
  let start: Spot = { left: 0, top: 0 };
  let grip: Grip | undefined;
  let hasMoved = false;
  const isSpaceHeld = watchSpace(canvas);

  const spotIn = (event: MouseEvent): Spot => ({ left: event.offsetX, top: event.offsetY });
  const pointOf = (spot: Spot) => pointAt(plane, live.state.camera, size(), spot, live.state.position);

  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    const spot = spotIn(event);
    down.set(event.pointerId, spot);
    start = spot;
    hasMoved = false;
    const { camera, window, mode } = live.state;
    if (down.size === 2) grip = { what: 'pinch', spread: spreadOf(down), zoom: camera.zoom };
    else if (event.button === 2) grip = { what: 'contrast', ...window };
    else {
      const isEdit = mode === 'edit' && !event.altKey && !isSpaceHeld();
      const ring = isEdit ? ringAt(rings(), spot.left, spot.top) : undefined;
      grip = ring ? { what: 'move', pick: ring.pick } : { what: 'pan', center: camera.center, isClick: !isSpaceHeld() };
    }
  });

  canvas.addEventListener('pointermove', (event) => {
    const spot = spotIn(event);
    if (!down.has(event.pointerId)) return showTip(tip, ringAt(rings(), spot.left, spot.top));
    down.set(event.pointerId, spot);
    const [x, y] = [spot.left - start.left, spot.top - start.top];
    const isFine = grip?.what === 'move' && event.pointerType !== 'touch';
    if (Math.hypot(x, y) >= (isFine ? NUDGE : CLICK)) hasMoved = true;
    if (!hasMoved || grip === undefined) return;
    tip.hidden = true;
    const { camera } = live.state;
    if (grip.what === 'pan') {
      const moved = withAlong(grip.center, plane.right, along(grip.center, plane.right) - x / camera.zoom);
      const center = withAlong(moved, plane.down, along(grip.center, plane.down) - y / camera.zoom);
      live.change({ camera: { ...camera, center } });
    } else if (grip.what === 'pinch' && down.size === 2) {
      const wanted = (grip.zoom * spreadOf(down)) / grip.spread;
      zoomBy(page, wanted / camera.zoom, { plane, size: size(), spot: middleOfSpots(down) });
    } else if (grip.what === 'contrast') {
      const range = grip.white - grip.black;
      const level = (grip.black + grip.white) / 2 + (y / 300) * range;
      const half = (range / 2) * Math.exp(x / 200);
      live.change({ window: { black: level - half, white: level + half } });
    } else if (grip.what === 'move') {
      tip.hidden = false;
      tip.textContent = 'release to move the pick';
      placeTip(tip, spot);
    }
  });

  const release = (event: PointerEvent) => {
    const wasDown = down.delete(event.pointerId);
    const spot = spotIn(event);
    const held = grip;
    if (down.size === 0) grip = undefined;
    if (held?.what === 'move') tip.hidden = true;
    if (!wasDown || held === undefined || event.type === 'pointercancel') return;
    if (held.what === 'move' && hasMoved) {
      // By as much as the hand has moved, wherever it took hold of the ring.
      const { zoom } = live.state.camera;
      const { position, id } = held.pick;
      const right = along(position, plane.right) + (spot.left - start.left) / zoom;
      const down = along(position, plane.down) + (spot.top - start.top) / zoom;
      const moved = withAlong(withAlong(position, plane.right, right), plane.down, down);
      movePick(page, id, moved, { across: plane.across });
    } else if (!hasMoved && (held.what === 'move' || (held.what === 'pan' && held.isClick))) click(spot, event.altKey);
  };
  const click = (spot: Spot, isExact: boolean) => {
    const { mode, object } = live.state;
    const ring = isExact && mode === 'edit' ? undefined : ringAt(rings(), spot.left, spot.top);
    if (ring) {
      const { id, object: of, position } = ring.pick;
      // Where one edits, the slice stays, as for what is added.
      const here = withAlong(position, plane.across, along(live.state.position, plane.across));
      live.change({ selected: id, object: of, position: mode === 'edit' ? here : position });
    } else if (mode === 'edit' && object !== undefined) {
      const point = onPlane(pointOf(spot));
      const wanted = isExact ? point : darkestNear(page.volume, point, page.objectNamed(object).radius);
      addPick(page, wanted, { across: plane.across });
    } else live.change({ position: pointOf(spot), selected: undefined });
  };
  const onPlane = (point: Point): Point => {
    const { grid } = live.state;
    if (grid === undefined) return point;
    return withAlong(point, plane.across, planePosition(grid, plane.across, planeIndex(grid, plane.across, point)));
  };
  canvas.addEventListener('pointerup', release);
  canvas.addEventListener('pointercancel', release);
  canvas.addEventListener('pointerleave', () => showTip(tip, undefined));
  canvas.addEventListener('contextmenu', (event) => event.preventDefault());
  let turned = 0;
  canvas.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault();
      if (event.ctrlKey)
        return zoomBy(page, Math.exp(-event.deltaY / 300), { plane, size: size(), spot: spotIn(event) });
      // A notch of a wheel is 100 or more, or 3 lines, and moves by one slice; touch pads send many small steps.
      turned += event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY / 3 : event.deltaY / 100;
      const planes = Math.trunc(turned);
      turned -= planes;
      if (planes !== 0) moveSlice(page, plane.across, Math.sign(planes) * Math.min(5, Math.abs(planes)));
    },
    { passive: false },
  );
}

/** Whether the space bar is held, but for one that presses a button or is typed: a drag then pans, whatever lies below. */
function watchSpace(canvas: HTMLCanvasElement): () => boolean {
  let isHeld = false;
  const set = (held: boolean) => {
    isHeld = held;
    canvas.classList.toggle('panning', held);
  };
  addEventListener('keydown', (event) => {
    const isTaken = event.target instanceof Element && event.target.closest('input, select, button, summary, dialog');
    if (event.key !== ' ' || isTaken) return;
    // Else the page would scroll.
    event.preventDefault();
    set(true);
  });
  addEventListener('keyup', ({ key }) => key === ' ' && set(false));
  addEventListener('blur', () => set(false));
  return () => isHeld;
}

function spreadOf(spots: ReadonlyMap<number, Spot>): number {
  const [a, b] = [...spots.values()] as [Spot, Spot];
  return Math.max(1, Math.hypot(a.left - b.left, a.top - b.top));
}

function middleOfSpots(spots: ReadonlyMap<number, Spot>): Spot {
  const [a, b] = [...spots.values()] as [Spot, Spot];
  return { left: (a.left + b.left) / 2, top: (a.top + b.top) / 2 };
}

function showTip(tip: HTMLElement, ring: Ring<ReviewedPick> | undefined): void {
  tip.hidden = ring === undefined;
  if (ring === undefined) return;
  tip.textContent = describePick(ring.pick);
  placeTip(tip, ring);
}

/** Puts a tip below and to the right of a spot, or on the other side where the panel ends. */
function placeTip(tip: HTMLElement, { left, top }: Spot): void {
  const { clientWidth, clientHeight } = tip.parentElement as HTMLElement;
  // Before it is measured: near the right edge it would be broken into lines.
  [tip.style.left, tip.style.top] = ['0', '0'];
  const { offsetWidth, offsetHeight } = tip;
  const below = top + 14 + offsetHeight <= clientHeight;
  tip.style.left = `${Math.max(2, Math.min(left + 14, clientWidth - offsetWidth - 2))}px`;
  tip.style.top = `${below ? top + 14 : Math.max(2, top - 14 - offsetHeight)}px`;
}

/** One line about a pick: object, score, place, and what was decided. */
export function describePick(pick: ReviewedPick): string {
  const { object, position, decision, source } = pick;
  const { x, y, z } = position;
  const place = [x, y, z].map((value) => value.toFixed(0)).join(', ');
  const origin = source === 'found' ? '' : ` · ${source}`;
  return `${object} · ${scoreText(pick)} · x y z ${place} Å${origin}${decision ? ` · ${decision}` : ''}`;
}
