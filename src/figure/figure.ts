import type { PickableObject } from '../copick/object.ts';
import {
  abortSignal,
  anything,
  describeValue,
  finiteNumber,
  isFields,
  optional,
  picks as picksRule,
  positiveLength,
  type Rule,
  type RulesFor,
  requireArgument,
  requireOptions,
  source as sourceRule,
  text,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { cziiRules } from '../metric/rules.ts';
import { isPlaced, type ParticlePick } from '../picks/pick.ts';
import { formatZyx, type Point, toVoxel, type VoxelGrid } from '../space/grid.ts';
import type { VolumeSource } from '../volume/volume.ts';
import {
  type Canvas,
  type CreateCanvas,
  pngCanvas,
  type Rect,
  type Rgb,
  type Ring,
  textHeight,
  textWidth,
} from './canvas.ts';
import { checkSlices, contrastOf, readSlice, resizePlane, type Slice, toGrey } from './slice.ts';
import { svgCanvas } from './svg-canvas.ts';

/** How the picks of an object are drawn. */
export interface FigureObject {
  readonly name: string;
  /** Red, green, blue, each 0 … 255; more numbers, such as an opacity, are ignored. */
  readonly color: readonly number[];
  /** Radius of the particle, in Å. */
  readonly radius: number;
}

/** Options of {@link renderFigure}. */
export interface FigureOptions {
  readonly picks: readonly ParticlePick[];
  /** Known particles, drawn as dashed rings around the others. */
  readonly truth?: readonly ParticlePick[] | undefined;
  readonly objects: readonly FigureObject[];
  /** Headline. @defaultValue the size of the tomogram */
  readonly title?: string | undefined;
  /** Number of slices across z, evenly spaced. @defaultValue 3 */
  readonly slices?: number | undefined;
  /** PNG holds pixels; SVG keeps rings and text as shapes that other programs can edit. @defaultValue 'png' */
  readonly format?: FigureFormat | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The kinds of picture file. */
export type FigureFormat = 'png' | 'svg';

const canvases: Readonly<Record<FigureFormat, CreateCanvas>> = { png: pngCanvas, svg: svgCanvas };

/**
 * The picture format that the ending of a file's name stands for.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for an ending other than `.png` and `.svg`.
 */
export function figureFormat(path: string): FigureFormat {
  requireArgument('figureFormat', 'path', path, text);
  const ending = /\.(png|svg)$/i.exec(path)?.[1]?.toLowerCase();
  if (ending !== undefined) return ending as FigureFormat;
  throw new CryoetPicksError('invalid-option', `cannot draw a figure as ${path}: its name must end in .png or .svg`);
}

const paper: Rgb = [19, 21, 26];
const ink: Rgb = [232, 234, 238];
const faint: Rgb = [150, 156, 166];
/** Pixels between the ring of a pick and that of the truth around it. */
const dashGap = 4;

/**
 * Draws slices of a tomogram with its picks over them, as a PNG or an SVG.
 *
 * A row of slices across z, one slice across y below it, and a legend. Each slice is the mean of three planes, and only
 * these planes are read. A ring is where the plane of the slice cuts the particle's sphere, so particles above or below
 * it show smaller rings or none.
 *
 * @returns The bytes of the picture file.
 * @throws {@link CryoetPicksError} `invalid-option` if a pick's object is not among `objects`, `slices` is not a whole number
 * above 0, or the format is unknown; the abort reason of `signal`.
 */
export async function renderFigure(source: VolumeSource, options: FigureOptions): Promise<Uint8Array> {
  requireArgument('renderFigure', 'source', source, sourceRule);
  const {
    picks,
    truth = [],
    objects,
    slices = 3,
    format = 'png',
    signal,
  } = requireOptions('renderFigure', options, figureRules);
  const { grid } = source;
  const { title = `${formatZyx(grid.shape)} voxels (z×y×x), ${grid.voxelSize[2].toFixed(3)} Å` } = options;
  checkSlices(slices);
  if (typeof format !== 'string' || !Object.hasOwn(canvases, format)) {
    throw new CryoetPicksError('invalid-option', `format ${describeValue(format)} is unknown; known: "png", "svg"`);
  }
  checkObjects([...picks, ...truth], objects);
  const [depth, height] = grid.shape;
  const legend = legendLines(options);
  const count = Math.min(slices, depth);
  const layout = layOut(grid, { slices: count, legend: legend.map(({ text }) => `    ${text}`), title });

  const fromAbove: Slice[] = [];
  for (let i = 0; i < count; i++) {
    const index = Math.floor((depth * (i + 1)) / (count + 1));
    fromAbove.push(await readSlice(source, { across: 'z', index, signal }));
  }
  const fromSide = await readSlice(source, { across: 'y', index: Math.floor(height / 2), signal });

  const canvas = canvases[format](layout.width, layout.height, paper);
  const contrast = contrastOf([...fromAbove, fromSide]);
  const scene = { canvas, grid, layout, picks, truth, colors: new Map(objects.map((object) => [object.name, object])) };
  canvas.drawText(title, { ...layout.title, color: ink, scale: layout.textScale });
  for (const [i, slice] of fromAbove.entries()) drawPanel(scene, slice, layout.panels[i], contrast);
  drawPanel(scene, fromSide, layout.side, contrast);
  drawScaleBar(canvas, layout);
  drawLegend(canvas, layout, legend);
  return canvas.encode();
}

const drawnPicks: Rule = {
  ...picksRule,
  items: { expected: 'a pick { object, position }', isValid: (pick) => isPlaced(pick as ParticlePick) },
};
const figureRules: RulesFor<FigureOptions> = {
  picks: drawnPicks,
  truth: /* @__PURE__ */ optional(drawnPicks),
  objects: {
    expected: 'a list of objects { name, color, radius }',
    isValid: Array.isArray,
    items: {
      expected: 'an object { name, color, radius }',
      isValid: isFields,
      fields: {
        name: text,
        color: { expected: 'red, green, blue, each 0 to 255', isValid: isColor },
        radius: positiveLength,
      },
    },
  },
  title: /* @__PURE__ */ optional(text),
  slices: anything,
  format: anything,
  signal: /* @__PURE__ */ optional(abortSignal),
};

function isColor(color: unknown): boolean {
  return (
    Array.isArray(color) &&
    color.length >= 3 &&
    color.slice(0, 3).every((one) => typeof one === 'number' && one >= 0 && one <= 255)
  );
}

interface Scene {
  readonly canvas: Canvas;
  readonly grid: VoxelGrid;
  readonly layout: Layout;
  readonly picks: readonly ParticlePick[];
  readonly truth: readonly ParticlePick[];
  readonly colors: ReadonlyMap<string, FigureObject>;
}

interface LegendLine {
  readonly text: string;
  /** Without one, the line is a remark. */
  readonly color?: Rgb | undefined;
}

function checkObjects(picks: readonly ParticlePick[], objects: readonly FigureObject[]): void {
  const names = new Set(objects.map(({ name }) => name));
  const unknown = picks.find(({ object }) => !names.has(object));
  if (unknown === undefined) return;
  throw new CryoetPicksError(
    'invalid-option',
    `cannot draw a pick of "${unknown.object}": its colour and radius are unknown; known are ${[...names].map((name) => `"${name}"`).join(', ')}`,
  );
}

function legendLines({ picks, truth, objects }: FigureOptions): LegendLine[] {
  const countOf = (list: readonly ParticlePick[], name: string) => list.filter(({ object }) => object === name).length;
  const nameWidth = Math.max(0, ...objects.map(({ name }) => name.length));
  const lines: LegendLine[] = objects.map(({ name, color }) => {
    const found = `${String(countOf(picks, name)).padStart(5)} picks`;
    const known = truth === undefined ? '' : `${String(countOf(truth, name)).padStart(6)} in truth`;
    return { text: `${name.padEnd(nameWidth)} ${found}${known}`, color: toRgb(color) };
  });
  if (truth !== undefined) lines.push({ text: 'ring: pick   dashed ring: ground truth' });
  return lines;
}

function toRgb([red = 255, green = 255, blue = 255]: readonly number[]): Rgb {
  return [red, green, blue];
}

function drawPanel(scene: Scene, slice: Slice, rect: Rect, contrast: readonly [number, number]): void {
  const { canvas, layout, picks, truth } = scene;
  canvas.paintGrey(rect, toGrey(resizePlane(slice, rect), contrast));
  for (const pick of truth) drawParticle(scene, { pick, slice, rect, dashed: true });
  for (const pick of picks) drawParticle(scene, { pick, slice, rect, dashed: false });
  const caption = `${slice.across} = ${slice.position.toFixed(0)} Å, mean of ${slice.planes} plane${slice.planes === 1 ? '' : 's'}`;
  const y = rect.top - lineStep + 2;
  canvas.drawText(caption, { x: rect.left, y, color: faint, scale: layout.textScale });
}

/** Draws where the plane of a slice cuts the sphere of a particle. */
function drawParticle(
  { canvas, grid, layout, colors }: Scene,
  { pick, slice, rect, dashed }: { pick: ParticlePick; slice: Slice; rect: Rect; dashed: boolean },
): void {
  const object = colors.get(pick.object)!;
  const away = pick.position[slice.across] - slice.position;
  if (Math.abs(away) >= object.radius) return;
  const radius = Math.max(2, Math.sqrt(object.radius ** 2 - away ** 2) / layout.pitch) + (dashed ? dashGap : 0);
  const ring = { ...toPixel(pick.position, { grid, slice, rect }), radius, clip: rect };
  const dashes = dashed ? Math.max(4, Math.round((2 * Math.PI * radius) / 12)) : undefined;
  drawOutlined(canvas, { ...ring, dashes, lineWidth: dashed ? 1.5 : 2.5, color: toRgb(object.color) });
}

/** Draws a ring with a rim that sets it off from both grey and paper: light around dark colours, dark around light ones. */
function drawOutlined(canvas: Canvas, ring: Ring): void {
  const [red, green, blue] = ring.color;
  const dark = 0.299 * red + 0.587 * green + 0.114 * blue < 100;
  const rim = { color: dark ? ink : paper, opacity: dark ? 0.7 : 0.45, lineWidth: ring.lineWidth + 2 };
  if (ring.dashes === undefined) canvas.drawRing({ ...ring, ...rim });
  canvas.drawRing(ring);
}

/** The pixel of a position, seen along the slice's axis; fractional, and maybe outside the panel. */
function toPixel(position: Point, at: { grid: VoxelGrid; slice: Slice; rect: Rect }): { x: number; y: number } {
  const [z, y, x] = toVoxel(at.grid, position);
  const row = at.slice.across === 'z' ? y : z;
  return {
    x: at.rect.left + ((x + 0.5) * at.rect.width) / at.slice.width - 0.5,
    y: at.rect.top + ((row + 0.5) * at.rect.height) / at.slice.height - 0.5,
  };
}

function drawScaleBar(canvas: Canvas, { panels, pitch, textScale }: Layout): void {
  const { left, top, width, height } = panels[0];
  const length = scaleBarLength(width * pitch);
  const label = formatLength(length);
  const bar = { left: left + 12, top: top + height - 20, width: Math.round(length / pitch), height: 6 };
  const labelTop = bar.top - textHeight(textScale) - 4;
  const boxWidth = Math.max(bar.width, textWidth(label, textScale)) + 16;
  canvas.fillRect({ left: left + 4, top: labelTop - 4, width: boxWidth, height: top + height - labelTop }, paper);
  canvas.fillRect(bar, ink);
  canvas.drawText(label, { x: bar.left, y: labelTop, color: ink, scale: textScale });
}

function drawLegend(canvas: Canvas, { legend, textScale }: Layout, lines: readonly LegendLine[]): void {
  const clip = { left: 0, top: 0, width: canvas.width, height: canvas.height };
  lines.forEach(({ text, color }, i) => {
    const y = legend.y + i * lineStep;
    const centre = { x: legend.x + 16, y: y + textHeight(textScale) / 2 };
    if (color !== undefined) drawOutlined(canvas, { ...centre, radius: 10, lineWidth: 4, color, clip });
    canvas.drawText(text, { x: legend.x + 48, y, color: color === undefined ? faint : ink, scale: textScale });
  });
}

/** What copick gives objects without a colour; on grey it cannot be seen. */
const colorless = '100,100,100';

/** Radius to draw if a config has none, in Å. */
const defaultRadius = 75;

const spare = Object.values(cziiRules.objects).map(({ color }) => color);
const byName: ReadonlyMap<string, { readonly color: readonly number[] }> = new Map(Object.entries(cziiRules.objects));

const projectObjects: Rule = {
  expected: 'the objects of a project',
  isValid: Array.isArray,
  items: {
    expected: 'an object { name, isParticle, color, radius }',
    isValid: isFields,
    fields: {
      name: text,
      color: { expected: 'red, green, blue, alpha, each 0 to 255', isValid: isColor },
      radius: optional(finiteNumber),
    },
  },
};

/** How the particles of a project are drawn: in their own colours, or in colours of this package if they have none. */
export function figureObjects(objects: readonly PickableObject[]): FigureObject[] {
  requireArgument('figureObjects', 'objects', objects, projectObjects);
  return objects
    .filter(({ isParticle }) => isParticle)
    .map(({ name, color, radius }, index) => {
      const own = color.slice(0, 3).join() === colorless ? undefined : color;
      return {
        name,
        color: own ?? byName.get(name)?.color ?? spare[index % spare.length],
        radius: radius !== undefined && radius > 0 ? radius : defaultRadius,
      };
    });
}

/** Where everything in a figure lies, in pixels. */
interface Layout {
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
const margin = 24;
const lineStep: number = textHeight(textScale) + 8;

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
