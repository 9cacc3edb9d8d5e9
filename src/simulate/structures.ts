import type { Steps } from '../core/concurrency.ts';
import type { PlacedMolecule } from './density.ts';
import { direction } from './packing.ts';
import { createRandom, type Random } from './random.ts';
import { type Species, speciesNamed } from './species.ts';

/** Distance between the head groups of a membrane's two leaflets, in Å. */
const leaflets = 36;

/** Distance between beads of a leaflet, in Å. */
const spacing = 14;

const sigma = 9;

/** Peak density of a leaflet, relative to solid protein. */
const density = 0.8;

/** Maximum ratio of the longest to the shortest radius. */
const roundness = 1.35;

/**
 * A vesicle: two leaflets of Gaussians on a slightly dented ellipsoid.
 *
 * @param radius - Mean radius, in Å.
 */
export function* vesicle(radius: number, random: Random): Steps<Species> {
  const axes = [0, 1, 2].map(() => 1 + (random.uniform() - 0.5) * (roundness - 1)) as [number, number, number];
  const dents = Array.from({ length: 4 }, () => ({ direction: direction(random), depth: 0.06 * random.normal() }));
  const shells = [-leaflets / 2, leaflets / 2].map((leaflet) => ({
    leaflet,
    count: Math.round((4 * Math.PI * (radius + leaflet) ** 2) / spacing ** 2),
  }));
  const beads = new Float64Array(4 * shells.reduce((sum, { count }) => sum + count, 0));
  let at = 0;
  for (const { leaflet, count } of shells) {
    // Gaussians on a plane, one per spacing², add up to weight · 2π σ² / spacing².
    const weight = (density * spacing ** 2) / (2 * Math.PI * sigma ** 2);
    for (let i = 0; i < count; i++) {
      const [x, y, z] = spiralPoint(i, count);
      let scale = radius;
      for (const dent of dents) {
        const along = x * dent.direction[0] + y * dent.direction[1] + z * dent.direction[2];
        scale += radius * dent.depth * along ** 3;
      }
      beads[at++] = (scale * axes[0] + leaflet) * x;
      beads[at++] = (scale * axes[1] + leaflet) * y;
      beads[at++] = (scale * axes[2] + leaflet) * z;
      beads[at++] = weight;
      if (i % 1024 === 0) yield;
    }
  }
  return { name: 'vesicle', pdbId: null, kind: 'decoy', sigma, radius, beads };
}

/** Point i of n evenly spread points of the unit sphere, on a golden spiral with an irrational angle between points. */
function spiralPoint(i: number, n: number): [number, number, number] {
  const z = 1 - (2 * i + 1) / n;
  const around = i * Math.PI * (3 - Math.sqrt(5));
  const r = Math.sqrt(1 - z * z);
  return [r * Math.cos(around), r * Math.sin(around), z];
}

/** The species that clumps consist of. */
const members = ['hsp70', 'get3', 'esterase', 'hsp70-atpase-domain', 'hsp90', 'rubisco', 'cand1-cul1'] as const;

/** Distance between members of a clump, relative to the sum of their radii. */
const overlap = 0.75;

/** A clump of denatured proteins around the origin, each touching another. */
export function aggregate(size: number, random: Random): readonly PlacedMolecule[] {
  const clump: PlacedMolecule[] = [];
  for (let i = 0; i < size; i++) {
    const species = speciesNamed(members[random.integer(members.length)]!);
    const rotation = random.rotation();
    const host = clump[random.integer(clump.length)];
    if (host === undefined) {
      clump.push({ species, position: { x: 0, y: 0, z: 0 }, rotation });
      continue;
    }
    const [x, y, z] = direction(random);
    const distance = overlap * (host.species.radius + species.radius);
    const { position } = host;
    const beside = { x: position.x + distance * x, y: position.y + distance * y, z: position.z + distance * z };
    clump.push({ species, position: beside, rotation });
  }
  return clump;
}

/** A helix of subunits, each one Gaussian. */
interface Helix {
  readonly name: string;
  /** Radius of the subunits' centres, in Å. */
  readonly centres: number;
  /** Rise in Å and rotation in turns from subunit to subunit. */
  readonly rise: number;
  readonly turn: number;
  /** Width (Å) and peak density of a subunit, which together give its volume of protein. */
  readonly sigma: number;
  readonly weight: number;
  /** Persistence length, in Å. */
  readonly persistence: number;
}

/** Actin: 42 kDa (51,000 Å³) every 27.5 Å and 166.7°; persistence length 10 µm (K. C. Holmes et al., Nature 347, 44, 1990). */
const actin: Helix = {
  name: 'actin-filament',
  centres: 17,
  rise: 27.5,
  turn: -166.7 / 360,
  sigma: 14,
  weight: 1.18,
  persistence: 1e5,
};

/** A microtubule: 13 protofilaments, 50 kDa (60,500 Å³) every 40.9 Å along each, neighbours shifted by 3/13 of that. */
const microtubule: Helix = {
  name: 'microtubule',
  centres: 112,
  rise: 40.9 / 13,
  turn: -4 / 13,
  sigma: 14,
  weight: 1.4,
  persistence: 1e7,
};

/** The kinds of filaments. */
export const helices: Readonly<Record<'filaments' | 'microtubules', Helix>> = {
  filaments: actin,
  microtubules: microtubule,
};

/** A filament of a length (Å) along the x axis, with the thermal bending of a rod of its stiffness. */
export function filament(
  helix: Helix,
  { length, random }: { readonly length: number; readonly random: Random },
): Species {
  const bow = Math.sqrt(length ** 3 / (48 * helix.persistence));
  // Ice is thin, and filaments lie in it: less bent along z.
  const [bowY, bowZ] = [bow * random.normal(), 0.2 * bow * random.normal()];
  const start = random.uniform();
  const beads: number[] = [];
  for (let i = 0; i < Math.round(length / helix.rise); i++) {
    const x = (i + 0.5) * helix.rise - length / 2;
    const bent = 1 - ((2 * x) / length) ** 2;
    const angle = 2 * Math.PI * (start + i * helix.turn);
    const y = bowY * bent + helix.centres * Math.cos(angle);
    beads.push(x, y, bowZ * bent + helix.centres * Math.sin(angle), helix.weight);
  }
  const { name, sigma } = helix;
  return { name, pdbId: null, kind: 'decoy', sigma, radius: length / 2, beads: Float64Array.from(beads) };
}

/** The capsid, and the radius of its cavity, in Å. */
const capsid = { name: 'virus-like-particle', hollow: 85 } as const;

/** Minimum and maximum density of cargo (packed protein or RNA), relative to solid protein. */
const cargoDensity = [0.25, 0.7] as const;

/** Standard deviation of the weight of a bead of cargo, relative to the mean. */
const unevenness = 0.6;

/** Adds cargo to a fraction of the capsids; other molecules stay unchanged. */
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

/** A capsid with beads at random positions in its cavity. */
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
