import type { VoxelGrid } from '../space/grid.ts';
import type { Zyx } from '../space/zyx.ts';
import { type Species, species, speciesNamed } from './species.ts';

/** The true voxel size of the competition's tomograms along z, y, x, in Å; their folders say 10.000. */
export const competitionVoxelSize: Zyx = [10.012444196428572, 10.012444196428572, 10.012444537618887];

/** The shape of the competition's tomograms. */
export const competitionShape: Zyx = [184, 630, 630];

/** Molecules of each species in a volume of the competition's size: the mean of its seven training runs, and decoys. */
const meanCounts: Readonly<Record<string, number>> = {
  'apo-ferritin': 375 / 7,
  'beta-amylase': 87 / 7,
  'beta-galactosidase': 112 / 7,
  ribosome: 331 / 7,
  thyroglobulin: 251 / 7,
  'virus-like-particle': 113 / 7,
  'fatty-acid-synthase': 4,
  'chaperonin-tric': 4,
  mitoribosome: 3,
  'proteasome-26s': 6,
  'proteasome-20s-pa26': 6,
  'proteasome-20s': 12,
  rubisco: 20,
  clpb: 16,
  p97: 16,
  'cand1-cul1': 24,
  'hsp110-hsp70': 24,
  hsp90: 30,
  hsp70: 500,
  get3: 500,
  'hsp70-atpase-domain': 600,
  esterase: 600,
};

/** Fewest molecules of each of the six species, however small the volume, as far as they fit. */
const fewestParticles = 2;

/** What decides how many molecules a scene gets. */
export interface Demand {
  readonly counts?: Readonly<Record<string, number>> | undefined;
  readonly decoys?: number | undefined;
  /** Particles are given: there are no others. */
  readonly positions?: readonly unknown[] | undefined;
}

/** How many of a species are wanted. */
export interface Wanted {
  readonly candidate: Species;
  readonly count: number;
  /** Fewer are an error. */
  readonly exact: boolean;
}

/** How many of what, largest first: what needs most room is placed while there is most. */
export function wantedSpecies(grid: VoxelGrid, { counts = {}, positions, decoys = 1 }: Demand): readonly Wanted[] {
  for (const name of Object.keys(counts)) speciesNamed(name);
  const share = volumeShare(grid);
  return [...species]
    .sort((a, b) => b.radius - a.radius)
    .map((candidate) => {
      const asked = counts[candidate.name];
      if (asked !== undefined) return { candidate, count: asked, exact: true };
      const usual = share * meanCounts[candidate.name]!;
      if (candidate.kind === 'decoy') return { candidate, count: Math.round(decoys * usual), exact: false };
      const count = positions === undefined ? Math.max(fewestParticles, Math.round(usual)) : 0;
      return { candidate, count, exact: false };
    });
}

/** Volume of a grid relative to the competition's. */
export function volumeShare({ shape, voxelSize }: VoxelGrid): number {
  return volumeOf(shape, voxelSize) / volumeOf(competitionShape, competitionVoxelSize);
}

function volumeOf(shape: Zyx, voxelSize: Zyx): number {
  return shape.reduce((product, length, axis) => product * length * voxelSize[axis]!, 1);
}
