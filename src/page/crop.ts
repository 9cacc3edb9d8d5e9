import type { Point } from '../entry/index.ts';
import { element } from './element.ts';
import type { Page } from './page.ts';
import { along, type Plane, planes } from './planes.ts';
import { drawRing } from './rings.ts';

/** Three small pictures around a pick: one along each axis. */
export interface Crops {
  readonly root: HTMLElement;
  /** Draws them; returns false if voxels are missing that are still to be read. */
  draw(pick: { readonly object: string; readonly position: Point }): boolean;
}

/** Crops are so many times as wide as the particle. */
const SPREAD = 2.6;

/** Makes three pictures of an edge length in screen pixels. */
export function crops(page: Page, edge: number, hasRing: boolean): Crops {
  const pixels = edge * Math.min(2, devicePixelRatio);
  const canvases = (['xy', 'xz', 'zy'] as const).map((name) => {
    const canvas = element('canvas', { width: pixels, height: pixels, role: 'img', 'aria-label': `${name} crop` });
    return { canvas, plane: planes[name] };
  });
  return {
    root: element('div', { className: 'crops' }, ...canvases.map(({ canvas }) => canvas)),
    draw: (pick) => canvases.map(({ canvas, plane }) => drawCrop(page, canvas, plane, pick, hasRing)).every(Boolean),
  };
}

function drawCrop(
  page: Page,
  canvas: HTMLCanvasElement,
  plane: Plane,
  { object, position }: { readonly object: string; readonly position: Point },
  hasRing: boolean,
): boolean {
  const context = canvas.getContext('2d', { alpha: false }) as CanvasRenderingContext2D;
  const { radius, color } = page.objectNamed(object);
  const length = 2 * SPREAD * radius;
  const zoom = canvas.width / length;
  context.fillStyle = '#101216';
  context.fillRect(0, 0, canvas.width, canvas.height);
  let isComplete = false;
  for (const level of page.volume?.levels ?? []) {
    const { grid } = level;
    const at = (axis: 0 | 1 | 2) => (along(position, axis) - along(grid.origin, axis)) / grid.voxelSize[axis];
    const span = (axis: 0 | 1 | 2) => Math.ceil(length / 2 / grid.voxelSize[axis]) + 1;
    const [top, left] = [
      Math.floor(at(plane.down)) - span(plane.down),
      Math.floor(at(plane.right)) - span(plane.right),
    ];
    const [height, width] = [2 * span(plane.down) + 2, 2 * span(plane.right) + 2];
    const image = new ImageData(width, height);
    const section = { ...plane, index: Math.round(at(plane.across)), mean: 1, top, left, height, width };
    const pixels = new Uint32Array(image.data.buffer);
    level.paint(section, page.colors(), pixels);
    isComplete = pixels[(pixels.length >> 1) + (width >> 1)] !== 0;
    const picture = new OffscreenCanvas(width, height);
    (picture.getContext('2d') as OffscreenCanvasRenderingContext2D).putImageData(image, 0, 0);
    const place = (axis: 0 | 1 | 2, first: number) =>
      canvas.width / 2 + (first - 0.5 - at(axis)) * grid.voxelSize[axis] * zoom;
    context.imageSmoothingEnabled = grid.voxelSize[plane.right] * zoom < 6;
    context.drawImage(
      picture,
      place(plane.right, left),
      place(plane.down, top),
      width * grid.voxelSize[plane.right] * zoom,
      height * grid.voxelSize[plane.down] * zoom,
    );
  }
  const ring = {
    pick: { object, position, score: 0 },
    left: canvas.width / 2,
    top: canvas.height / 2,
    radius: radius * zoom,
    distance: 0.4,
  };
  if (hasRing) drawRing(context, ring, { color, style: 'plain' });
  return isComplete;
}
