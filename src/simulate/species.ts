import type { PickableObject } from '../copick/object.ts';
import { requireArgument, text } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type CziiObject, cziiRules } from '../metric/rules.ts';
import type { VoxelGrid, Zyx } from '../space/grid.ts';
import table from './data/beads.json' with { type: 'json' };

/**
 * A molecule that the simulator draws: a sum of Gaussians of one width around its centre of mass.
 *
 * Densities are relative to solid protein: 1 means protein everywhere.
 */
export interface Species {
  /** The pickable object's name, or the name of a decoy. */
  readonly name: string;
  /** Entry of the Protein Data Bank; `null` if no structure was used. */
  readonly pdbId: string | null;
  /** `particle`: one of the competition's six; `decoy`: anything else in the ice, never part of the ground truth. */
  readonly kind: 'particle' | 'decoy';
  /** Standard deviation of every bead, in Å. */
  readonly sigma: number;
  /**
   * Radius around the centre of mass that contains 90 % of the density, in Å. Two particles are at least the sum of their
   * radii apart.
   */
  readonly radius: number;
  /** x, y, z (Å, relative to the centre of mass) and peak density of each bead. */
  readonly beads: Float64Array;
}

/**
 * How the capsid of the tomograms differs from its map, which is a virion's: no RNA, which is what lies within `inside` (Å);
 * smaller, its shell at 115 Å instead of 130, as the competition's radius of 135 Å says, too; and fainter. Measured on a real
 * particle (`training/realism`).
 */
const capsid = { name: 'virus-like-particle', inside: 105, scale: 0.885, contrast: 0.52 } as const;

/** The species the simulator knows: the competition's six, then the decoys, large and small. */
export const species: readonly Species[] = [
  ...table.species.map((entry) => {
    const known = speciesOfTable(entry);
    return known.name === capsid.name ? capsidOf(known) : known;
  }),
  // A tetramer of 224 kDa, as loosely filled as the maps of other proteins are.
  ellipsoid('beta-amylase', [55, 48, 40], { kind: 'particle', sigma: 9, density: 0.62 }),
];

/** The species of this name. @throws {@link CryoetPicksError} `invalid-option` if no species has it. */
export function speciesNamed(name: string): Species {
  requireArgument('speciesNamed', 'name', name, text);
  const found = species.find((candidate) => candidate.name === name);
  if (found === undefined) {
    const known = species.map((candidate) => candidate.name).join(', ');
    throw new CryoetPicksError('invalid-option', `unknown species "${name}"; available: ${known}`);
  }
  return found;
}

function speciesOfTable(entry: (typeof table.species)[number]): Species {
  const beads = Float64Array.from(entry.beads, (value, i) => (i % 4 === 3 ? value / 1000 : value / 10));
  const kind = entry.kind === 'particle' ? 'particle' : 'decoy';
  return { name: entry.name, pdbId: entry.pdbId, kind, sigma: entry.sigma, radius: entry.radius, beads };
}

/** The capsid of the tomograms, of a virion's beads, about its own centre of mass. */
function capsidOf({ beads, radius, ...virion }: Species): Species {
  const shell: number[] = [];
  const moment = [0, 0, 0];
  let mass = 0;
  for (let i = 0; i < beads.length; i += 4) {
    if (Math.hypot(beads[i]!, beads[i + 1]!, beads[i + 2]!) < capsid.inside) continue;
    const weight = beads[i + 3]!;
    mass += weight;
    for (let axis = 0; axis < 3; axis++) {
      moment[axis]! += weight * beads[i + axis]!;
      shell.push(capsid.scale * beads[i + axis]!);
    }
    shell.push(capsid.contrast * weight);
  }
  const centred = shell.map((value, i) => (i % 4 === 3 ? value : value - (capsid.scale * moment[i % 4]!) / mass));
  return { ...virion, radius: capsid.scale * radius, beads: Float64Array.from(centred) };
}

/** A solid ellipsoid with half axes in Å; density relative to protein. */
export function ellipsoid(
  name: string,
  axes: readonly [number, number, number],
  { kind, sigma, density }: Pick<Species, 'kind' | 'sigma'> & { readonly density: number },
): Species {
  return { name, pdbId: null, kind, sigma, radius: Math.max(...axes), beads: solidBeads(axes, { sigma, density }) };
}

/** The true voxel size of the competition's tomograms along z, y, x, in Å; the label of their folders is 10.000. */
export const cziiVoxelSize: Zyx = [10.012444196428572, 10.012444196428572, 10.012444537618887];

/** The shape of the competition's tomograms. */
export const cziiShape: Zyx = [184, 630, 630];

/** Number of molecules of each species in a volume of the competition's size: the mean of its seven training runs, and decoys. */
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

/** Minimum number of molecules of each of the six species in a small volume, if they fit. */
const fewestParticles = 2;

/** What determines the number of molecules in a scene. */
export interface Demand {
  readonly counts?: Readonly<Record<string, number>> | undefined;
  readonly decoys?: number | undefined;
  /** Whether particles are given, so that no others are placed. */
  readonly positions?: readonly unknown[] | undefined;
}

/** The wanted number of a species. */
export interface Wanted {
  readonly candidate: Species;
  readonly count: number;
  /** Whether fewer are an error. */
  readonly exact: boolean;
}

/** The wanted numbers of all species, largest species first, because those are hardest to fit. */
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
  return volumeOf(shape, voxelSize) / volumeOf(cziiShape, cziiVoxelSize);
}

function volumeOf(shape: Zyx, voxelSize: Zyx): number {
  return shape.reduce((product, length, axis) => product * length * voxelSize[axis]!, 1);
}

/**
 * The competition's six objects as a copick config declares them: the competition's names, labels and radii (Å), the colours of
 * this package, and the PDB ids of the structures that the simulator draws. beta-amylase (1FA2) is drawn as an ellipsoid
 * with half axes of 55, 48 and 40 Å, and is never scored.
 */
export const simulatedObjects: readonly PickableObject[] = [
  pickable('apo-ferritin', 1, '6PXM'),
  pickable('beta-amylase', 2, '1FA2'),
  pickable('beta-galactosidase', 3, '1F4A'),
  pickable('ribosome', 4, '6QZP'),
  pickable('thyroglobulin', 5, '7N4Y'),
  pickable('virus-like-particle', 6, '8TUX'),
];

function pickable(name: CziiObject, label: number, pdbId: string): PickableObject {
  const { radius, color } = cziiRules.objects[name];
  return { name, isParticle: true, label, radius, pdbId, color: [...color, 255], metadata: {} };
}

/**
 * Gaussians on a lattice that fill an ellipsoid of given half axes (Å) with a given density: x, y, z and weight of each.
 */
function solidBeads(
  [a, b, c]: readonly [number, number, number],
  { sigma, density }: { readonly sigma: number; readonly density: number },
): Float64Array {
  const step = (4 / 3) * sigma;
  // Gaussians on a lattice, one per step³, add up to weight · (√(2π) σ / step)³.
  const weight = density * (step / (Math.sqrt(2 * Math.PI) * sigma)) ** 3;
  const beads: number[] = [];
  const reach = Math.ceil(Math.max(a, b, c) / step);
  for (let i = -reach; i <= reach; i++) {
    for (let j = -reach; j <= reach; j++) {
      for (let k = -reach; k <= reach; k++) {
        const [x, y, z] = [i * step, j * step, k * step];
        if ((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2 <= 1) beads.push(x, y, z, weight);
      }
    }
  }
  return Float64Array.from(beads);
}
