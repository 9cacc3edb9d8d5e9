import { toPhysical, type VoxelGrid } from '../space/grid.ts';
import type { Point } from '../space/point.ts';
import type { Volume } from '../volume/volume.ts';
import type { Region } from './place.ts';
import type { Random } from './random.ts';

/** The edge of a hole in a carbon film: all of the film's thickness, outside of a circle. */
export interface CarbonEdge {
  /** Middle of the hole, in Å; it may lie outside the volume. */
  readonly x: number;
  readonly y: number;
  /** Radius of the hole, in Å. */
  readonly radius: number;
  /** Faces of the film, in Å. */
  readonly bottom: number;
  readonly top: number;
}

/** Density of amorphous carbon over that of ice, relative to protein's. */
const density = 1.2;

/** Å over which the film's faces and edge fade. */
const fade = 25;

/** Radius of the holes of a film with holes of 2 µm, in Å. */
const holeRadius = 10_000;

/** A hole's edge that cuts a corner or a side off the volume, in a film at the bottom of the ice. */
export function carbonEdge({ low, high }: Region, random: Random): CarbonEdge {
  const middle = { x: (low.x + high.x) / 2, y: (low.y + high.y) / 2 };
  const half = Math.min(high.x - low.x, high.y - low.y) / 2;
  const towards = 2 * Math.PI * random.uniform();
  // The film begins between 40 % and 90 % of the way from the middle to the side.
  const away = holeRadius - half * (0.4 + 0.5 * random.uniform());
  const thickness = 120 + 100 * random.uniform();
  return {
    x: middle.x - away * Math.cos(towards),
    y: middle.y - away * Math.sin(towards),
    radius: holeRadius,
    bottom: low.z,
    top: Math.min(high.z, low.z + thickness),
  };
}

/** How far a point is inside the film, in Å; negative outside. */
function depthInside(edge: CarbonEdge, { x, y, z }: Point): number {
  return Math.min(Math.hypot(x - edge.x, y - edge.y) - edge.radius, z - edge.bottom, edge.top - z);
}

/** True if a ball reaches into the film. */
export function touchesCarbon(
  edge: CarbonEdge,
  { centre, radius }: { readonly centre: Point; readonly radius: number },
): boolean {
  return depthInside(edge, centre) > -radius;
}

/** Adds the film's density to a volume. */
export function drawCarbon(
  volume: Volume,
  { grid, edge }: { readonly grid: VoxelGrid; readonly edge: CarbonEdge },
): void {
  const { data, shape, stride, offset } = volume;
  for (let z = 0; z < shape[0]; z++) {
    const height = toPhysical(grid, [z, 0, 0]).z;
    if (height < edge.bottom - fade || height > edge.top + fade) continue;
    for (let y = 0; y < shape[1]; y++) {
      let at = offset + z * stride[0] + y * stride[1];
      for (let x = 0; x < shape[2]; x++, at += stride[2]) {
        const inside = depthInside(edge, toPhysical(grid, [z, y, x]));
        if (inside > -fade) data[at] += density * Math.min(1, (inside + fade) / (2 * fade));
      }
    }
  }
}
