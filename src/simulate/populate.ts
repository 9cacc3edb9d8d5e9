import { CryoetPicksError } from '../errors.ts';
import type { VoxelGrid } from '../space/grid.ts';
import type { Wanted } from './counts.ts';
import type { Packing, Region, Room } from './place.ts';
import { createRandom } from './random.ts';
import type { PlacedMolecule } from './render.ts';

/**
 * Which particles cluster: the share that is placed beside another of their kind, and how far from it at most, in sums of
 * their radii. The medians of the real truth's nearest distances are 130 Å for apo-ferritin and 300 Å for ribosomes, where
 * chance alone gives 600 Å and 630 Å.
 */
const clusters: Readonly<Record<string, { readonly share: number; readonly reach: number }>> = {
  'apo-ferritin': { share: 0.5, reach: 1.1 },
  ribosome: { share: 0.7, reach: 1.35 },
};

/** Places molecules of one species. @throws {@link CryoetPicksError} `invalid-option` where fewer fit than must. */
export function placeSpecies(
  { candidate, count, exact }: Wanted,
  { packing, region, random, clustering }: Room & { readonly packing: Packing; readonly clustering: number },
): PlacedMolecule[] {
  const placed: PlacedMolecule[] = [];
  const { radius, name } = candidate;
  const { share, reach } = clusters[name] ?? { share: 0, reach: 1 };
  for (let tried = 0; tried < count; tried++) {
    const beside = share * clustering;
    const host = beside > 0 && beside > random.uniform() ? placed[random.integer(placed.length)] : undefined;
    const position =
      (host === undefined
        ? undefined
        : packing.placeBeside(
            { centre: host.position, radius },
            { nearest: 2 * radius, furthest: 2 * radius * reach, region, random },
          )) ?? packing.place(radius, { region, random });
    if (position === undefined) continue;
    placed.push({ species: candidate, position, rotation: random.rotation() });
  }
  if (exact && placed.length < count) {
    throw new CryoetPicksError(
      'invalid-option',
      `only ${placed.length} of ${count} ${name} (radius ${radius} Å) find room without overlap`,
    );
  }
  return placed;
}

/** Where along z the centres lie, as a share of the depth: 39 to 1549 Å of 1832 Å in the competition's truth. */
const occupiedDepth = [0.02, 0.85] as const;

/** Thinnest and thickest ice, in Å: what holds 98 % of a run's true positions. */
const usualIce = [950, 1350] as const;

/** The box that centres lie in: the ice, which begins and ends within the volume where that is deep enough. */
export function occupiedRegion(
  { shape, voxelSize }: VoxelGrid,
  { seed, iceThickness }: { readonly seed: number; readonly iceThickness: number | undefined },
): Region {
  const random = createRandom(seed, 5);
  const [depth, height, width] = shape.map((length, axis) => (length - 1) * voxelSize[axis]!) as [
    number,
    number,
    number,
  ];
  const thickness = iceThickness ?? usualIce[0] + (usualIce[1] - usualIce[0]) * random.uniform();
  const [lowest, highest] = [occupiedDepth[0] * depth, occupiedDepth[1] * depth];
  const spare = Math.max(0, highest - lowest - thickness);
  const bottom = lowest + spare * random.uniform();
  // As close to the side faces as the truth gets.
  const [marginY, marginX] = [Math.min(50, height / 2), Math.min(50, width / 2)];
  return {
    low: { x: marginX, y: marginY, z: bottom },
    high: { x: width - marginX, y: height - marginY, z: Math.min(highest, bottom + thickness) },
  };
}
