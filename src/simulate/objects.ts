import type { PickableObject } from '../copick/config.ts';
import { type CompetitionObject, competition } from '../metric/competition.ts';

/**
 * The competition's six objects as a copick config declares them: its names, labels and radii (Å), the colours of this
 * package, and PDB ids of what the simulator draws. beta-amylase (1FA2) is drawn as a compact ellipsoid of about 65 Å, and
 * never scored.
 */
export const simulatedObjects: readonly PickableObject[] = [
  pickable('apo-ferritin', 1, '6PXM'),
  pickable('beta-amylase', 2, '1FA2'),
  pickable('beta-galactosidase', 3, '1F4A'),
  pickable('ribosome', 4, '6QZP'),
  pickable('thyroglobulin', 5, '7N4Y'),
  pickable('virus-like-particle', 6, '8TUX'),
];

function pickable(name: CompetitionObject, label: number, pdbId: string): PickableObject {
  const { radius, color } = competition.objects[name];
  return { name, isParticle: true, label, radius, pdbId, color: [...color, 255], metadata: {} };
}
