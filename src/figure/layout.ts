import type { VoxelGrid } from '../space/grid.ts';
import { type Rect, textHeight, textWidth } from './canvas.ts';

/** Where everything in a figure lies, in pixels. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  /** Edge length of a pixel inside the panels, in Å; the same along all axes. */
  readonly pitch: number;
  /** Pixels per pixel of the font. */
  readonly textScale: number;
  /** Where the headline goes. */
  readonly title: { readonly x: number; readonly y: number };
  /** One panel per slice across z, from left to right. */
  readonly panels: readonly Rect[];
  /** The panel of the slice across y, below the first one. */
  readonly side: Rect;
  readonly legend: { readonly x: number; readonly y: number };
}

/** Options of {@link layOut}. */
export interface LayoutOptions {
  /** Number of slices across z. */
  readonly slices: number;
  /** Lines of the legend. */
  readonly legend: readonly string[];
  readonly title: string;
}

/** Pixels that the longer edge of a panel should have, more or less, and has at most. */
const wantedPanel = 480;
const largestPanel = 1024;
const textScale = 2;

/** Space between things, and between two lines of text. */
export const margin = 24;
export const lineStep: number = textHeight(textScale) + 8;

/** Plans a figure of a tomogram: small ones are enlarged by a whole factor, huge ones shrunk by one. */
export function layOut(grid: VoxelGrid, { slices, legend, title }: LayoutOptions): Layout {
  const [depth, height, width] = grid.shape.map((count, axis) => count * grid.voxelSize[axis]);
  const pitch = pitchFor(Math.max(height, width), Math.min(grid.voxelSize[1], grid.voxelSize[2]));
  const pixels = (length: number) => Math.max(1, Math.round(length / pitch));
  const panel = { width: pixels(width), height: pixels(height) };
  const column = Math.max(panel.width, textWidth('z = 1234 Å, mean of 3 planes', textScale)) + margin;

  const top = margin + lineStep + margin / 2 + lineStep;
  const panels = Array.from({ length: slices }, (_, i) => ({ ...panel, left: margin + i * column, top }));
  const sideTop = top + panel.height + margin + lineStep;
  const side = { left: margin, top: sideTop, width: panel.width, height: pixels(depth) };
  const row = margin + slices * column;

  const legendWidth = Math.max(...legend.map((line) => textWidth(line, textScale)));
  const beside = slices > 1 && margin + column + legendWidth <= row;
  const legendAt = beside ? { x: margin + column, y: sideTop } : { x: margin, y: side.top + side.height + margin };
  const titleWidth = textWidth(title, textScale);
  return {
    width: Math.max(row, legendAt.x + legendWidth + margin, titleWidth + 2 * margin),
    height: Math.max(side.top + side.height, legendAt.y + legend.length * lineStep) + margin,
    pitch,
    textScale,
    title: { x: margin, y: margin },
    panels,
    side,
    legend: legendAt,
  };
}

/** Å per pixel for a panel whose longer edge and whose voxels have these lengths in Å. */
function pitchFor(edge: number, voxel: number): number {
  const voxels = edge / voxel;
  if (voxels > largestPanel) return voxel * Math.ceil(voxels / largestPanel);
  return voxel / Math.max(1, Math.ceil(wantedPanel / voxels - 0.3));
}

/** A round length, in Å, of about a fifth of `edge`: 1, 2 or 5 times a power of ten. */
export function scaleBarLength(edge: number): number {
  const wanted = edge / 5;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const factor = [5, 2].find((candidate) => candidate * power <= wanted) ?? 1;
  return factor * power;
}

/** A length for people: Å, and nm where that is a number worth reading. */
export function formatLength(length: number): string {
  return length >= 100 ? `${length / 10} nm = ${length} Å` : `${length} Å`;
}
