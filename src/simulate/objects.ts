import type { PickableObject } from '../copick/config.ts';

/**
 * The competition's six objects as a copick config declares them: labels, colours and radii (Å) of its official notebook,
 * PDB ids of what the simulator draws. beta-amylase (1FA2) is drawn as a compact ellipsoid of about 65 Å, and never scored.
 */
export const simulatedObjects: readonly PickableObject[] = [
  pickable('apo-ferritin', { label: 1, radius: 60, pdbId: '6PXM', color: [0, 117, 220, 128] }),
  pickable('beta-amylase', { label: 2, radius: 65, pdbId: '1FA2', color: [153, 63, 0, 128] }),
  pickable('beta-galactosidase', { label: 3, radius: 90, pdbId: '1F4A', color: [76, 0, 92, 128] }),
  pickable('ribosome', { label: 4, radius: 150, pdbId: '6QZP', color: [0, 92, 49, 128] }),
  pickable('thyroglobulin', { label: 5, radius: 130, pdbId: '7N4Y', color: [43, 206, 72, 128] }),
  pickable('virus-like-particle', { label: 6, radius: 135, pdbId: '8TUX', color: [255, 204, 153, 128] }),
];

function pickable(name: string, fields: Omit<PickableObject, 'name' | 'isParticle' | 'metadata'>): PickableObject {
  return { name, isParticle: true, metadata: {}, ...fields };
}
