import { type Axis, type Point, toVoxel } from '../entry/index.ts';
import { element } from './element.ts';
import type { GreyLevel, Section } from './grey-level.ts';
import type { Page } from './page.ts';
import { along, extentAlong, type Plane, planes } from './planes.ts';
import { drawRing } from './rings.ts';
import { hidingOthers } from './slice-picture.ts';

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
  const levels = page.volume?.levels ?? [];
  const at = ({ grid }: GreyLevel, axis: Axis) => toVoxel(grid, position)[axis];
  const sectionOf = (level: GreyLevel): Section => {
    const span = (axis: Axis) => Math.ceil(length / 2 / level.grid.voxelSize[axis]) + 1;
    return {
      ...plane,
      index: Math.round(at(level, plane.across)),
      mean: 1,
      top: Math.floor(at(level, plane.down)) - span(plane.down),
      left: Math.floor(at(level, plane.right)) - span(plane.right),
      height: 2 * span(plane.down) + 2,
      width: 2 * span(plane.right) + 2,
    };
  };
  for (const level of hidingOthers(levels, sectionOf)) {
    const { grid } = level;
    const { voxelSize } = grid;
    const section = sectionOf(level);
    const { top, left, height, width } = section;
    const image = new ImageData(width, height);
    level.paint(section, page.colors(), new Uint32Array(image.data.buffer));
    const picture = new OffscreenCanvas(width, height);
    (picture.getContext('2d') as OffscreenCanvasRenderingContext2D).putImageData(image, 0, 0);
    const place = (axis: Axis, first: number) =>
      canvas.width / 2 + (extentAlong(grid, axis).start + first * voxelSize[axis] - along(position, axis)) * zoom;
    context.imageSmoothingEnabled = voxelSize[plane.right] * zoom < 6;
    context.drawImage(
      picture,
      place(plane.right, left),
      place(plane.down, top),
      width * voxelSize[plane.right] * zoom,
      height * voxelSize[plane.down] * zoom,
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
  const finest = levels.at(-1);
  return finest?.stateOf(sectionOf(finest)).isComplete ?? false;
}
