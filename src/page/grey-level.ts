import type { Axis, Box, Volume, VoxelGrid, Zyx } from '../entry/index.ts';

/** The values that grey 0 and grey 65535 stand for; what lies beyond is cut. */
export interface GreyRange {
  readonly low: number;
  readonly high: number;
}

/** Largest grey. */
export const WHITE = 65535;

/** Part of a plane of voxels, and how many planes around it are averaged. */
export interface Section {
  /** The axis that the plane cuts; `down` and `right` run along rows and columns of the picture. */
  readonly across: Axis;
  readonly down: Axis;
  readonly right: Axis;
  readonly index: number;
  /** An odd number of planes; fewer at the faces of the volume. */
  readonly mean: number;
  /** First row and column, in voxels; may lie outside the grid, where the picture stays clear. */
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/**
 * One resolution of a volume in memory, as 16-bit grey in bricks that arrive one by one.
 *
 * Sixteen bits over a range far wider than what is shown do not band when the window is narrowed, at half the memory of float32.
 */
export class GreyLevel {
  readonly grid: VoxelGrid;
  readonly brickShape: Zyx;
  readonly count: number;
  readonly #counts: Zyx;
  readonly #bricks: (Uint16Array | undefined)[];
  /** How many bricks had come or gone when each came or went last. */
  readonly #changed: Uint32Array;
  #changes = 0;

  constructor(grid: VoxelGrid, brickShape: Zyx) {
    this.grid = grid;
    this.brickShape = brickShape;
    const along = (axis: Axis) => Math.ceil(grid.shape[axis] / brickShape[axis]);
    this.#counts = [along(0), along(1), along(2)];
    this.count = this.#counts[0] * this.#counts[1] * this.#counts[2];
    this.#bricks = new Array(this.count).fill(undefined);
    this.#changed = new Uint32Array(this.count);
  }

  /** The voxels of a brick. */
  boxOf(brick: number): Box {
    const [, rows, columns] = this.#counts;
    const at: Zyx = [Math.floor(brick / (rows * columns)), Math.floor(brick / columns) % rows, brick % columns];
    const edge = (axis: Axis, step: number) =>
      Math.min(this.grid.shape[axis], (at[axis] + step) * this.brickShape[axis]);
    return { start: [edge(0, 0), edge(1, 0), edge(2, 0)], end: [edge(0, 1), edge(1, 1), edge(2, 1)] };
  }

  has(brick: number): boolean {
    return this.#bricks[brick] !== undefined;
  }

  /** Takes the voxels of a brick, in the order of its box, as grey of a range. Voxels that are no numbers become 0. */
  put(brick: number, { data, shape, stride, offset }: Volume, { low, high }: GreyRange): void {
    const factor = WHITE / (high - low);
    const grey = new Uint16Array(shape[0] * shape[1] * shape[2]);
    let at = 0;
    for (let z = 0; z < shape[0]; z++) {
      for (let y = 0; y < shape[1]; y++) {
        let from = offset + z * stride[0] + y * stride[1];
        for (let x = 0; x < shape[2]; x++, from += stride[2]) {
          const value = (data[from]! - low) * factor + 0.5;
          grey[at++] = value > WHITE ? WHITE : value > 0 ? value : 0;
        }
      }
    }
    this.#change(brick, grey);
  }

  /** Forgets a brick. */
  drop(brick: number): void {
    this.#change(brick, undefined);
  }

  #change(brick: number, grey: Uint16Array | undefined): void {
    this.#bricks[brick] = grey;
    this.#changed[brick] = ++this.#changes;
  }

