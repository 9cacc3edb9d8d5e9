import { CryoetPicksError } from '../errors.ts';
import table from './data/beads.json' with { type: 'json' };
import { solidBeads } from './solid.ts';

/**
 * A molecule as a sum of Gaussians of one width, about its centre of mass: what the simulator draws.
 *
 * Densities are relative to solid protein: 1 means protein everywhere.
 */
export interface Species {
  /** The pickable object's name, or the name of a decoy. */
  readonly name: string;
  /** Entry of the Protein Data Bank; `null` where no structure was used. */
  readonly pdbId: string | null;
  /** `particle`: one of the competition's six; `decoy`: anything else in the ice, in no list of picks. */
  readonly kind: 'particle' | 'decoy';
  /** Standard deviation of every bead, in Å. */
  readonly sigma: number;
  /** Radius around the centre of mass that holds 90 % of the density, in Å: two particles keep the sum of theirs. */
  readonly radius: number;
  /** x, y, z (Å, from the centre of mass) and peak density of one bead after the other. */
  readonly beads: Float64Array;
}

/** RNA scatters electrons more strongly than protein: what a ribosome gains over its map, which counts mass alone. */
const ribosomeContrast = 1.2;

/** The species the simulator knows: the competition's six, then the decoys, large and small. */
export const species: readonly Species[] = [
  ...table.species.map((entry) => speciesOfTable(entry)),
  ellipsoid('beta-amylase', [37, 33, 27], { kind: 'particle', sigma: 9, density: 1 }),
];

/** The species of this name. @throws {@link CryoetPicksError} `invalid-option` if there is none. */
export function speciesNamed(name: string): Species {
  const found = species.find((candidate) => candidate.name === name);
  if (found === undefined) {
    const known = species.map((candidate) => candidate.name).join(', ');
    throw new CryoetPicksError('invalid-option', `no species "${name}" to simulate; available: ${known}`);
  }
  return found;
}

function speciesOfTable(entry: (typeof table.species)[number]): Species {
  const contrast = entry.name === 'ribosome' ? ribosomeContrast : 1;
  const beads = Float64Array.from(entry.beads, (value, i) => (i % 4 === 3 ? (value / 1000) * contrast : value / 10));
  const kind = entry.kind === 'particle' ? 'particle' : 'decoy';
  return { name: entry.name, pdbId: entry.pdbId, kind, sigma: entry.sigma, radius: entry.radius, beads };
}

/** A solid ellipsoid with these half axes, in Å; density relative to protein's. */
export function ellipsoid(
  name: string,
  axes: readonly [number, number, number],
  { kind, sigma, density }: Pick<Species, 'kind' | 'sigma'> & { readonly density: number },
): Species {
  return { name, pdbId: null, kind, sigma, radius: Math.max(...axes), beads: solidBeads(axes, { sigma, density }) };
}
