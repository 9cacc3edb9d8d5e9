import { createRandom, type Random } from './random.ts';
import type { PlacedMolecule } from './render.ts';
import type { Species } from './species.ts';

/** The capsid, and the radius of its hollow, in Å. */
const capsid = { name: 'virus-like-particle', hollow: 92 } as const;

/** Loosest and densest cargo, relative to solid protein: proteins or RNA that were packed in. */
const cargoDensity = [0.25, 0.7] as const;

/** Deviation of a piece of cargo's weight, relative to the mean. */
const unevenness = 0.6;

/** Gives this share of the capsids cargo; all else stays as it is. */
export function fillCapsids(
  molecules: readonly PlacedMolecule[],
  { share, seed }: { readonly share: number; readonly seed: number },
): readonly PlacedMolecule[] {
  const random = createRandom(seed, 6);
  return molecules.map((molecule) => {
    if (molecule.species.name !== capsid.name || random.uniform() >= share) return molecule;
    return { ...molecule, species: withCargo(molecule.species, random) };
  });
}

/** A capsid with beads at random places of its hollow. */
function withCargo(species: Species, random: Random): Species {
  const density = cargoDensity[0] + (cargoDensity[1] - cargoDensity[0]) * random.uniform();
  const count = 160;
  const volume = (4 / 3) * Math.PI * capsid.hollow ** 3;
  const bead = (Math.sqrt(2 * Math.PI) * species.sigma) ** 3;
  const beads: number[] = [];
  while (beads.length < 4 * count) {
    const [x, y, z] = [0, 1, 2].map(() => (2 * random.uniform() - 1) * capsid.hollow) as [number, number, number];
    if (x * x + y * y + z * z > capsid.hollow ** 2) continue;
    const weight = (density * volume) / (count * bead);
    beads.push(x, y, z, Math.max(0, weight * (1 + unevenness * random.normal())));
  }
  return { ...species, beads: Float64Array.from([...species.beads, ...beads]) };
}
