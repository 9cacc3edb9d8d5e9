import { decode } from 'fast-png';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import type { ParticlePick, Point, VoxelGrid } from '../../src/entry/index.ts';

/** The planes of the page, each with the indices into x, y, z of what runs right, down and across. */
const axes = { xy: [0, 1, 2], xz: [0, 2, 1], zy: [2, 1, 0] } as const;

/** Name of a slice. */
export type PlaneName = keyof typeof axes;

/** All slices. */
export const planeNames: readonly PlaneName[] = ['xy', 'xz', 'zy'];

/** What the slices show, by the address that the page keeps. */
export interface View {
  readonly at: readonly [x: number, y: number, z: number];
  readonly center: readonly [x: number, y: number, z: number];
  /** Screen pixels per Å. */
  readonly zoom: number;
}

/** Reads the address of a page. */
export function viewOf(tab: { url(): string }): View {
  const query = new URLSearchParams(new URL(tab.url()).hash.slice(1));
  const numbers = (name: string) => query.get(name)!.split(',').map(Number) as [number, number, number];
  return { at: numbers('at'), center: numbers('center'), zoom: Number(query.get('zoom')) };
}

/** Pixels of a slice. */
export interface Drawing {
  readonly width: number;
  readonly height: number;
  /** Red, green and blue. */
  colorAt(x: number, y: number): Color;
}

/** The drawing of a slice, without what lies over it. */
export async function drawingOf(tab: Page, plane: PlaneName): Promise<Drawing> {
  const address = await tab
    .locator(`.slice-${plane} canvas`)
    .evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL('image/png'));
  return drawingIn(address);
}

/** The pixels of a PNG that an address holds. */
export function drawingIn(address: string): Drawing {
  const { data, width, height, channels } = decode(Buffer.from(address.slice(address.indexOf(',') + 1), 'base64'));
  return {
    width,
    height,
    colorAt(x, y) {
      const at = (y * width + x) * channels;
      return [data[at]!, data[at + 1]!, data[at + 2]!];
    },
  };
}

/** A circle on the screen, in pixels. */
export interface Circle {
  readonly object: string;
  readonly left: number;
  readonly top: number;
  readonly radius: number;
}

/** What is compared with a drawing. */
export interface Expected {
  readonly picks: readonly ParticlePick[];
  readonly grid: VoxelGrid;
  /** Of each object, in Å. */
  readonly radii: Readonly<Record<string, number>>;
  /** Of each object; any colour will do where there is none. */
  readonly colors?: Readonly<Record<string, Color>>;
  /** A pixel counts as coloured if its red, green and blue are so far apart. @defaultValue 30 */
  readonly saturation?: number;
  readonly view: View;
}

type Color = readonly [red: number, green: number, blue: number];

/** Where a position shows in a slice. */
export function placeIn(plane: PlaneName, view: View, { width, height }: Pick<Drawing, 'width' | 'height'>) {
  const [right, down] = axes[plane];
  return (at: readonly [number, number, number]): { readonly left: number; readonly top: number } => ({
    left: width / 2 + (at[right]! - view.center[right]!) * view.zoom,
    top: height / 2 + (at[down]! - view.center[down]!) * view.zoom,
  });
}

/** The circles that a slice cuts out of the spheres of picks, computed without the page's own code. */
export function circlesOf(
  plane: PlaneName,
  { picks, grid, radii, view }: Expected,
  size: Pick<Drawing, 'width' | 'height'>,
): Circle[] {
  const across = axes[plane][2];
  const origin = [grid.origin.x, grid.origin.y, grid.origin.z][across]!;
  const step = grid.voxelSize[2 - across]!;
  const cut = origin + Math.round((view.at[across]! - origin) / step) * step;
  const place = placeIn(plane, view, size);
  const circles: Circle[] = [];
  for (const { object, position } of picks) {
    const at = [position.x, position.y, position.z] as const;
    const away = Math.abs(at[across]! - cut);
    const sphere = radii[object]!;
    if (away < sphere) circles.push({ object, ...place(at), radius: Math.sqrt(sphere ** 2 - away ** 2) * view.zoom });
  }
  return circles;
}

