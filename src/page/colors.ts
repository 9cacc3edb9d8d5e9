import type { PickableObject, SegmentationEntry } from '../entry/copick.ts';

type Rgb = readonly [red: number, green: number, blue: number];

/** The colours of Okabe and Ito, which stay apart for every common form of colour blindness; without black. */
const safe: readonly Rgb[] = [
  [230, 159, 0],
  [86, 180, 233],
  [0, 158, 115],
  [240, 228, 66],
  [213, 94, 0],
  [204, 121, 167],
  [0, 114, 178],
];

/** Closer than this in RGB, two colours look the same on a ring. */
const MIN_DISTANCE = 60;
/** Smaller than this, the difference of the largest and the smallest part makes a grey. */
const MIN_CHROMA = 50;
/** Darker than this, a colour does not show on the dark page: a contrast of 3:1 needs it. */
const MIN_LUMINANCE = 0.13;

/**
 * A colour for each object: its own, where it is bright, no grey, and apart from those before it; else the first safe colour that
 * is free, and beyond those another hue.
 */
export function colorsOf(objects: readonly Pick<PickableObject, 'name' | 'color'>[]): Map<string, string> {
  const taken: Rgb[] = [];
  const isFree = (color: Rgb) => taken.every((other) => distance(color, other) >= MIN_DISTANCE);
  const colors = new Map<string, string>();
  for (const { name, color } of objects) {
    const own: Rgb = [color[0], color[1], color[2]];
    const chosen = isVivid(own) && isFree(own) ? own : (safe.find(isFree) ?? hue(taken.length));
    taken.push(chosen);
    colors.set(name, `rgb(${chosen.join(' ')})`);
  }
  return colors;
}

/** What a segmentation is of: the name of its object where it has one. */
export type Segmented = Pick<SegmentationEntry, 'kind' | 'name'>;

/** How much of the ice a label covers, 0 … 255. */
const LABEL_ALPHA = 110;

/**
 * The pixel of each label of a segmentation, as little-endian RGBA: that of its object, or for the number of a particle a hue of its
 * own; the background is clear.
 */
export function labelColors(
  objects: readonly { readonly name: string; readonly color: string; readonly label?: number | undefined }[],
  { kind, name }: Segmented,
): Uint32Array {
  const pixels = Uint32Array.from({ length: 65536 }, (_, label) => pixelOf(hue(label)));
  const inside = objects.filter((object) => object.name === name).map((object) => ({ ...object, label: 1 }));
  for (const { color, label } of kind === 'binary' ? inside : kind === 'instance' ? [] : objects) {
    if (label !== undefined) pixels[label] = pixelOf(color.match(/\d+/g)?.map(Number) as unknown as Rgb);
  }
  pixels[0] = 0;
  return pixels;
}

function pixelOf([red, green, blue]: Rgb): number {
  return (LABEL_ALPHA << 24) | (blue << 16) | (green << 8) | red;
}

function isVivid(color: Rgb): boolean {
  return Math.max(...color) - Math.min(...color) >= MIN_CHROMA && luminance(color) >= MIN_LUMINANCE;
}

/** Relative luminance, 0 … 1, as WCAG defines it. */
function luminance(color: Rgb): number {
  const [red, green, blue] = color.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function distance(a: Rgb, b: Rgb): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

/** Hues a golden angle apart: neighbours in the list differ most. */
function hue(index: number): Rgb {
  const angle = (index * 137.508) % 360;
  const part = (shift: number) => {
    const k = (shift + angle / 30) % 12;
    return Math.round(255 * (0.65 - 0.3 * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [part(0), part(8), part(4)];
}
