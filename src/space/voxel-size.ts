import { CryoetPicksError } from '../errors.ts';
import { formatZyx, type Zyx } from './zyx.ts';

/** A voxel size along z, y, x in Å, from a number for all axes or a triple. @throws {@link CryoetPicksError} `invalid-option` unless above 0. */
export function asVoxelSize(voxelSize: number | Zyx): Zyx {
  const triple: Zyx = typeof voxelSize === 'number' ? [voxelSize, voxelSize, voxelSize] : voxelSize;
  if (triple.length === 3 && triple.every((length) => Number.isFinite(length) && length > 0)) return triple;
  throw new CryoetPicksError(
    'invalid-option',
    `voxelSize is ${formatZyx(triple)} Å, expected a length above 0, or three along z, y, x`,
  );
}