/** Checks that coloured pixels of a drawing lie on the circles, on all of them, and nowhere else but on the cross-hair. */
export function expectCircles(drawing: Drawing, plane: PlaneName, expected: Expected): number {
  const { width, height, colorAt } = drawing;
  const { saturation = 30 } = expected;
  const cross = placeIn(plane, expected.view, drawing)(expected.view.at);
  const isColored = (x: number, y: number, color?: Color) => {
    if (x < 0 || y < 0 || x >= width || y >= height) return false;
    const found = colorAt(x, y);
    if (Math.max(...found) - Math.min(...found) <= saturation) return false;
    return color === undefined || likeness(found, color) > 0.9;
  };
  const circles = circlesOf(plane, expected, drawing);
  let drawn = 0;
  for (const { object, left, top, radius } of circles) {
    let seen = 0;
    let hit = 0;
    let own = 0;
    for (let angle = 0; angle < 2 * Math.PI; angle += 0.1) {
      const [x, y] = [left + radius * Math.cos(angle), top + radius * Math.sin(angle)];
      if (x < 2 || y < 2 || x > width - 3 || y > height - 3) continue;
      seen++;
      const around = [-1, 0, 1].flatMap((dy) =>
        [-1, 0, 1].map((dx) => [Math.floor(x) + dx, Math.floor(y) + dy] as const),
      );
      if (around.some(([px, py]) => isColored(px, py))) hit++;
      if (around.some(([px, py]) => isColored(px, py, expected.colors?.[object]))) own++;
    }
    if (seen > 0) drawn++;
    const what = `ring of ${object} at ${left.toFixed(1)}, ${top.toFixed(1)} of radius ${radius.toFixed(1)} in ${plane}`;
    expect(hit, what).toBeGreaterThanOrEqual(0.9 * seen);
    // Another ring may lie over a part of it.
    expect(own, `${what} in its colour`).toBeGreaterThanOrEqual(0.7 * seen);
  }
  const astray: string[] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!isColored(x, y) || Math.abs(x - cross.left) < 2 || Math.abs(y - cross.top) < 2) continue;
      const isOnRing = circles.some(
        ({ left, top, radius }) => Math.abs(Math.hypot(x + 0.5 - left, y + 0.5 - top) - radius) < 3,
      );
      if (!isOnRing) astray.push(`${x}, ${y}`);
    }
  }
  expect(astray, `coloured pixels of ${plane} beside the rings`).toEqual([]);
  return drawn;
}

/** How alike two colours are, whatever grey is mixed into them: 1 for the same hue. */
function likeness(a: Color, b: Color): number {
  const hue = (color: Color) => color.map((part) => part - (color[0] + color[1] + color[2]) / 3);
  const [one, other] = [hue(a), hue(b)];
  const dot = (left: readonly number[], right: readonly number[]) =>
    left.reduce((sum, value, i) => sum + value * right[i]!, 0);
  return dot(one, other) / Math.sqrt(dot(one, one) * dot(other, other) || 1);
}

/** Checks the rings of a slice in Chromium; returns how many there are. */
export async function expectRings(tab: Page, plane: PlaneName, expected: Omit<Expected, 'view'>): Promise<number> {
  return expectCircles(await drawingOf(tab, plane), plane, { ...expected, view: viewOf(tab) });
}

/** Where a position shows in the xy slice, on the screen. */
export async function spotOf(tab: Page, { x, y, z }: Point): Promise<{ readonly left: number; readonly top: number }> {
  const box = (await tab.locator('.slice-xy canvas').boundingBox())!;
  const { left, top } = placeIn('xy', viewOf(tab), box)([x, y, z]);
  return { left: box.x + left, top: box.y + top };
}
