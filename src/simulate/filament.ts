import type { Random } from './random.ts';
import type { Species } from './species.ts';

/** A helix of subunits, each one Gaussian. */
interface Helix {
  readonly name: string;
  /** Radius of the subunits' centres, in Å. */
  readonly centres: number;
  /** Å along the axis, and turns around it, from subunit to subunit. */
  readonly rise: number;
  readonly turn: number;
  /** Width (Å) and peak density of a subunit: together its volume of protein. */
  readonly sigma: number;
  readonly weight: number;
  /** Length, in Å, over which its direction is forgotten. */
  readonly persistence: number;
}

/** Actin: 42 kDa (51,000 Å³) every 27.5 Å, 166.7° on; persistence of 10 µm (K. C. Holmes et al., Nature 347, 44, 1990). */
const actin: Helix = {
  name: 'actin-filament',
  centres: 17,
  rise: 27.5,
  turn: -166.7 / 360,
  sigma: 14,
  weight: 1.18,
  persistence: 1e5,
};

/** A microtubule: 13 protofilaments, 50 kDa (60,500 Å³) every 40.9 Å of each, neighbours 3/13 of that apart along the axis. */
const microtubule: Helix = {
  name: 'microtubule',
  centres: 112,
  rise: 40.9 / 13,
  turn: -4 / 13,
  sigma: 14,
  weight: 1.4,
  persistence: 1e7,
};

/** What can be drawn as a filament. */
export const helices: Readonly<Record<'filaments' | 'microtubules', Helix>> = {
  filaments: actin,
  microtubules: microtubule,
};

/** A filament of this length (Å) about the x axis, bent as heat bends a rod of its stiffness. */
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
