import { encode } from 'fast-png';
import {
  type Canvas,
  type CreateCanvas,
  type Rect,
  type Rgb,
  type Ring,
  type Text,
  textHeight,
  textWidth,
} from './canvas.ts';

/** An empty canvas for an SVG: rings, letters and rectangles stay shapes; grey slices are embedded as PNG. */
export const svgCanvas: CreateCanvas = (width, height, color) => {
  const canvas = new SvgCanvas(width, height);
  canvas.fillRect({ left: 0, top: 0, width, height }, color);
  return canvas;
};

/** The line on which letters stand, as a part of their height. */
const BASELINE = 10 / 12;

class SvgCanvas implements Canvas {
  readonly width: number;
  readonly height: number;
  readonly #elements: string[] = [];
  /** Identifiers of the rectangles to which rings are clipped. */
  readonly #clips = new Map<string, string>();

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
  }

  fillRect(rect: Rect, color: Rgb): void {
    this.#elements.push(`<rect ${placeOf(rect)} fill="${rgb(color)}"/>`);
  }

  paintGrey(rect: Rect, grey: Uint8Array): void {
    const png = encode({ width: rect.width, height: rect.height, data: grey, depth: 8, channels: 1 });
    const href = `data:image/png;base64,${base64(png)}`;
    this.#elements.push(`<image ${placeOf(rect)} preserveAspectRatio="none" href="${href}"/>`);
  }

  drawRing({ x, y, radius, lineWidth, color, opacity = 1, dashes, clip }: Ring): void {
    // In SVG the centre of the first pixel is (0.5, 0.5).
    const circle = `cx="${round(x + 0.5)}" cy="${round(y + 0.5)}" r="${round(radius)}"`;
    const stroke = `stroke="${rgb(color)}" stroke-width="${lineWidth}"${opacity < 1 ? ` stroke-opacity="${opacity}"` : ''}`;
    const dashed = dashes === undefined ? '' : ` pathLength="${2 * dashes}" stroke-dasharray="1"`;
    this.#elements.push(`<circle ${circle} ${stroke}${dashed} clip-path="url(#${this.#clipTo(clip)})"/>`);
  }

  drawText(text: string, { x, y, color, scale }: Text): void {
    const size = textHeight(scale);
    const at = `x="${round(x)}" y="${round(y + BASELINE * size)}" font-size="${round(0.85 * size)}"`;
    this.#elements.push(
      `<text ${at} fill="${rgb(color)}" textLength="${textWidth(text, scale)}" xml:space="preserve">${escapeXml(text)}</text>`,
    );
  }

  encode(): Uint8Array {
    const { width, height } = this;
    const clips = [...this.#clips].map(([place, id]) => `<clipPath id="${id}"><rect ${place}/></clipPath>`);
    const lines = [
      `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
        'font-family="ui-monospace, Menlo, Consolas, monospace" fill="none">',
      `<defs>${clips.join('')}</defs>`,
      ...this.#elements,
      '</svg>',
      '',
    ];
    return new TextEncoder().encode(lines.join('\n'));
  }

  #clipTo(clip: Rect): string {
    const place = placeOf(clip);
    const id = this.#clips.get(place) ?? `clip-${this.#clips.size}`;
    this.#clips.set(place, id);
    return id;
  }
}

function placeOf({ left, top, width, height }: Rect): string {
  return `x="${left}" y="${top}" width="${width}" height="${height}"`;
}

function rgb([red, green, blue]: Rgb): string {
  return `rgb(${red} ${green} ${blue})`.replaceAll(' ', ',');
}

/** Two decimals are finer than any screen. */
function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** Text as XML: control characters, which XML does not have, become question marks. */
function escapeXml(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
  return text.replace(/[&<>]/g, (character) => entities[character]!).replace(/\p{Cc}|\p{Cs}/gu, '?');
}

function base64(bytes: Uint8Array): string {
  let binary = '';
  // A call takes only so many arguments.
  for (let from = 0; from < bytes.length; from += 4096) {
    binary += String.fromCharCode(...bytes.subarray(from, from + 4096));
  }
  return btoa(binary);
}
