import { direction } from './place.ts';
import type { Random } from './random.ts';
import type { PlacedMolecule } from './render.ts';
import { speciesNamed } from './species.ts';

/** What clumps are made of. */
const members = ['hsp70', 'get3', 'esterase', 'hsp70-atpase-domain', 'hsp90', 'rubisco', 'cand1-cul1'] as const;

/** Members of a clump touch as soft things do: this share of the sum of their radii apart. */
const overlap = 0.75;

/** A clump of so many denatured proteins about the origin, each against another. */
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
