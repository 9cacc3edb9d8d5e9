import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openMrcFile } from 'cryoet-picks/node';
import type { Crop } from './crops.ts';
import { cropsOf } from './simulated.ts';

const name = 'empiar10491_apoferritin_left';

/** Voxel size that the tomogram is opened with, and that of the coordinates of its particles, which are index × 10, in Å. */
const voxelSize = 10.012;
const voxelSizeOfPicks = 10;

/** Correlation from which a particle of the pseudo-truth is sure. */
const sureFrom = 0.5;

/** Crops around the sure particles of a real tomogram of purified apo-ferritin; none where its files are missing. */
export async function apoferritinCrops(folder: string): Promise<readonly Crop[]> {
  const [tomogramFile, picksFile] = [join(folder, `${name}.mrc`), join(folder, `${name}_picks.csv`)];
  if (![tomogramFile, picksFile].every((path) => existsSync(path))) return [];
  const { grid, read } = await openMrcFile(tomogramFile, { voxelSize });
  const picks = readFileSync(picksFile, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(',').map(Number) as [number, number, number, number])
    .filter(([, , , correlation]) => correlation >= sureFrom)
    .map(([x, y, z]) => {
      const scale = voxelSize / voxelSizeOfPicks;
      return { object: 'apo-ferritin', position: { x: x * scale, y: y * scale, z: z * scale }, score: 1 };
    });
  return cropsOf({ volume: await read({ start: [0, 0, 0], end: grid.shape }), grid, picks }).crops;
}
