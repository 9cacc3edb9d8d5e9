import { readFileSync } from 'node:fs';
import { simulateTomogram } from '../../src/entry/simulate.ts';
import { type NinePlanes, planesOf, side } from './statistics.ts';

/** Particles per 180×160×160 voxels, as crowded as the real cube looks: a guess from its nine planes. */
const counts = { ribosome: 12, 'virus-like-particle': 1, thyroglobulin: 3, 'beta-galactosidase': 2, 'apo-ferritin': 9 };

/** Nine planes of a real tomogram, TS_100_3 of CryoET Data Portal dataset 10445. */
export function realPlanes(file: string): NinePlanes {
  const bytes = readFileSync(file);
  return Array.from({ length: 9 }, (_, i) => Float64Array.from(bytes.subarray(i * side * side, (i + 1) * side * side)));
}

/** Noise of the real cube relative to that of the default, which is that of another tomogram, TS_6_4. */
const noise = 0.75;

/** Nine planes of a simulated cube, equally crowded; without membranes, filaments and gold, since the real one has none. */
export async function simulatedPlanes(seed: number): Promise<NinePlanes> {
  const { volume } = await simulateTomogram({ shape: [180, 160, 160], seed, counts, surroundings: {}, noise });
  return planesOf(volume, [26, 16, 16]);
}
