import { direction } from './place.ts';
import type { Random } from './random.ts';
import type { Species } from './species.ts';

/** Å between the head groups of a membrane's two leaflets. */
const leaflets = 36;

/** Å between beads of a leaflet. */
const spacing = 14;

const sigma = 9;

/** Peak density of a leaflet, relative to solid protein. */
const density = 0.8;

/** Longest radius relative to the shortest at most. */
const roundness = 1.35;

/**
 * A vesicle: two leaflets of Gaussians on an ellipsoid that is a little dented.
 *
 * @param radius - Mean radius, in Å.
 */
export function vesicle(radius: number, random: Random): Species {
  const axes = [0, 1, 2].map(() => 1 + (random.uniform() - 0.5) * (roundness - 1)) as [number, number, number];
  const dents = Array.from({ length: 4 }, () => ({ direction: direction(random), depth: 0.06 * random.normal() }));
  const beads: number[] = [];
  for (const leaflet of [-leaflets / 2, leaflets / 2]) {
    const count = Math.round((4 * Math.PI * (radius + leaflet) ** 2) / spacing ** 2);
    // A plane of Gaussians, one per spacing², adds up to weight · 2π σ² / spacing².
    const weight = (density * spacing ** 2) / (2 * Math.PI * sigma ** 2);
    for (let i = 0; i < count; i++) {
      const [x, y, z] = spiralPoint(i, count);
      let scale = radius;
      for (const dent of dents) {
        const along = x * dent.direction[0] + y * dent.direction[1] + z * dent.direction[2];
        scale += radius * dent.depth * along ** 3;
      }
      beads.push(
        (scale * axes[0] + leaflet) * x,
        (scale * axes[1] + leaflet) * y,
        (scale * axes[2] + leaflet) * z,
        weight,
      );
    }
  }
  return { name: 'vesicle', pdbId: null, kind: 'decoy', sigma, radius, beads: Float64Array.from(beads) };
}

/** Point i of n evenly over the unit sphere: a golden spiral, turned by an irrational part of a turn from point to point. */
function spiralPoint(i: number, n: number): [number, number, number] {
  const z = 1 - (2 * i + 1) / n;
  const around = i * Math.PI * (3 - Math.sqrt(5));
  const r = Math.sqrt(1 - z * z);
  return [r * Math.cos(around), r * Math.sin(around), z];
}
