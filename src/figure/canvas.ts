import { encode } from 'fast-png';

/** Red, green, blue, each 0 … 255. */
export type Rgb = readonly [red: number, green: number, blue: number];

/** What a figure is drawn on. Pixel (0, 0) is the top left one, and its centre is its coordinate. */
export interface Canvas {
  readonly width: number;
  readonly height: number;
  /** Fills a rectangle, as far as it lies on the canvas. */
  fillRect(rect: Rect, color: Rgb): void;
  /** Paints grey values 0 … 255, row by row, as wide as `rect`, over a rectangle that lies on the canvas. */
  paintGrey(rect: Rect, grey: Uint8Array): void;
  /** Draws a circle with smooth edges. */
  drawRing(ring: Ring): void;
  /** Writes a line of text, from `x` to the right. */
  drawText(text: string, at: Text): void;
  /** The bytes of the picture file. */
  encode(): Uint8Array;
}

/** Makes an empty canvas of one colour. */
export type CreateCanvas = (width: number, height: number, color: Rgb) => Canvas;

/** RGB, row by row. */
interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** A rectangle of pixels. */
export interface Rect {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** A circle line. */
export interface Ring {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly lineWidth: number;
  readonly color: Rgb;
  /** 0 … 1. @defaultValue 1 */
  readonly opacity?: number | undefined;
  /** Number of dashes along the circle; a full line without. */
  readonly dashes?: number | undefined;
  /** Nothing is drawn outside of it. */
  readonly clip: Rect;
}

/** A line of text. */
export interface Text {
  readonly x: number;
  /** Top of the letters. */
  readonly y: number;
  readonly color: Rgb;
  /** Pixels per pixel of the font. */
  readonly scale: number;
}

/** An empty canvas of pixels, for a PNG. */
export const pngCanvas: CreateCanvas = (width, height, color) => {
  const pixels = { width, height, data: new Uint8Array(width * height * 3) };
  fillRect(pixels, { left: 0, top: 0, width, height }, color);
  return {
    width,
    height,
    fillRect: (rect, own) => fillRect(pixels, rect, own),
    paintGrey: (rect, grey) => paintGrey(pixels, rect, grey),
    drawRing: (ring) => drawRing(pixels, ring),
    drawText: (text, at) => drawText(pixels, text, at),
    encode: () => encode({ ...pixels, depth: 8, channels: 3 }),
  };
};

function fillRect(canvas: Pixels, { left, top, width, height }: Rect, color: Rgb): void {
  const right = Math.min(canvas.width, left + width);
  const bottom = Math.min(canvas.height, top + height);
  for (let y = Math.max(0, top); y < bottom; y++) {
    for (let x = Math.max(0, left); x < right; x++) blendPixel(canvas, x, y, color, 1);
  }
}

function paintGrey(canvas: Pixels, { left, top, width, height }: Rect, grey: Uint8Array): void {
  for (let y = 0; y < height; y++) {
    let to = ((top + y) * canvas.width + left) * 3;
    for (let x = 0; x < width; x++, to += 3) canvas.data.fill(grey[y * width + x], to, to + 3);
  }
}

function drawRing(canvas: Pixels, ring: Ring): void {
  const { x, y, radius, lineWidth, color, opacity = 1, dashes, clip } = ring;
  const reach = radius + lineWidth / 2 + 1;
  const right = Math.min(clip.left + clip.width - 1, Math.ceil(x + reach));
  const bottom = Math.min(clip.top + clip.height - 1, Math.ceil(y + reach));
  for (let row = Math.max(clip.top, Math.floor(y - reach)); row <= bottom; row++) {
    for (let column = Math.max(clip.left, Math.floor(x - reach)); column <= right; column++) {
      const distance = Math.abs(Math.hypot(column - x, row - y) - radius);
      const coverage = Math.min(1, lineWidth / 2 + 0.5 - distance);
      if (coverage <= 0) continue;
      if (dashes !== undefined && isGap(Math.atan2(row - y, column - x), dashes)) continue;
      blendPixel(canvas, column, row, color, coverage * opacity);
    }
  }
}

/** True in the second half of each of `dashes` equal arcs. */
function isGap(angle: number, dashes: number): boolean {
  const turns = (angle / (2 * Math.PI) + 1) * dashes;
  return turns - Math.floor(turns) >= 0.5;
}

/** Letters that leave the canvas are cut. */
function drawText(canvas: Pixels, text: string, { x, y, color, scale }: Text): void {
  let left = Math.round(x);
  for (const character of text) {
    const glyph = glyphOf(character);
    for (let cell = 0; cell < glyph.length; cell++) {
      if (glyph[cell] === 0) continue;
      const column = left + (cell % glyphWidth) * scale;
      const row = Math.round(y) + Math.floor(cell / glyphWidth) * scale;
      fillRect(canvas, { left: column, top: row, width: scale, height: scale }, color);
    }
    left += glyphWidth * scale;
  }
}

/** Width of a line of text, in pixels. */
export function textWidth(text: string, scale: number): number {
  return [...text].length * glyphWidth * scale;
}

/** Height of a line of text, in pixels, from the highest letter to the lowest. */
export function textHeight(scale: number): number {
  return glyphHeight * scale;
}

function blendPixel({ data, width }: Pixels, x: number, y: number, color: Rgb, opacity: number): void {
  const at = (y * width + x) * 3;
  for (let channel = 0; channel < 3; channel++) {
    data[at + channel] = Math.round(data[at + channel] + (color[channel] - data[at + channel]) * opacity);
  }
}

/**
 * Letters as pixels, for text in figures: the 6×13 "fixed" font of the X Window System (font-misc-misc, 6x13.bdf), whose
 * notice reads "Public domain font. Share and enjoy."; printable ASCII and the signs of units.
 */
const glyphWidth = 6;
const glyphHeight = 12;

/** Each sheet: the characters of a row, then their pixels side by side. */
const sheets: readonly (readonly [characters: string, pixels: string])[] = [
  [
    '!"#$%&\'()*+,-./0123',
    `
.............................................#...#................................................................
..#....#.#..........#....#..#.........#.....#.....#.....#...............................#...#.....#....###..#####.
..#....#.#...#.#...####.#.#.#..#......#.....#.....#...#.#.#.............................#..#.#...##...#...#.....#.
..#....#.#...#.#..#.#....#.#..#.#.....#....#.......#...###....#........................#..#...#.#.#...#...#....#..
..#.........#####.#.#......#..#.#..........#.......#..#.#.#...#........................#..#...#...#.......#...#...
..#..........#.#...###....#....#...........#.......#....#...#####.......#####.........#...#...#...#......#...###..
..#.........#####...#.#..#....#.#..........#.......#..........#......................#....#...#...#.....#.......#.
..#..........#.#....#.#..#.#..#..##........#.......#..........#......................#....#...#...#....#........#.
.............#.#..####..#.#.#.#..#..........#.....#.................##..........#...#......#.#....#...#.....#...#.
..#.................#...#..#...##.#.........#.....#.................#..........###..#.......#...#####.#####..###..
.............................................#...#.................#............#.................................
..................................................................................................................
`,
  ],
  [
    '456789:;<=>?@ABCDEF',
    `
..................................................................................................................
...#..#####..###..#####..###...###..................#.......#......###...###....#...####...###..####..#####.#####.
...#..#.....#...#.....#.#...#.#...#................#.........#....#...#.#...#..#.#...#..#.#...#..#..#.#.....#.....
..##..#.....#........#..#...#.#...#...#.....#.....#...........#...#...#.#...#.#...#..#..#.#......#..#.#.....#.....
.#.#..#.##..#........#..#...#.#...#..###...###...#....#####....#......#.#..##.#...#..#..#.#......#..#.#.....#.....
.#.#..##..#.####....#....###...####...#.....#...#...............#....#..#.#.#.#...#..###..#......#..#.####..####..
#..#......#.#...#...#...#...#.....#..............#.............#....#...#.#.#.#####..#..#.#......#..#.#.....#.....
#####.....#.#...#..#....#...#.....#...............#...#####...#.....#...#.##..#...#..#..#.#......#..#.#.....#.....
...#..#...#.#...#..#....#...#.#...#...#.....##.....#.........#..........#.....#...#..#..#.#...#..#..#.#.....#.....
...#...###...###...#.....###...###...###....#.......#.......#.......#....####.#...#.####...###..####..#####.#.....
......................................#....#......................................................................
..................................................................................................................
`,
  ],
  [
    'GHIJKLMNOPQRSTUVWXY',
    `
..................................................................................................................
.###..#...#..###....###.#...#.#.....#...#.#...#..###..####...###..####...###..#####.#...#.#...#.#...#.#...#.#...#.
#...#.#...#...#......#..#...#.#.....#...#.##..#.#...#.#...#.#...#.#...#.#...#...#...#...#.#...#.#...#.#...#.#...#.
#.....#...#...#......#..#..#..#.....##.##.##..#.#...#.#...#.#...#.#...#.#.......#...#...#.#...#.#...#..#.#...#.#..
#.....#...#...#......#..#.#...#.....#.#.#.#.#.#.#...#.#...#.#...#.#...#.#.......#...#...#.#...#.#...#..#.#...#.#..
#.....#####...#......#..##....#.....#.#.#.#.#.#.#...#.####..#...#.####...###....#...#...#..#.#..#.#.#...#.....#...
#..##.#...#...#......#..#.#...#.....#...#.#..##.#...#.#.....#...#.#.#.......#...#...#...#..#.#..#.#.#..#.#....#...
#...#.#...#...#......#..#..#..#.....#...#.#..##.#...#.#.....#...#.#..#......#...#...#...#..#.#..#.#.#..#.#....#...
#...#.#...#...#...#..#..#...#.#.....#...#.#...#.#...#.#.....#.#.#.#...#.#...#...#...#...#...#...#.#.#.#...#...#...
.###..#...#..###...##...#...#.#####.#...#.#...#..###..#......###..#...#..###....#....###....#....#.#..#...#...#...
................................................................#.................................................
..................................................................................................................
`,
  ],
  [
    'Z[\\]^_`abcdefghijkl',
    `
.......###.........###................#...........................................................................
#####..#....#........#....#............#........#...............#.........##........#.................#......##...
....#..#....#........#...#.#....................#...............#........#..#.......#.......#......#..#.......#...
...#...#.....#.......#..#...#...................#...............#........#..........#.................#.......#...
...#...#.....#.......#.....................###..####...###...####..###...#.....###..#.##...##.....##..#..#....#...
..#....#......#......#........................#.#...#.#...#.#...#.#...#.####..#...#.##..#...#......#..#.#.....#...
.#.....#.......#.....#.....................####.#...#.#.....#...#.#####..#....#...#.#...#...#......#..##......#...
.#.....#.......#.....#....................#...#.#...#.#.....#...#.#......#....#...#.#...#...#......#..#.#.....#...
#......#........#....#....................#..##.#...#.#...#.#...#.#...#..#.....####.#...#...#......#..#..#....#...
#####..#........#....#.....................##.#.####...###...####..###...#........#.#...#..###..#..#..#...#..###..
.......###.........###........#####...........................................#...#.............#..#..............
...............................................................................###...............##...............
`,
  ],
  [
    'mnopqrstuvwxyz{|}~Å',
    `
.......................................................................................##.......##............#...
......................................................................................#.....#.....#....#..#..#.#..
...........................................#..........................................#.....#.....#...#.#.#...#...
...........................................#..........................................#.....#.....#...#..#....#...
##.#..#.##...###..####...####.#.##...###..####..#...#.#...#.#...#.#...#.#...#.#####...#.....#.....#..........#.#..
#.#.#.##..#.#...#.#...#.#...#.##..#.#...#..#....#...#.#...#.#...#..#.#..#...#....#..##......#......##.......#...#.
#.#.#.#...#.#...#.#...#.#...#.#......##....#....#...#.#...#.#.#.#...#...#...#...#.....#.....#.....#.........#...#.
#.#.#.#...#.#...#.#...#.#...#.#........#...#....#...#..#.#..#.#.#...#...#..##..#......#.....#.....#.........#####.
#.#.#.#...#.#...#.####...####.#.....#...#..#..#.#..##..#.#..#.#.#..#.#...##.#.#.......#.....#.....#.........#...#.
#...#.#...#..###..#.........#.#......###....##...##.#...#....#.#..#...#.....#.#####...#.....#.....#.........#...#.
..................#.........#...........................................#...#..........##.......##................
..................#.........#............................................###......................................
`,
  ],
  [
    '×µ°±·',
    `
..............................
..............##..............
.............#..#...#.........
.............#..#...#.........
#...#.#...#...##..#####.......
.#.#..#...#.........#.....##..
..#...#...#.........#.........
.#.#..#...#...................
#...#.#..##.......#####.......
......###.#...................
......#.......................
......#.......................
`,
  ],
];

const blank = new Uint8Array(glyphWidth * glyphHeight);
const glyphs = new Map<string, Uint8Array>([[' ', blank]]);
for (const [characters, pixels] of sheets) {
  const rows = pixels.trim().split('\n');
  [...characters].forEach((character, column) => {
    const left = column * glyphWidth;
    const cells = rows.flatMap((row) => [...row.slice(left, left + glyphWidth)].map((cell) => (cell === '#' ? 1 : 0)));
    glyphs.set(character, Uint8Array.from(cells));
  });
}

/** The pixels of a character, row by row, 1 for ink; those of a question mark if the font lacks the character. */
export function glyphOf(character: string): Uint8Array {
  return glyphs.get(character) ?? glyphs.get('?') ?? blank;
}