  /** What a section shows: `version` grows when one of its bricks comes or goes; `isComplete` if all of them are there. */
  stateOf(section: Section): { readonly version: number; readonly isComplete: boolean } {
    let version = 0;
    let isComplete = true;
    for (const brick of this.#bricksOf(section)) {
      version = Math.max(version, this.#changed[brick]!);
      isComplete &&= this.has(brick);
    }
    return { version, isComplete };
  }

  /** Grey of a voxel; undefined outside the grid, or while its brick is missing. */
  greyAt([z, y, x]: Zyx): number | undefined {
    const [depth, height, width] = this.grid.shape;
    if (z < 0 || y < 0 || x < 0 || z >= depth || y >= height || x >= width) return undefined;
    const [brickDepth, brickHeight, brickWidth] = this.brickShape;
    const brick =
      (Math.floor(z / brickDepth) * this.#counts[1] + Math.floor(y / brickHeight)) * this.#counts[2] +
      Math.floor(x / brickWidth);
    const data = this.#bricks[brick];
    if (data === undefined) return undefined;
    const { start, end } = this.boxOf(brick);
    return data[((z - start[0]) * (end[1] - start[1]) + y - start[1]) * (end[2] - start[2]) + x - start[2]];
  }

  /**
   * Paints the mean of a few planes, a pixel per voxel.
   *
   * @param colors - The pixel of each grey.
   * @param pixels - Rows of the section; where no voxel is there yet, they become 0, which is clear.
   */
  paint(section: Section, colors: Uint32Array, pixels: Uint32Array): void {
    const { first, last } = this.#planesOf(section);
    if (first === last) {
      pixels.fill(0);
      for (const part of this.#partsOf(section)) paintPlane(section, part, colors, pixels);
      return;
    }
    const sums = new Uint32Array(pixels.length);
    const planes = new Uint8Array(pixels.length);
    for (const part of this.#partsOf(section)) addPlane(section, part, sums, planes);
    for (let i = 0; i < sums.length; i++) {
      const count = planes[i]!;
      pixels[i] = count === 0 ? 0 : colors[(sums[i]! / count) | 0]!;
    }
  }

  /** The planes that are averaged. */
  #planesOf({ across, index, mean }: Section): { readonly first: number; readonly last: number } {
    const margin = (mean - 1) / 2;
    return { first: Math.max(0, index - margin), last: Math.min(this.grid.shape[across] - 1, index + margin) };
  }

  /** The planes of the bricks that a section shows, as far as they are there. */
  *#partsOf(section: Section): Generator<BrickPlane> {
    const { across } = section;
    const { first, last } = this.#planesOf(section);
    for (const brick of this.#bricksOf(section)) {
      const data = this.#bricks[brick];
      if (data === undefined) continue;
      const box = this.boxOf(brick);
      const from = Math.max(first, box.start[across]);
      const to = Math.min(last, box.end[across] - 1);
      for (let plane = from; plane <= to; plane++) yield { data, box, plane };
    }
  }

  /** The bricks that begin in a box. */
  bricksIn({ start, end }: Box): number[] {
    const edge = (axis: Axis, at: number) =>
      Math.min(this.#counts[axis], Math.max(0, Math.ceil(at / this.brickShape[axis])));
    return this.#between(
      [edge(0, start[0]), edge(1, start[1]), edge(2, start[2])],
      [edge(0, end[0]), edge(1, end[1]), edge(2, end[2])],
    );
  }

  /** The bricks that a section meets. */
  #bricksOf(section: Section): number[] {
    const { across, down, right, top, left, height, width } = section;
    const { first, last } = this.#planesOf(section);
    const [start, end]: [number, number, number][] = [
      [0, 0, 0],
      [0, 0, 0],
    ];
    for (const [axis, from, to] of [
      [across, first, last + 1],
      [down, top, top + height],
      [right, left, left + width],
    ] as const) {
      start![axis] = Math.max(0, Math.floor(from / this.brickShape[axis]));
      end![axis] = Math.min(this.#counts[axis], Math.ceil(to / this.brickShape[axis]));
    }
    return this.#between(start!, end!);
  }

  /** The bricks of a box of places in the lattice of bricks. */
  #between(start: Zyx, end: Zyx): number[] {
    const found: number[] = [];
    for (let z = start[0]; z < end[0]; z++) {
      for (let y = start[1]; y < end[1]; y++) {
        for (let x = start[2]; x < end[2]; x++) found.push((z * this.#counts[1] + y) * this.#counts[2] + x);
      }
    }
    return found;
  }
}

interface BrickPlane {
  readonly data: Uint16Array;
  readonly box: Box;
  /** Index of the plane in the grid. */
  readonly plane: number;
}

/** The rows and columns of a section that a plane of a brick covers. */
interface Overlap {
  /** Index into the voxels of the brick, and into the pixels, of the first of both. */
  readonly from: number;
  readonly to: number;
  readonly rows: number;
  readonly columns: number;
  /** Steps in the voxels of the brick. */
  readonly rowStep: number;
  readonly columnStep: number;
}

function overlapOf(
  { across, down, right, top, left, height, width }: Section,
  { box: { start, end }, plane }: BrickPlane,
): Overlap {
  const strides = [(end[1] - start[1]) * (end[2] - start[2]), end[2] - start[2], 1] as const;
  const row = Math.max(top, start[down]);
  const column = Math.max(left, start[right]);
  return {
    from:
      (plane - start[across]) * strides[across] +
      (row - start[down]) * strides[down] +
      (column - start[right]) * strides[right],
    to: (row - top) * width + column - left,
    rows: Math.min(top + height, end[down]) - row,
    columns: Math.min(left + width, end[right]) - column,
    rowStep: strides[down],
    columnStep: strides[right],
  };
}

function paintPlane(section: Section, part: BrickPlane, colors: Uint32Array, pixels: Uint32Array): void {
  const { data } = part;
  const { from, to, rows, columns, rowStep, columnStep } = overlapOf(section, part);
  for (let row = 0; row < rows; row++) {
    let at = from + row * rowStep;
    const start = to + row * section.width;
    for (let pixel = start; pixel < start + columns; pixel++, at += columnStep) pixels[pixel] = colors[data[at]!]!;
  }
}

function addPlane(section: Section, part: BrickPlane, sums: Uint32Array, planes: Uint8Array): void {
  const { data } = part;
  const { from, to, rows, columns, rowStep, columnStep } = overlapOf(section, part);
  for (let row = 0; row < rows; row++) {
    let at = from + row * rowStep;
    const start = to + row * section.width;
    for (let pixel = start; pixel < start + columns; pixel++, at += columnStep) {
      sums[pixel]! += data[at]!;
      planes[pixel]!++;
    }
  }
}

/** The pixel of each grey, for a window of values, as little-endian RGBA. */
export function greyColors(
  { low, high }: GreyRange,
  { black, white }: { readonly black: number; readonly white: number },
  isInverted: boolean,
): Uint32Array {
  const colors = new Uint32Array(WHITE + 1);
  const step = (high - low) / WHITE;
  const factor = white > black ? 255 / (white - black) : 0;
  for (let grey = 0; grey <= WHITE; grey++) {
    const shade = factor === 0 ? 128 : Math.min(255, Math.max(0, Math.round((low + grey * step - black) * factor)));
    const shown = isInverted ? 255 - shade : shade;
    colors[grey] = 0xff000000 | (shown << 16) | (shown << 8) | shown;
  }
  return colors;
}
