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
  readonly #range: GreyRange;
  readonly #counts: Zyx;
  readonly #bricks: (Uint16Array | undefined)[];
  /** Grows with each brick that comes or goes, so that a picture knows when it is out of date. */
  version = 0;

  constructor(grid: VoxelGrid, brickShape: Zyx, range: GreyRange) {
    this.grid = grid;
    this.brickShape = brickShape;
    this.#range = range;
    const along = (axis: Axis) => Math.ceil(grid.shape[axis] / brickShape[axis]);
    this.#counts = [along(0), along(1), along(2)];
    this.count = this.#counts[0] * this.#counts[1] * this.#counts[2];
    this.#bricks = new Array(this.count).fill(undefined);
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

  /** Takes the voxels of a brick, in the order of its box. Voxels that are no numbers become 0. */
  put(brick: number, { data, shape, stride, offset }: Volume): void {
    const { low, high } = this.#range;
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
    this.#bricks[brick] = grey;
    this.version++;
  }

  /** Forgets a brick. */
  drop(brick: number): void {
    this.#bricks[brick] = undefined;
    this.version++;
  }

  /** Bytes that all of its bricks take. */
  get bytes(): number {
    const [z, y, x] = this.grid.shape;
    return 2 * z * y * x;
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

  /** The value that a grey stands for. */
  valueOf(grey: number): number {
    return this.#range.low + (grey / WHITE) * (this.#range.high - this.#range.low);
  }

  /**
   * Paints the mean of a few planes, a pixel per voxel.
   *
   * @param colors - The pixel of each grey.
   * @param pixels - Rows of the section; where no voxel is there yet, they become 0, which is clear.
   */
  paint(section: Section, colors: Uint32Array, pixels: Uint32Array): void {
    const { height, width } = section;
    const sums = new Uint32Array(height * width);
    const planes = new Uint8Array(height * width);
    this.#addPlanes(section, sums, planes);
    for (let i = 0; i < sums.length; i++) {
      const count = planes[i]!;
      pixels[i] = count === 0 ? 0 : colors[count === 1 ? sums[i]! : (sums[i]! / count) | 0]!;
    }
  }

  #addPlanes(section: Section, sums: Uint32Array, planes: Uint8Array): void {
    const { across, index, mean } = section;
    const margin = (mean - 1) / 2;
    const first = Math.max(0, index - margin);
    const last = Math.min(this.grid.shape[across] - 1, index + margin);
    for (const brick of this.bricksOf(section, first, last)) {
      const data = this.#bricks[brick];
      if (data === undefined) continue;
      const box = this.boxOf(brick);
      const from = Math.max(first, box.start[across]);
      const to = Math.min(last, box.end[across] - 1);
      for (let plane = from; plane <= to; plane++) addPlane(section, { data, box, plane }, sums, planes);
    }
  }

  /** The bricks that a section meets, with the planes `first` to `last`. */
  *bricksOf(
    { across, down, right, top, left, height, width }: Section,
    first: number,
    last: number,
  ): Generator<number> {
    const ranges: [number, number][] = [];
    ranges[across] = this.#range1(across, first, last);
    ranges[down] = this.#range1(down, top, top + height - 1);
    ranges[right] = this.#range1(right, left, left + width - 1);
    const [inZ, inY, inX] = ranges as [[number, number], [number, number], [number, number]];
    for (let z = inZ[0]; z <= inZ[1]; z++) {
      for (let y = inY[0]; y <= inY[1]; y++) {
        for (let x = inX[0]; x <= inX[1]; x++) yield (z * this.#counts[1] + y) * this.#counts[2] + x;
      }
    }
  }

  /** The bricks along an axis that hold the voxels `first` to `last`. */
  #range1(axis: Axis, first: number, last: number): [number, number] {
    const size = this.brickShape[axis];
    return [Math.max(0, Math.floor(first / size)), Math.min(this.#counts[axis] - 1, Math.floor(last / size))];
  }
}

interface BrickPlane {
  readonly data: Uint16Array;
  readonly box: Box;
  /** Index of the plane in the grid. */
  readonly plane: number;
}

function addPlane(
  { across, down, right, top, left, height, width }: Section,
  { data, box: { start, end }, plane }: BrickPlane,
  sums: Uint32Array,
  planes: Uint8Array,
): void {
  const strides = [(end[1] - start[1]) * (end[2] - start[2]), end[2] - start[2], 1] as const;
  const firstRow = Math.max(top, start[down]);
  const endRow = Math.min(top + height, end[down]);
  const firstColumn = Math.max(left, start[right]);
  const endColumn = Math.min(left + width, end[right]);
  const step = strides[right];
  for (let row = firstRow; row < endRow; row++) {
    let from =
      (plane - start[across]) * strides[across] +
      (row - start[down]) * strides[down] +
      (firstColumn - start[right]) * step;
    let to = (row - top) * width + firstColumn - left;
    for (let column = firstColumn; column < endColumn; column++, from += step, to++) {
      sums[to]! += data[from]!;
      planes[to]!++;
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
