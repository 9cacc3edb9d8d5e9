import type { Axis } from '../entry/index.ts';
import { element } from './element.ts';
import type { GreyLevel, Section } from './grey-level.ts';
import type { Page } from './page.ts';
import { extentAlong, type Plane, planeIndex, type Size, spotOf, withAlong } from './planes.ts';

/** A volume that is painted. */
export interface Painted {
  /** Coarsest first. */
  readonly levels: readonly GreyLevel[];
  /** Returns the pixel of each grey; the same array while nothing has changed. */
  readonly colors: () => Uint32Array;
  /** How many planes are averaged. */
  readonly mean: number;
}

/** The picture of a plane of a volume: where the slices are, as far as voxels have been read. */
export interface SlicePicture {
  draw(context: CanvasRenderingContext2D, size: Size): void;
  /** Whether a brick has come or gone that changes what was drawn last. */
  isOutdated(): boolean;
}

/** What a level shows of a plane, painted. */
interface PaintedLevel {
  readonly canvas: HTMLCanvasElement;
  readonly image: ImageData;
  /** What it was painted from. */
  key: readonly unknown[];
}

/** Makes the picture of a plane, level over level, painted again only where something has changed. */
export function slicePicture({ live }: Page, plane: Plane, painted: () => Painted): SlicePicture {
  const pictures = new Map<GreyLevel, PaintedLevel>();
  const sectionOf = (level: GreyLevel, { levels, mean }: Painted): Section => ({
    ...plane,
    index: planeIndex(level.grid, plane.across, live.state.position),
    mean: meanAt(level, plane.across, levels.at(-1), mean),
    top: 0,
    left: 0,
    height: level.grid.shape[plane.down],
    width: level.grid.shape[plane.right],
  });
  const keyOf = (level: GreyLevel, now: Painted): readonly unknown[] => {
    const section = sectionOf(level, now);
    return [section.index, section.mean, now.colors(), level.stateOf(section).version];
  };
  const isPainted = (level: GreyLevel, key: readonly unknown[]) =>
    key.every((part, i) => part === pictures.get(level)?.key[i]);
  const shown = (now: Painted) => hidingOthers(now.levels, (level) => sectionOf(level, now));
  const pictureOf = (level: GreyLevel, now: Painted): HTMLCanvasElement => {
    const section = sectionOf(level, now);
    const picture = pictures.get(level) ?? emptyPicture(section);
    const key = keyOf(level, now);
    if (isPainted(level, key)) return picture.canvas;
    pictures.set(level, picture);
    picture.key = key;
    level.paint(section, now.colors(), new Uint32Array(picture.image.data.buffer));
    (picture.canvas.getContext('2d') as CanvasRenderingContext2D).putImageData(picture.image, 0, 0);
    return picture.canvas;
  };
  return {
    isOutdated() {
      const now = painted();
      const isGone = [...pictures.keys()].some((level) => !now.levels.includes(level));
      return isGone || shown(now).some((level) => !isPainted(level, keyOf(level, now)));
    },
    draw(context, size) {
      const now = painted();
      for (const level of pictures.keys()) if (!now.levels.includes(level)) pictures.delete(level);
      const { camera, position } = live.state;
      for (const level of shown(now)) {
        const down = extentAlong(level.grid, plane.down);
        const right = extentAlong(level.grid, plane.right);
        const corner = withAlong(withAlong(position, plane.down, down.start), plane.right, right.start);
        const { left, top } = spotOf(plane, camera, size, corner);
        const [width, height] = [(right.end - right.start) * camera.zoom, (down.end - down.start) * camera.zoom];
        // Voxels as squares where they are large, smooth where they are small.
        context.imageSmoothingEnabled = level.grid.voxelSize[plane.right] * camera.zoom < 6;
        context.imageSmoothingQuality = 'medium';
        context.drawImage(pictureOf(level, now), left, top, width, height);
      }
    },
  };
}

/** The levels of a picture that are not hidden by a finer one of which nothing is missing. */
export function hidingOthers(
  levels: readonly GreyLevel[],
  sectionOf: (level: GreyLevel) => Section,
): readonly GreyLevel[] {
  const lowest = levels.findLastIndex((level) => level.stateOf(sectionOf(level)).isComplete);
  return levels.slice(Math.max(0, lowest));
}

function emptyPicture({ width, height }: Section): PaintedLevel {
  return { canvas: element('canvas', { width, height }), image: new ImageData(width, height), key: [] };
}

/** As many planes of a level as make about the thickness of some planes of the finest one: an odd number. */
function meanAt(level: GreyLevel, axis: Axis, finest: GreyLevel | undefined, mean: number): number {
  if (finest === undefined || level === finest) return mean;
  const planes = (mean * finest.grid.voxelSize[axis]) / level.grid.voxelSize[axis];
  return 2 * Math.floor(planes / 2) + 1;
}
